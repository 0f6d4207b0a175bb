"""An account's trades and cash events together, in the order of time, without holding them all in memory."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Executable, bindparam, func, select

from bot.domain.cash_event import CashEvent
from bot.domain.order import Side
from bot.storage.cash_events import event_of
from bot.storage.schema import account, cash_event, cost_entry, fill

# Rows fetched at once while a long history is gone through.
ROWS_AT_ONCE = 2000
EVER = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)

_FILL_COLUMNS = (
    fill.c.trade_id,
    fill.c.symbol,
    fill.c.side,
    fill.c.quantity,
    fill.c.price,
    fill.c.fee,
    fill.c.fee_currency,
    fill.c.executed_at,
    fill.c.client_order_id,
    fill.c.sequence,
)
_ONE_ACCOUNT: BindParameter[str] = bindparam("account_id")
_TRADES = (
    select(*_FILL_COLUMNS)
    .where(
        fill.c.account_id == _ONE_ACCOUNT,
        fill.c.executed_at >= bindparam("since"),
        fill.c.executed_at < bindparam("until"),
    )
    .order_by(fill.c.executed_at, fill.c.sequence)
)
_MOVEMENTS = (
    select(cash_event)
    .where(
        cash_event.c.account_id == _ONE_ACCOUNT,
        cash_event.c.at >= bindparam("since"),
        cash_event.c.at < bindparam("until"),
    )
    .order_by(cash_event.c.at, cash_event.c.sequence)
)
# By number alone, so that the index by number is used; the few that came late are put in order afterwards.
_LATE_TRADES = select(*_FILL_COLUMNS).where(fill.c.account_id == _ONE_ACCOUNT, fill.c.sequence > bindparam("after"))
_LATE_MOVEMENTS = select(cash_event).where(
    cash_event.c.account_id == _ONE_ACCOUNT, cash_event.c.sequence > bindparam("after")
)
_NEWEST_TRADE = select(func.max(fill.c.sequence)).where(fill.c.account_id == _ONE_ACCOUNT)
_NEWEST_MOVEMENT = select(func.max(cash_event.c.sequence)).where(cash_event.c.account_id == _ONE_ACCOUNT)
_NEWEST_COST = select(func.max(cost_entry.c.id)).where(cost_entry.c.account_id == _ONE_ACCOUNT)
_LAST_TRADED = select(func.max(fill.c.executed_at)).where(fill.c.account_id == _ONE_ACCOUNT)
_LAST_MOVED = select(func.max(cash_event.c.at)).where(cash_event.c.account_id == _ONE_ACCOUNT)
_USER_ID = select(account.c.user_id).where(account.c.account_id == _ONE_ACCOUNT)


class BookedTrade(NamedTuple):
    """A fill as the ledger has it. `ours` is False for what a user traded by hand."""

    trade_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    at: datetime
    ours: bool
    sequence: int


class BookedMovement(NamedTuple):
    """A cash event as the ledger has it."""

    event: CashEvent
    sequence: int

    @property
    def at(self) -> datetime:
        return self.event.at


BookedEntry = BookedTrade | BookedMovement


@dataclass(frozen=True)
class BookedUntil:
    """The highest numbers of an account's fills, cash events and costs; what is booked later has higher ones."""

    fills: int = 0
    cash: int = 0
    costs: int = 0


def booked_until(connection: Connection, account_id: str) -> BookedUntil:
    """How far the ledger has come."""
    keys = {"account_id": account_id}
    numbers = (connection.execute(query, keys).scalar() for query in (_NEWEST_TRADE, _NEWEST_MOVEMENT, _NEWEST_COST))
    return BookedUntil(*(number or 0 for number in numbers))


def last_entry_at(connection: Connection, account_id: str) -> datetime | None:
    """The time of the newest trade or cash event; None = there is none."""
    moments = [connection.execute(query, {"account_id": account_id}).scalar() for query in (_LAST_TRADED, _LAST_MOVED)]
    return max((moment for moment in moments if moment is not None), default=None)


def book_entries(
    connection: Connection, account_id: str, *, since: datetime = EVER, until: datetime = NEVER
) -> Iterator[BookedEntry]:
    """What happened at or after `since` and before `until`, in the order of time; of the same time, money comes first.

    To be gone through once and while the connection is open; memory is bounded whatever the length.
    """
    keys = {"account_id": account_id, "since": since, "until": until}
    movements, trades = _movements(connection, _MOVEMENTS, keys), _trades(connection, _TRADES, keys)
    return heapq.merge(movements, trades, key=_moment)


def late_entries(connection: Connection, account_id: str, after: BookedUntil, *, before: datetime) -> list[BookedEntry]:
    """What was booked after those numbers and happened before this time, in the order of time."""
    fills = {"account_id": account_id, "after": after.fills}
    cash = {"account_id": account_id, "after": after.cash}
    found: list[BookedEntry] = [
        *_movements(connection, _LATE_MOVEMENTS, cash),
        *_trades(connection, _LATE_TRADES, fills),
    ]
    return sorted((entry for entry in found if entry.at < before), key=_order)


def _moment(entry: BookedEntry) -> datetime:
    return entry.at


def _order(entry: BookedEntry) -> tuple[datetime, bool, int]:
    return entry.at, isinstance(entry, BookedTrade), entry.sequence


def _trades(connection: Connection, query: Executable, keys: dict[str, Any]) -> Iterator[BookedTrade]:
    masters = connection.execute(_USER_ID, {"account_id": keys["account_id"]}).scalar() is None
    for row in connection.execute(query, keys, execution_options={"yield_per": ROWS_AT_ONCE}):
        ours = masters or row.client_order_id is not None
        yield BookedTrade(
            trade_id=row.trade_id,
            symbol=row.symbol,
            side=Side(row.side),
            quantity=row.quantity,
            price=row.price,
            fee=row.fee,
            fee_currency=row.fee_currency,
            at=row.executed_at,
            ours=ours,
            sequence=row.sequence,
        )


def _movements(connection: Connection, query: Executable, keys: dict[str, Any]) -> Iterator[BookedMovement]:
    for row in connection.execute(query, keys, execution_options={"yield_per": ROWS_AT_ONCE}):
        yield BookedMovement(event_of(row), row.sequence)
