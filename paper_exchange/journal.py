"""The journal: one line for everything the exchange saw and did. It is the oracle that tests judge a client by.

Every line has the same keys (absent means null) and amounts are text. ``seq`` starts at 1, rises by one a line and
goes on after a restart with the same state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from heapq import merge
from pathlib import Path

import msgspec

from paper_exchange.clock import rfc3339

REQUEST_LINES_KEPT = 150_000
"""Requests kept in memory; polls of market data outnumber everything else, so they have a ring of their own."""
ORDER_LINES_KEPT = 400_000
"""Accepts, amendments, refusals, fills, cancels and expiries kept in memory."""
MOST_PENDING = 20_000
"""Lines that may wait to be written out; beyond that every new one writes older ones out."""
FILE_BYTES = 32 * 1024 * 1024
"""Size at which the journal file of a state directory is turned over; one older file is kept."""


class Label(msgspec.Struct):
    """The part of a line that is needed to put it back in its place."""

    seq: int
    type: str


LABEL = msgspec.json.Decoder(Label)
ENCODE = msgspec.json.Encoder().encode


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a line says, apart from its number and time. ``symbol`` is in the ``BTC/USD`` form."""

    type: str
    """request, write_ahead, accept, amend (with the terms from then on), refuse, fill, cancel or expire."""
    brokerage: str
    account: str | None = None
    endpoint: str | None = None
    nonce: str | None = None
    client_order_id: str | None = None
    order_id: str | None = None
    trade_id: str | None = None
    symbol: str | None = None
    side: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    fee: Decimal | None = None
    fee_asset: str | None = None
    error: str | None = None
    payload_sha256: str | None = None
    """Of a request, its body; of a write_ahead, the order as that check writes it."""
    verdict: str | None = None
    """Of a write_ahead."""


def amount_text(amount: Decimal | None) -> str | None:
    """Plain decimal text, never with an exponent."""
    return None if amount is None else format(amount, "f")


def encode_line(seq: int, entry: JournalEntry, time_ns: int) -> bytes:
    """One line, its newline included."""
    return (
        ENCODE(
            {
                "seq": seq,
                "time": rfc3339(time_ns),
                "brokerage": entry.brokerage,
                "account": entry.account,
                "type": entry.type,
                "endpoint": entry.endpoint,
                "nonce": entry.nonce,
                "client_order_id": entry.client_order_id,
                "order_id": entry.order_id,
                "trade_id": entry.trade_id,
                "symbol": entry.symbol,
                "side": entry.side,
                "quantity": amount_text(entry.quantity),
                "price": amount_text(entry.price),
                "fee": amount_text(entry.fee),
                "fee_asset": entry.fee_asset,
                "error": entry.error,
                "payload_sha256": entry.payload_sha256,
                "verdict": entry.verdict,
            }
        )
        + b"\n"
    )


class Journal:
    """Lines in memory, bounded, and with ``path`` also in a file that survives the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._requests: deque[tuple[int, bytes]] = deque(maxlen=REQUEST_LINES_KEPT)
        self._orders: deque[tuple[int, bytes]] = deque(maxlen=ORDER_LINES_KEPT)
        self._pending: deque[tuple[int, Callable[[], JournalEntry], int]] = deque()
        self._path = path
        self._seq = 0
        self._file_bytes = 0
        if path is not None:
            self._load(path)
            self._file = path.open("ab", buffering=0)
            self._file_bytes = path.stat().st_size

    @property
    def last_seq(self) -> int:
        return self._seq

    def start_after(self, seq: int) -> None:
        """Number the next line above ``seq``, when the state remembers more than the file does."""
        self._seq = max(self._seq, seq)

    def write(self, entry: JournalEntry, *, time_ns: int) -> int:
        """Add a line and return its ``seq``."""
        return self.write_later(lambda: entry, time_ns=time_ns)

    def write_later(self, make: Callable[[], JournalEntry], *, time_ns: int) -> int:
        """Add a line that is made and written out when there is time, or when somebody reads; returns its ``seq``.

        With a file it is written at once, so that what was answered is in it even if the process is killed right after.
        """
        self._seq += 1
        self._pending.append((self._seq, make, time_ns))
        if self._path is not None:
            self.settle(len(self._pending))
        elif len(self._pending) > MOST_PENDING:
            self.settle(2)
        return self._seq

    def settle(self, most: int) -> None:
        """Write out up to ``most`` of the lines that wait."""
        for _ in range(min(most, len(self._pending))):
            seq, make, time_ns = self._pending.popleft()
            entry = make()
            self._keep(seq, entry.type, encode_line(seq, entry, time_ns))

    def since(self, seq: int) -> Iterator[bytes]:
        """Lines numbered above ``seq``, oldest first, each ending in a newline."""
        self.settle(len(self._pending))
        for number, line in merge(self._requests, self._orders):
            if number > seq:
                yield line

    def close(self) -> None:
        if self._path is not None:
            self._file.close()

    def _keep(self, seq: int, kind: str, line: bytes) -> None:
        (self._requests if kind == "request" else self._orders).append((seq, line))
        if self._path is None:
            return
        # One unbuffered write a line.
        self._file.write(line)
        self._file_bytes += len(line)
        if self._file_bytes > FILE_BYTES:
            self._turn_over(self._path)

    def _turn_over(self, path: Path) -> None:
        self._file.close()
        path.replace(_older(path))
        self._file = path.open("ab", buffering=0)
        self._file_bytes = 0

    def _load(self, path: Path) -> None:
        path.touch(mode=0o600, exist_ok=True)
        for part in (_older(path), path):
            if part.exists():
                for line in part.read_bytes().splitlines(keepends=True):
                    self._load_line(line)
        _cut_torn_line(path)

    def _load_line(self, line: bytes) -> None:
        try:
            label = LABEL.decode(line)
        except msgspec.DecodeError:
            return  # A line cut short by a kill tells nothing; the state file is what balances rest on.
        if line.endswith(b"\n"):
            (self._requests if label.type == "request" else self._orders).append((label.seq, line))
            self._seq = max(self._seq, label.seq)


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
