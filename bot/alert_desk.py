"""Keeps the list of alerts: one row from when a cause begins until it has cleared, written when that changes."""

import logging

from sqlalchemy import Connection

from bot.diagnostics.alert_causes import causes
from bot.diagnostics.audit import patience_of
from bot.domain.errors import NijaError
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

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._due_at = clock.monotonic() + EVERY_SECONDS
        self._problem = ""
        self._missing = MissingAnswers()

    def turn(self) -> None:
        """Look, when it is time to."""
        if self._clock.monotonic() < self._due_at:
            return
        self._due_at = self._clock.monotonic() + EVERY_SECONDS
        try:
            self.look()
            self._problem = ""
        except NijaError as error:
            if str(error) != self._problem:
                log.warning("alerts cannot be written down now: %s", error)
            self._problem = str(error)

    def look(self) -> None:
        """Compare what holds with what is written. Raises `StoreUnavailable`."""
        now = self._clock.now()
        with self._store.read() as connection:
            missing = self._missing.count(connection, patience_of(self._settings, connection, now))
            holding = {one.key: one for one in causes(connection, self._settings, now, missing=missing)}
            known = alerts.open_alerts(connection)
        begun = [one for key, one in holding.items() if key not in known]
        renewed = [(known[key].id, one) for key, one in holding.items() if key in known and known[key].text != one.text]
        over = [row.id for key, row in known.items() if key not in holding]
        if not begun and not renewed and not over:
            return

        def work(connection: Connection) -> None:
            for one in begun:
                alerts.begin_alert(connection, one, now=now)
            for alert_id, one in renewed:
                alerts.renew_alert(connection, alert_id, one, now=now)
            if over:
                alerts.clear_alerts(connection, over, now=now)

        self._store.write(work, timeout_seconds=WRITE_SECONDS)
        for one in begun:
            _say(one)


def _say(one: AlertNow) -> None:
    level = logging.CRITICAL if one.severity == "critical" else logging.WARNING
    log.log(level, "ALERT %s %s: %s", one.cause, one.subject, one.text)
