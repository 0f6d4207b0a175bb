"""What holds for every test: a start that is the same everywhere, and large sizes only when asked for."""

import pytest
from hypothesis import settings

# A command for operators, not a test, whatever its name says.
collect_ignore = ["test_kraken_connection_live.py"]

# The same examples in every run, so that a red check is about the change. `--hypothesis-profile=search` draws new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run the large sizes, which take minutes")
