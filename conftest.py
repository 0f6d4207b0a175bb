# A command for operators, not a test, whatever its name says.
collect_ignore = ["test_kraken_connection_live.py"]
