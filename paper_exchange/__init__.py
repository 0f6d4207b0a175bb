"""A brokerage simulator of its own: one process on loopback that speaks the brokerages' real wire protocols.

It imports nothing of ``bot``. ``python -m paper_exchange --help`` lists its options; see ``server.py`` for how
the parts are wired together.
"""
