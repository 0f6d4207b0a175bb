"""Rows of days: how each day of an account's books ended, with the identity that proves it or breaks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from bot.books.equity import Mark
from bot.domain.money import plain
from bot.storage.book_entries import BookedUntil
from bot.storage.marks_text import marks_of, marks_text, units_of, units_text
from bot.storage.schema import day_close

_OF_ACCOUNT = day_close.c.account_id == bindparam("account_id")
_ADD = insert(day_close)
_CHANGE = update(day_close).where(
    day_close.c.account_id == bindparam("the_account"), day_close.c.day == bindparam("the_day")
)
_ONE = select(day_close).where(_OF_ACCOUNT, day_close.c.day == bindparam("day"))
_LAST = select(day_close).where(_OF_ACCOUNT).order_by(day_close.c.day.desc()).limit(1)
_BEFORE = (
    select(day_close).where(_OF_ACCOUNT, day_close.c.day < bindparam("day")).order_by(day_close.c.day.desc()).limit(1)
)
_BETWEEN = (
    select(day_close)
    .where(_OF_ACCOUNT, day_close.c.day >= bindparam("first"), day_close.c.day <= bindparam("last"))
    .order_by(day_close.c.day)
)
_DIFFERENCES = select(day_close.c.day, day_close.c.differences_json).where(
    _OF_ACCOUNT, day_close.c.status == bindparam("status")
)
_FIRST_DAY, _LAST_DAY = "0000-00-00", "9999-99-99"


class DayStatus(StrEnum):
    """Whether a day's figures are proved."""

    OK = "ok"  # The identity holds to the cent.
    BROKEN = "broken"  # It does not: the difference is named by asset.
    UNPRICED = "unpriced"  # Something held had no price near the day's end: what it is worth is not known.
    UNPROVEN = "unproven"  # No settled reading was made near the day's end, or not all could be read.


class Difference(NamedTuple):
    """What the venue has more than the books (less, if negative): units, and their value, None without a price."""

    units: Decimal
    value: Decimal | None


@dataclass(frozen=True, kw_only=True)
class DayClose:
    """One day of one account; it ends at `closes_at`, and the next one begins there. Amounts in `currency`.

    None = not known, and `problem` says why. Equities are the venue's units at the marks of that moment; the terms come
    from fills and cash events alone: equity − opening_equity = realised + unrealised_change − fees + net_deposits +
    income + other_holdings + difference.
    """

    account_id: str
    day: str
    closes_at: datetime
    currency: str
    opening_equity: Decimal | None
    equity: Decimal | None
    realised: Decimal | None
    unrealised_change: Decimal | None
    fees: Decimal | None
    net_deposits: Decimal | None
    income: Decimal | None
    other_holdings: Decimal | None
    difference: Decimal | None
    differences: Mapping[str, Difference] = field(default_factory=dict)
    units: Mapping[str, Decimal] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    books_json: str
    booked: BookedUntil
    trades: int
    wins: int
    losses: int
    turnover: Decimal | None
    hold_json: str = "{}"
    status: DayStatus
    problem: str
    written_at: datetime


_SAME = [
    column.name
    for column in day_close.c
    if column.name
    not in ("differences_json", "units_json", "marks_json", "fill_sequence", "cash_sequence", "cost_sequence", "status")
]


def save_close(connection: Connection, close: DayClose) -> None:
    """Insert the day, or overwrite what was written of it before."""
    values = {name: getattr(close, name) for name in _SAME} | {
        "differences_json": _differences_text(close.differences),
        "units_json": units_text(close.units),
        "marks_json": marks_text(close.marks),
        "fill_sequence": close.booked.fills,
        "cash_sequence": close.booked.cash,
        "cost_sequence": close.booked.costs,
        "status": str(close.status),
    }
    changed = connection.execute(_CHANGE, {"the_account": close.account_id, "the_day": close.day} | values)
    if not changed.rowcount:
        connection.execute(_ADD, values)


def find_close(connection: Connection, account_id: str, day: str) -> DayClose | None:
    return _first(connection, _ONE, {"account_id": account_id, "day": day})


def last_close(connection: Connection, account_id: str) -> DayClose | None:
    """The newest day that is closed; None = none is."""
    return _first(connection, _LAST, {"account_id": account_id})


def close_before(connection: Connection, account_id: str, day: str) -> DayClose | None:
    """The last closed day before this one."""
    return _first(connection, _BEFORE, {"account_id": account_id, "day": day})


def closes_of(
    connection: Connection, account_id: str, first_day: str = _FIRST_DAY, last_day: str = _LAST_DAY
) -> Sequence[DayClose]:
    """The closed days from the first to the last, both with them, oldest first."""
    keys = {"account_id": account_id, "first": first_day, "last": last_day}
    return [_close(row) for row in connection.execute(_BETWEEN, keys)]


def broken_days(connection: Connection, account_id: str) -> Mapping[str, Mapping[str, Difference]]:
    """What is not explained yet: by day, by asset."""
    rows = connection.execute(_DIFFERENCES, {"account_id": account_id, "status": str(DayStatus.BROKEN)})
    return {row.day: _differences(row.differences_json) for row in rows}


def _first(connection: Connection, query: Any, keys: dict[str, str]) -> DayClose | None:
    row = connection.execute(query, keys).first()
    return None if row is None else _close(row)


def _close(row: Row[Any]) -> DayClose:
    return DayClose(
        **{name: getattr(row, name) for name in _SAME},
        differences=_differences(row.differences_json),
        units=units_of(row.units_json),
        marks=marks_of(row.marks_json),
        booked=BookedUntil(row.fill_sequence, row.cash_sequence, row.cost_sequence),
        status=DayStatus(row.status),
    )


def _differences_text(differences: Mapping[str, Difference]) -> str:
    return json.dumps(
        {
            asset: {"units": plain(one.units), "value": None if one.value is None else plain(one.value)}
            for asset, one in sorted(differences.items())
        }
    )


def _differences(text: str) -> dict[str, Difference]:
    return {
        asset: Difference(Decimal(one["units"]), None if one["value"] is None else Decimal(one["value"]))
        for asset, one in json.loads(text).items()
    }
