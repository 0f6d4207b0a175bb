"""Rows of cash events and of how far an account's ledger at its venue was read. The events only grow."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from bot.domain.account import AccountRef
from bot.domain.cash_event import CashEvent, CashKind
from bot.storage.schema import cash_event, cash_reading

_KNOWN = select(cash_event.c.event_id).where(
    cash_event.c.account_id == bindparam("account_id"), cash_event.c.event_id == bindparam("event_id")
)
_NEXT_SEQUENCE = select(func.coalesce(func.max(cash_event.c.sequence), 0) + 1)
_ADD = insert(cash_event)
_BETWEEN = (
    select(cash_event)
    .where(
        cash_event.c.account_id == bindparam("account_id"),
        cash_event.c.at >= bindparam("since"),
        cash_event.c.at < bindparam("until"),
    )
    .order_by(cash_event.c.at, cash_event.c.sequence)
)
_READING = select(cash_reading).where(cash_reading.c.account_id == bindparam("account_id"))
_READINGS = select(cash_reading)
_ADD_READING = insert(cash_reading)
_CHANGE_READING = update(cash_reading).where(cash_reading.c.account_id == bindparam("the_account"))


@dataclass(frozen=True, kw_only=True)
class CashReading:
    """How far one account's ledger was read. `problem` is why the last try failed; "" = it did not.

    All up to `read_until` was asked for, `read_at` is when the venue answered last; None = never.
    """

    account_id: str
    read_until: datetime | None = None
    read_at: datetime | None = None
    problem: str = ""


def add_cash_event(connection: Connection, ref: AccountRef, event: CashEvent, *, now: datetime) -> bool:
    """Write an event down; False when the venue told of it before."""
    if connection.execute(_KNOWN, {"account_id": ref.label, "event_id": event.event_id}).first() is not None:
        return False
    connection.execute(
        _ADD,
        {
            "broker": str(ref.broker),
            "account_id": ref.label,
            "event_id": event.event_id,
            "kind": str(event.kind),
            "asset": event.asset,
            "amount": event.amount,
            "fee": event.fee,
            "at": event.at,
            "reference": event.reference,
            "detail": event.detail,
            "recorded_at": now,
            "sequence": connection.execute(_NEXT_SEQUENCE).scalar_one(),
        },
    )
    return True


def is_booked(connection: Connection, account_id: str, event_id: str) -> bool:
    """Whether this event is written down."""
    return connection.execute(_KNOWN, {"account_id": account_id, "event_id": event_id}).first() is not None


def cash_events_of(
    connection: Connection, account_id: str, *, since: datetime, until: datetime
) -> Iterator[tuple[CashEvent, int]]:
    """The account's events with `since` <= time < `until`, oldest first, each with its number of booking."""
    for row in connection.execute(_BETWEEN, {"account_id": account_id, "since": since, "until": until}):
        yield event_of(row), row.sequence


def event_of(row: Row[Any]) -> CashEvent:
    """The event of a row of the table."""
    return CashEvent(
        event_id=row.event_id,
        kind=CashKind(row.kind),
        asset=row.asset,
        amount=row.amount,
        fee=row.fee,
        at=row.at,
        reference=row.reference,
        detail=row.detail,
    )


def find_reading(connection: Connection, account_id: str) -> CashReading | None:
    """None = this account's ledger was never asked for."""
    row = connection.execute(_READING, {"account_id": account_id}).first()
    return None if row is None else CashReading(**row._mapping)


def all_readings(connection: Connection) -> Mapping[str, CashReading]:
    """By account."""
    return {row.account_id: CashReading(**row._mapping) for row in connection.execute(_READINGS)}


def note_read(connection: Connection, account_id: str, *, asked_at: datetime, at: datetime) -> None:
    """The venue has answered for all up to the moment at which it was asked; what is read never becomes less."""
    old = find_reading(connection, account_id)
    until = asked_at if old is None or old.read_until is None else max(asked_at, old.read_until)
    _save(connection, CashReading(account_id=account_id, read_until=until, read_at=at))


def note_unread(connection: Connection, account_id: str, problem: str) -> None:
    """The venue's ledger could not be read, for this reason; what was read before stays."""
    old = find_reading(connection, account_id)
    until, at = (None, None) if old is None else (old.read_until, old.read_at)
    _save(connection, CashReading(account_id=account_id, read_until=until, read_at=at, problem=problem))


def _save(connection: Connection, reading: CashReading) -> None:
    values = {"read_until": reading.read_until, "read_at": reading.read_at, "problem": reading.problem}
    if not connection.execute(_CHANGE_READING, {"the_account": reading.account_id} | values).rowcount:
        connection.execute(_ADD_READING, {"account_id": reading.account_id} | values)
