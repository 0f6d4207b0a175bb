"""Rows of equity: what an account was worth at some moments, by the venue's own balances and prices of that time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from bot.books.equity import Mark
from bot.domain.account import BrokerType
from bot.storage.book_entries import EVER, NEVER
from bot.storage.marks_text import marks_of, marks_text, units_of, units_text
from bot.storage.schema import account, equity_point

# Rows removed by one statement.
REMOVED_AT_ONCE = 500

_OF_ACCOUNT = equity_point.c.account_id == bindparam("account_id")
_ADD = insert(equity_point)
_NEWEST = select(equity_point).where(_OF_ACCOUNT).order_by(equity_point.c.at.desc(), equity_point.c.id.desc()).limit(1)
_FIRST = select(equity_point).where(_OF_ACCOUNT).order_by(equity_point.c.at, equity_point.c.id).limit(1)
_NEWEST_SETTLED = (
    select(equity_point)
    .where(_OF_ACCOUNT, equity_point.c.settled)
    .order_by(equity_point.c.at.desc(), equity_point.c.id.desc())
    .limit(1)
)
_BETWEEN = (
    select(equity_point)
    .where(_OF_ACCOUNT, equity_point.c.at >= bindparam("since"), equity_point.c.at < bindparam("until"))
    .order_by(equity_point.c.at, equity_point.c.id)
)
_TIMES = (
    select(equity_point.c.id, equity_point.c.at)
    .where(_OF_ACCOUNT, equity_point.c.at < bindparam("until"))
    .order_by(equity_point.c.at, equity_point.c.id)
)
# Account by account, because that is what the index is by.
_MARKS_SINCE = select(equity_point.c.marks_json).where(
    equity_point.c.account_id.in_(select(account.c.account_id).where(account.c.broker == bindparam("broker"))),
    equity_point.c.at >= bindparam("since"),
)


@dataclass(frozen=True, kw_only=True)
class EquityPoint:
    """Amounts in `currency`. `equity` is cash and what has a fresh price; `unpriced` (units by asset) is in no sum.

    `units` is all that the venue says is there. `settled`: nothing was under way, and all that had happened was booked.
    """

    account_id: str
    at: datetime
    currency: str
    cash_available: Decimal
    cash_held: Decimal
    positions_value: Decimal
    equity: Decimal
    unpriced: Mapping[str, Decimal] = field(default_factory=dict)
    oldest_price_at: datetime | None = None
    units: Mapping[str, Decimal] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    settled: bool = False


def add_point(connection: Connection, point: EquityPoint) -> None:
    """Write a point down."""
    connection.execute(
        _ADD,
        {
            "account_id": point.account_id,
            "at": point.at,
            "currency": point.currency,
            "cash_available": point.cash_available,
            "cash_held": point.cash_held,
            "positions_value": point.positions_value,
            "equity": point.equity,
            "unpriced_json": units_text(point.unpriced),
            "oldest_price_at": point.oldest_price_at,
            "units_json": units_text(point.units),
            "marks_json": marks_text(point.marks),
            "settled": point.settled,
        },
    )


def newest_point(connection: Connection, account_id: str, *, settled: bool = False) -> EquityPoint | None:
    """The last one, or the last settled one; None = there is none."""
    row = connection.execute(_NEWEST_SETTLED if settled else _NEWEST, {"account_id": account_id}).first()
    return None if row is None else _point(row)


def first_point(connection: Connection, account_id: str) -> EquityPoint | None:
    """The one with which the books began; it is kept for ever."""
    row = connection.execute(_FIRST, {"account_id": account_id}).first()
    return None if row is None else _point(row)


def points_of(
    connection: Connection, account_id: str, *, since: datetime = EVER, until: datetime = NEVER
) -> Iterator[EquityPoint]:
    """The points with `since` <= time < `until`, oldest first."""
    keys = {"account_id": account_id, "since": since, "until": until}
    return (_point(row) for row in connection.execute(_BETWEEN, keys))


def thin_out(connection: Connection, account_id: str, *, all_since: datetime, drop_before: datetime) -> int:
    """Of points before `all_since` keep the first of each hour, and from before `drop_before` only the very first.

    Returns how many were removed.
    """
    rows = connection.execute(_TIMES, {"account_id": account_id, "until": all_since}).all()
    superfluous = _superfluous(rows, drop_before)
    for start in range(0, len(superfluous), REMOVED_AT_ONCE):
        some = superfluous[start : start + REMOVED_AT_ONCE]
        connection.execute(delete(equity_point).where(equity_point.c.id.in_(some)))
    return len(superfluous)


def _superfluous(rows: Sequence[Any], drop_before: datetime) -> list[int]:
    found, hour = [], None
    for row in rows[1:]:
        its_hour = row.at - timedelta(minutes=row.at.minute, seconds=row.at.second, microseconds=row.at.microsecond)
        if row.at < drop_before or its_hour == hour:
            found.append(row.id)
        else:
            hour = its_hour
    return found


def _point(row: Row[Any]) -> EquityPoint:
    return EquityPoint(
        account_id=row.account_id,
        at=row.at,
        currency=row.currency,
        cash_available=row.cash_available,
        cash_held=row.cash_held,
        positions_value=row.positions_value,
        equity=row.equity,
        unpriced=units_of(row.unpriced_json),
        oldest_price_at=row.oldest_price_at,
        units=units_of(row.units_json),
        marks=marks_of(row.marks_json),
        settled=bool(row.settled),
    )


def newest_marks(connection: Connection, broker: BrokerType, *, since: datetime) -> Mapping[str, Mark]:
    """Prices by asset that any account of the brokerage was valued at since then, the newest of each."""
    found: dict[str, Mark] = {}
    for (text,) in connection.execute(_MARKS_SINCE, {"broker": str(broker), "since": since}):
        for asset, mark in marks_of(text).items():
            if mark.at >= since and (asset not in found or found[asset].at < mark.at):
                found[asset] = mark
    return found
