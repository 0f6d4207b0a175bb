"""Watches the store while the bot runs: beats, says aloud when nothing can be written down, keeps the marker near."""

import logging

from sqlalchemy import Connection, select

from bot.domain.errors import StoreUnavailable
from bot.domain.order import FINAL_STATES, OrderKind
from bot.domain.signal import CopyStatus
from bot.seams.clock import Clock
from bot.storage import process
from bot.storage.installation import Installation
from bot.storage.schema import copy_result, order_intent, signal
from bot.storage.store import Store
from bot.storage.waiting_stops import IS_WAITING_STOP

log = logging.getLogger(__name__)

MARK_SECONDS = 60.0
ALARM_SECONDS = 60.0
NAMED = 20


class StoreWatch:
    """Belongs to the main thread, which calls `beat` about once a second."""

    def __init__(self, store: Store, installation: Installation, clock: Clock) -> None:
        self._store = store
        self._installation = installation
        self._clock = clock
        self._mark_at = clock.monotonic() + MARK_SECONDS
        self._failing_since: float | None = None
        self._alarm_at = 0.0

    def beat(self) -> str:
        """Write the heartbeat. Returns a sentence when the database itself is gone, which only a person can undo."""
        try:
            self._store.write(lambda connection: process.beat(connection, now=self._clock.now()))
        except StoreUnavailable as error:
            lost = self._store.lost()
            if not lost:
                self._alarm(error)
            return lost
        self._all_clear()
        if self._clock.monotonic() >= self._mark_at:
            self.mark()
        return ""

    def problem(self) -> str:
        """Why nothing can be written down; empty while the database takes writes."""
        return "" if self._failing_since is None else "nothing can be written down"

    def mark(self) -> None:
        """Bring the marker up to the database; one that cannot be written is tried again in a minute."""
        self._mark_at = self._clock.monotonic() + MARK_SECONDS
        if self._store.lost():
            return
        try:
            with self._store.read() as connection:
                self._installation.mark(connection)
        except (OSError, StoreUnavailable) as error:
            log.error("the marker beside the database was not written: %s", error)

    def _alarm(self, error: StoreUnavailable) -> None:
        """Once when it begins, then at intervals: a page nobody reads is none."""
        now = self._clock.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        elif now < self._alarm_at:
            return
        self._alarm_at = now + ALARM_SECONDS
        log.critical(
            "NOTHING CAN BE WRITTEN DOWN for %.0f s (%s). No order leaves, no exit either. %s. It goes on by itself as "
            "soon as the database takes writes",
            now - self._failing_since,
            error,
            self._waiting(),
        )

    def _all_clear(self) -> None:
        if self._failing_since is None:
            return
        seconds = self._clock.monotonic() - self._failing_since
        self._failing_since = None
        log.warning("The database takes writes again, after %.0f s. Trading goes on", seconds)

    def _waiting(self) -> str:
        try:
            with self._store.read() as connection:
                exits = waiting_exits(connection)
        except StoreUnavailable as error:
            return f"Which exits wait cannot be read ({error})"
        if not exits:
            return "No exit that is written down waits; a sale that a master makes meanwhile is copied afterwards"
        more = f" and {len(exits) - NAMED} more" if len(exits) > NAMED else ""
        return f"Waiting exits: {', '.join(exits[:NAMED])}{more}"


def waiting_exits(connection: Connection) -> list[str]:
    """Exits that are owed, as `account symbol`: copies without an answer, and orders without an end."""
    copied = (
        select(copy_result.c.account_id, signal.c.symbol)
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .where(copy_result.c.status == str(CopyStatus.PLANNED), signal.c.kind == str(OrderKind.EXIT))
    )
    own = select(order_intent.c.account_id, order_intent.c.symbol).where(
        order_intent.c.kind == str(OrderKind.EXIT),
        order_intent.c.state.not_in([str(state) for state in FINAL_STATES]),
        ~IS_WAITING_STOP,
    )
    return sorted({f"{row.account_id} {row.symbol}" for query in (copied, own) for row in connection.execute(query)})
