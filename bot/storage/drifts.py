"""Rows of drift: where the venue and the books differ, since when, and how often it was seen."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from bot.domain.drift import DriftKind
from bot.storage.schema import drift

_OPEN = select(drift).where(drift.c.cleared_at.is_(None)).order_by(drift.c.first_seen_at, drift.c.subject)
_OPEN_OF_ONE = _OPEN.where(drift.c.account_id == bindparam("account_id"))


def note_drift(
    connection: Connection, account_id: str, kind: DriftKind, subject: str, *, detail: str, now: datetime
) -> int:
    """Write down what one reading saw; returns how often it was seen since it came (1 = new, or there again).

    `subject` is the venue's order id, our client order id or the symbol, whichever the kind is about.
    """
    found = connection.execute(select(drift).where(*_key(account_id, kind, subject))).first()
    if found is None:
        values = {"account_id": account_id, "kind": str(kind), "subject": subject, **_first_reading(detail, now)}
        connection.execute(insert(drift).values(values))
        return 1
    if found.cleared_at is not None:
        values = _first_reading(detail, now)
    else:
        values = {"detail": detail, "last_seen_at": now, "readings": found.readings + 1}
    connection.execute(update(drift).where(*_key(account_id, kind, subject)).values(values))
    readings: int = values["readings"]
    return readings


def add_cleared(
    connection: Connection, account_id: str, kind: DriftKind, subject: str, *, detail: str, now: datetime
) -> None:
    """Keep what was done about a drift: a row that is history from the start."""
    note_drift(connection, account_id, kind, subject, detail=detail, now=now)
    connection.execute(update(drift).where(*_key(account_id, kind, subject)).values(cleared_at=now))


def clear_drifts(
    connection: Connection, account_id: str, kind: DriftKind, *, still: Collection[str], now: datetime
) -> list[str]:
    """A complete reading saw none of this kind but `still`; returns the subjects that are gone."""
    gone = [row.subject for row in open_drifts(connection, account_id) if row.kind == kind and row.subject not in still]
    for subject in gone:
        connection.execute(update(drift).where(*_key(account_id, kind, subject)).values(cleared_at=now))
    return gone


def open_drifts(connection: Connection, account_id: str | None = None) -> Sequence[Row[Any]]:
    """What differs now, of one account or of all, the oldest first."""
    if account_id is None:
        return connection.execute(_OPEN).all()
    return connection.execute(_OPEN_OF_ONE, {"account_id": account_id}).all()


def _first_reading(detail: str, now: datetime) -> dict[str, Any]:
    return {"detail": detail, "first_seen_at": now, "last_seen_at": now, "readings": 1, "cleared_at": None}


def _key(account_id: str, kind: DriftKind, subject: str) -> tuple[Any, Any, Any]:
    return drift.c.account_id == account_id, drift.c.kind == str(kind), drift.c.subject == subject
