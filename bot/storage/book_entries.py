"""An account's trades, cash events and costs in the order of the books, without holding them all in memory."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Executable, bindparam, func, select

from bot.books.entries import CostEntry, Movement, Trade, place_of
from bot.domain.order import Side
from bot.storage.cash_events import event_of
from bot.storage.cost_entries import costs_of
from bot.storage.schema import account, cash_event, cost_entry, fill
from bot.storage.streaming import stream

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
    fill.c.venue_order_id,
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
_FIRST_TRADED = _TRADES.with_only_columns(fill.c.executed_at).limit(1)
_USER_ID = select(account.c.user_id).where(account.c.account_id == _ONE_ACCOUNT)


BookedEntry = Trade | Movement | CostEntry


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
    """What happened at or after `since` and before `until`, in the order in which it is applied to books.

    Opening balances are not among it. To be gone through once and while the connection is open; memory is bounded
    whatever the length.
    """
    keys = {"account_id": account_id, "since": since, "until": until}
    costs = [cost for cost in _costs(connection, account_id) if since <= cost.acquired_at < until]
    streams: list[Iterable[BookedEntry]] = [
        _movements(connection, _MOVEMENTS, keys),
        costs,
        _trades(connection, _TRADES, keys),
    ]
    return heapq.merge(*streams, key=place_of)


def first_trade_at(connection: Connection, account_id: str, *, since: datetime, until: datetime) -> datetime | None:
    """The time of the first trade at or after `since` and before `until`; None = there is none."""
    moment: datetime | None = connection.execute(
        _FIRST_TRADED, {"account_id": account_id, "since": since, "until": until}
    ).scalar()
    return moment


def late_entries(connection: Connection, account_id: str, after: BookedUntil, *, before: datetime) -> list[BookedEntry]:
    """What was booked after those numbers and happened before this time, in the order in which it is applied."""
    fills = {"account_id": account_id, "after": after.fills}
    cash = {"account_id": account_id, "after": after.cash}
    found: list[BookedEntry] = [
        *_movements(connection, _LATE_MOVEMENTS, cash),
        *_trades(connection, _LATE_TRADES, fills),
        *_costs(connection, account_id, after=after.costs),
    ]
    return sorted((entry for entry in found if moment_of(entry) < before), key=place_of)


def moment_of(entry: BookedEntry) -> datetime:
    """When it happened, by the venue's or the operator's word."""
    return place_of(entry)[0]


def _trades(connection: Connection, query: Executable, keys: dict[str, Any]) -> Iterator[Trade]:
    masters = connection.execute(_USER_ID, {"account_id": keys["account_id"]}).scalar() is None
    for row in stream(connection, query, keys):
        yield Trade(
            trade_id=row.trade_id,
            symbol=row.symbol,
            side=Side(row.side),
            quantity=row.quantity,
            price=row.price,
            fee=row.fee,
            fee_currency=row.fee_currency,
            at=row.executed_at,
            # All that is traded on a master's account is a signal; a user's own trades are not ours.
            ours=masters or row.client_order_id is not None,
            sequence=row.sequence,
            order_id=row.venue_order_id,
        )


def _movements(connection: Connection, query: Executable, keys: dict[str, Any]) -> Iterator[Movement]:
    for row in stream(connection, query, keys):
        yield Movement(event=event_of(row), sequence=row.sequence)


def _costs(connection: Connection, account_id: str, *, after: int = 0) -> list[CostEntry]:
    written = [cost for cost in costs_of(connection, account_id) if cost.sequence > after]
    return sorted((cost.entry for cost in written), key=place_of)
