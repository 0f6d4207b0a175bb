"""Keeps the list of alerts: one row from when a cause begins until it has cleared, written when that changes.

What people outside are to be told of it is written in the same transaction: neither can be there without the other.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from bot.diagnostics.alert_causes import causes
from bot.diagnostics.audit import patience_of
from bot.domain.errors import NijaError
from bot.notifications.announcing import Announcer
from bot.notifications.events import Events
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.storage import alerts
from bot.storage.alerts import AlertNow
from bot.storage.missing_answers import MissingAnswers
from bot.storage.store import Store

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
WRITE_SECONDS = 2.0


class AlertDesk:
    """`turn` is called about once a second by the thread that looks after the process, and does not raise."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        *,
        announcer: Announcer | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """`leads`: whether this process is the one of many on a database that looks."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self._due_at = clock.monotonic() + EVERY_SECONDS
        self._problem = ""
        self._missing = MissingAnswers()
        self._announcer = announcer or Announcer()
        self._leads = leads
        self._events = Events(one_process=settings.scaling.mode == "one")

    def turn(self) -> None:
        """Look, when it is time to."""
        if self._clock.monotonic() < self._due_at:
            return
        self._due_at = self._clock.monotonic() + EVERY_SECONDS
        try:
            if self._leads():
                self.look()
            self._problem = ""
        except NijaError as error:
            if str(error) != self._problem:
                log.warning("alerts cannot be written down now: %s", error)
            self._problem = str(error)
        except Exception as error:
            # A defect in what people are told must not end what looks after the process, and with it the trading.
            if repr(error) != self._problem:
                log.exception("alerts cannot be looked at now")
            self._problem = repr(error)

    def look(self) -> None:
        """Compare what holds with what is written. Raises `StoreUnavailable`."""
        now = self._clock.now()
        with self._store.read() as connection:
            changes = self._changes(connection, now)
            events = self._events.read(connection, now)
            if changes.any or events:
                self._write(changes, events, now)
            # By the same view of the store: what came since is read next time.
            self._events.noted(connection)
        for one in changes.begun:
            _say(one)
        for one in events:
            level = logging.INFO if one.severity == "info" else logging.WARNING
            log.log(level, "EVENT %s %s: %s", one.cause, one.subject, one.text)

    def _changes(self, connection: Connection, now: datetime) -> "_Changes":
        missing = self._missing.count(connection, patience_of(self._settings, connection, now))
        holding = {one.key: one for one in causes(connection, self._settings, now, missing=missing)}
        known = alerts.open_alerts(connection)
        return _Changes(
            begun=[one for key, one in holding.items() if key not in known],
            renewed=[
                (known[key], one)
                for key, one in holding.items()
                if key in known and (known[key].text, known[key].severity) != (one.text, one.severity)
            ],
            over=[row for key, row in known.items() if key not in holding],
        )

    def _write(self, changes: "_Changes", events: Sequence[AlertNow], now: datetime) -> None:
        def work(connection: Connection) -> None:
            for one in changes.begun:
                alerts.begin_alert(connection, one, now=now)
                self._announcer.begun(connection, one, now=now)
            for row, one in changes.renewed:
                alerts.renew_alert(connection, row.id, one, now=now)
                self._announcer.renewed(connection, row, one, now=now)
            for row in changes.over:
                self._announcer.over(connection, row, now=now)
            alerts.clear_alerts(connection, [row.id for row in changes.over], now=now)
            for one in events:
                self._announcer.begun(connection, one, now=now)

        self._store.write(work, timeout_seconds=WRITE_SECONDS)


@dataclass(frozen=True)
class _Changes:
    """What holds now against what is written down."""

    begun: Sequence[AlertNow] = field(default_factory=list)
    renewed: Sequence[tuple[Row[Any], AlertNow]] = field(default_factory=list)
    over: Sequence[Row[Any]] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(self.begun or self.renewed or self.over)


def _say(one: AlertNow) -> None:
    level = logging.CRITICAL if one.severity == "critical" else logging.WARNING
    log.log(level, "ALERT %s %s: %s", one.cause, one.subject, one.text)
