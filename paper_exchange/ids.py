"""Ids of orders, trades and ledger entries, in the form each brokerage gives them.

They follow from the seed, the number of the start (``epoch``) and a counter, so a run can be repeated, and ids made
after a restart differ from all earlier ones even when the last counters were lost to a kill.
"""

from __future__ import annotations

import hashlib
import uuid

LETTERS = bytes(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[byte % 32] for byte in range(256))
"""A letter or digit for each byte; those that look alike are left out."""

FIRST_NUMBER = 10**18
"""OKX's ids are numbers of 19 digits that rise with time: its pages are cut by them."""
NUMBERS_A_START = 10**11


class Ids:
    """Makes ids that never repeat; they look random where the brokerage's do."""

    def __init__(self, *, seed: int, epoch: int) -> None:
        self._prefix = f"{seed}:{epoch}"
        self._first_number = FIRST_NUMBER + epoch * NUMBERS_A_START
        self._counter = 0

    def order_id(self, brokerage: str) -> str:
        return self._make(brokerage, "O")

    def trade_id(self, brokerage: str) -> str:
        return self._make(brokerage, "T")

    def ledger_id(self, brokerage: str) -> str:
        return self._make(brokerage, "L")

    def amend_id(self, brokerage: str) -> str:
        """Begins like a trade's, and is never one."""
        return self._make(brokerage, "T")

    def _make(self, brokerage: str, letter: str) -> str:
        self._counter += 1
        digest = hashlib.sha256(f"{self._prefix}:{brokerage}:{letter}:{self._counter}".encode()).digest()
        if brokerage == "kraken":
            return kraken_id(letter, digest)
        if brokerage == "okx":
            return str(self._first_number + self._counter)
        if brokerage == "binance":
            # JSON numbers there, so they stay below 2^53, which is all that some clients can read.
            return str(self._first_number - FIRST_NUMBER + self._counter)
        return str(uuid.UUID(bytes=digest[:16], version=4))


def kraken_id(letter: str, digest: bytes) -> str:
    """``letter`` and 5, 5 and 6 upper-case letters and digits, as in ``OQCLML-BW3P3-BUCMWZ``."""
    text = digest[:16].translate(LETTERS).decode()
    return f"{letter}{text[:5]}-{text[5:10]}-{text[10:16]}"
