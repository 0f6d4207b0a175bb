"""What the bot believes, read from its database with nothing of the bot's own code."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

FINAL_STATES = frozenset({"filled", "cancelled", "rejected", "expired", "abandoned"})
NEVER_ACCEPTED = frozenset({"rejected", "abandoned"})


@dataclass(frozen=True)
class SignalRow:
    signal_id: str
    account: str
    broker: str
    symbol: str
    kind: str
    quantity: Decimal
    reference_price: Decimal
    venue_order_id: str | None
    batch: int
    sequence: int
    executed_at: datetime
    planned: bool


@dataclass(frozen=True)
class IntentRow:
    client_order_id: str
    account: str
    signal_id: str | None
    symbol: str
    side: str
    kind: str
    state: str
    quantity: Decimal
    filled_quantity: Decimal
    venue_order_id: str | None
    needs_person: str
    reason: str
    updated_at: datetime


@dataclass(frozen=True)
class CopyRow:
    signal_id: str
    account: str
    status: str
    ratio: Decimal | None
    detail: str


@dataclass(frozen=True)
class FillRow:
    account: str
    symbol: str
    side: str
    trade_id: str
    venue_order_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal


@dataclass(frozen=True)
class Member:
    """A user is active for signals with `after` < sequence <= `until` (None = still active)."""

    account: str
    broker: str
    after: int
    until: int | None

    def active_at(self, sequence: int) -> bool:
        return self.after < sequence and (self.until is None or sequence <= self.until)


@dataclass(frozen=True)
class Books:
    install_id: str
    signals: Sequence[SignalRow]
    intents: Sequence[IntentRow]
    copies: Sequence[CopyRow]
    fills: Sequence[FillRow]
    members: Sequence[Member]

    @property
    def tag(self) -> str:
        """The first four characters of every client order id of this installation."""
        return sha256(self.install_id.encode()).hexdigest()[:4]

    def copies_by_signal(self) -> Mapping[str, Sequence[CopyRow]]:
        found: dict[str, list[CopyRow]] = defaultdict(list)
        for copy in self.copies:
            found[copy.signal_id].append(copy)
        return found

    @classmethod
    def read(cls, database: Path) -> "Books":
        with open_books(database) as connection:
            install = connection.execute("SELECT value FROM meta WHERE key = 'install_id'").fetchone()
            return cls(
                install["value"],
                [_signal(row) for row in connection.execute("SELECT * FROM signal ORDER BY sequence")],
                [_intent(row) for row in connection.execute("SELECT * FROM order_intent ORDER BY sequence")],
                [_copy(row) for row in connection.execute("SELECT * FROM copy_result")],
                [_fill(row) for row in connection.execute("SELECT * FROM fill")],
                [_member(row) for row in connection.execute("SELECT * FROM membership")],
            )


@contextmanager
def open_books(database: Path) -> Iterator[sqlite3.Connection]:
    """Read-only. Raises sqlite3.Error while there is no database yet."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def amount(text: str | None) -> Decimal:
    return Decimal(0) if text is None else Decimal(text)


def _signal(row: sqlite3.Row) -> SignalRow:
    return SignalRow(
        row["signal_id"], row["account_id"], row["broker"], row["symbol"], row["kind"], amount(row["quantity"]),
        amount(row["reference_price"]), row["venue_order_id"], row["batch"], row["sequence"],
        datetime.fromisoformat(row["executed_at"]), row["planned_at"] is not None,
    )  # fmt: skip


def _intent(row: sqlite3.Row) -> IntentRow:
    return IntentRow(
        row["client_order_id"], row["account_id"], row["signal_id"], row["symbol"], row["side"], row["kind"],
        row["state"], amount(row["quantity"]), amount(row["filled_quantity"]), row["venue_order_id"],
        row["needs_person"], row["reason"], datetime.fromisoformat(row["updated_at"]),
    )  # fmt: skip


def _copy(row: sqlite3.Row) -> CopyRow:
    ratio = None if row["ratio"] is None else Decimal(row["ratio"])
    return CopyRow(row["signal_id"], row["account_id"], row["status"], ratio, row["detail"])


def _fill(row: sqlite3.Row) -> FillRow:
    return FillRow(
        row["account_id"], row["symbol"], row["side"], row["trade_id"], row["venue_order_id"],
        amount(row["quantity"]), amount(row["price"]), amount(row["fee"]),
    )  # fmt: skip


def _member(row: sqlite3.Row) -> Member:
    return Member(row["account_id"], row["broker"], row["from_sequence"], row["to_sequence"])
