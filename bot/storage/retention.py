"""Lets go of old readings and decisions, a few rows at a time.

Books (fills, signals, orders, copies, cash) stay for ever.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Table, delete, select

from bot.domain.errors import NijaError
from bot.seams.clock import Clock, format_time, parse_time
from bot.storage.process import get_meta, set_meta
from bot.storage.schema import (
    balance_snapshot,
    capacity_preview,
    entry_decision,
    exit_decision,
    health_transition,
    scan_cycle,
)
from bot.storage.store import Store

log = logging.getLogger(__name__)

# One write of so many takes a few milliseconds: an order that is committed behind it waits no longer.
ROWS_PER_WRITE = 500
EVERY_SECONDS = 60.0
# While there is more to let go of.
SOON_SECONDS = 2.0
WRITE_SECONDS = 1.0
# Key of `meta`: wishes to enter that were sealed before this moment may be gone, however long they are kept now.
WISHES_GONE_BEFORE = "wishes_gone_before"
# A row is sealed some time after it was written.
_SEALED_WITHIN_DAYS = 1


@dataclass(frozen=True)
class Kept:
    """Rows of a table that are numbered in the order of their time, and how long they are kept."""

    table: Table
    moment: Column[object]
    days: int
    # Where the end of what is gone is remembered; empty = nobody asks for these rows afterwards.
    remembered_as: str = ""


def gone_before(connection: Connection) -> datetime | None:
    """Wishes to enter that were sealed before this moment may have been let go of; None = all are there."""
    return _remembered(connection, WISHES_GONE_BEFORE)


def kept(*, balance_readings_days: int, health_changes_days: int, decisions_days: int) -> tuple[Kept, ...]:
    """What is let go of at all."""
    return (
        Kept(balance_snapshot, balance_snapshot.c.taken_at, balance_readings_days),
        Kept(health_transition, health_transition.c.at, health_changes_days),
        Kept(scan_cycle, scan_cycle.c.at, decisions_days),
        # Longer than the chain asks for its rows.
        Kept(entry_decision, entry_decision.c.at, decisions_days + _SEALED_WITHIN_DAYS, WISHES_GONE_BEFORE),
        Kept(exit_decision, exit_decision.c.at, decisions_days),
        Kept(capacity_preview, capacity_preview.c.at, decisions_days),
    )


class Retention:
    """Deletes from the front of each table, beside the trading and never in its way."""

    def __init__(self, store: Store, clock: Clock, tables: tuple[Kept, ...]) -> None:
        self._store = store
        self._clock = clock
        self._tables = tables
        self._due_at = clock.monotonic()
        self._problem = ""

    def turn(self) -> int:
        """Every minute, and sooner while there is more; returns how many rows it let go of. Does not raise."""
        if self._clock.monotonic() < self._due_at or self._store.queue_depth:
            return 0
        try:
            gone = sum(self._let_go(each) for each in self._tables)
        except NijaError as error:
            if str(error) != self._problem:
                log.warning("Old readings could not be let go of, which is tried again: %s", error)
            self._problem, gone = str(error), 0
        else:
            self._problem = ""
        self._due_at = self._clock.monotonic() + (SOON_SECONDS if gone >= ROWS_PER_WRITE else EVERY_SECONDS)
        return gone

    def _let_go(self, what: Kept) -> int:
        with self._store.read() as connection:
            numbers = self._old(connection, what)
        if not numbers:
            return 0
        first, last = numbers[0], numbers[-1]
        until = self._clock.now() - timedelta(days=what.days - _SEALED_WITHIN_DAYS)

        def work(connection: Connection) -> None:
            connection.execute(delete(what.table).where(what.table.c.id.between(first, last)))
            if what.remembered_as:
                _remember(connection, what.remembered_as, until)

        self._store.write(work, timeout_seconds=WRITE_SECONDS)
        return len(numbers)

    def _old(self, connection: Connection, what: Kept) -> list[int]:
        """The first rows, as far as they are older than they are kept: no more is looked at.

        The newest row stays however old it is: SQLite would give its number to the next one.
        """
        before = self._clock.now() - timedelta(days=what.days)
        rows = connection.execute(
            select(what.table.c.id, what.moment).order_by(what.table.c.id).limit(ROWS_PER_WRITE + 1)
        ).all()
        old: list[int] = []
        for number, moment in rows[:-1]:
            if moment >= before:
                break
            old.append(number)
        return old


def _remember(connection: Connection, key: str, until: datetime) -> None:
    """The latest end counts: what was let go of while less was kept stays gone when more is."""
    known = _remembered(connection, key)
    if known is None or known < until:
        set_meta(connection, key, format_time(until))


def _remembered(connection: Connection, key: str) -> datetime | None:
    """What is no moment, because somebody wrote it, is nothing."""
    try:
        return parse_time(get_meta(connection, key) or "")
    except ValueError:
        return None
