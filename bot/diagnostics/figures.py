"""Reads, for the scrapes and the summary of a running bot, what its store says is open."""

import logging
import math
import shutil
from collections import Counter
from collections.abc import Sequence

from bot.diagnostics.alert_causes import CAUSES
from bot.diagnostics.attention import attention
from bot.diagnostics.audit import patience_of
from bot.domain.errors import StoreUnavailable
from bot.observability.store_figures import StoreFigures
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.storage.alerts import open_alerts
from bot.storage.debts import OwedNow, owed_now
from bot.storage.missing_answers import MissingAnswers
from bot.storage.notifications import count_waiting
from bot.storage.place import DATABASE_FILE
from bot.storage.store import Store

log = logging.getLogger(__name__)


class OpenMatters:
    """Every reading has a connection of its own, which the writer never waits for."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._missing = MissingAnswers()

    def figures(self) -> StoreFigures:
        """What a scrape shows; not numbers when the store cannot be read."""
        try:
            with self._store.read() as connection:
                patience = patience_of(self._settings, connection, self._clock.now())
                missing, owed = self._missing.count(connection, patience), owed_now(connection)
                alerts, waiting = Counter(cause for cause, _ in open_alerts(connection)), count_waiting(connection)
        except StoreUnavailable as error:
            log.warning("figures of the store could not be read: %s", error)
            return StoreFigures(disk_free_bytes=self._free_bytes())
        return StoreFigures(
            answers_missing=missing,
            orders_unresolved=owed.unresolved,
            orders_needing_person=owed.needing_person,
            exit_debts=dict(owed.exits),
            exit_debt_oldest_seconds=self._ages(owed),
            alerts={cause: float(alerts[cause]) for cause in CAUSES},
            notifications_waiting=waiting,
            store_bytes=self._store_bytes(),
            disk_free_bytes=self._free_bytes(),
        )

    def _store_bytes(self) -> float:
        """Of the database and of what SQLite keeps beside it."""
        if self._settings.database_url is not None:
            return math.nan
        files = [self._settings.state_dir / f"{DATABASE_FILE}{end}" for end in ("", "-wal", "-shm")]
        try:
            return float(sum(file.stat().st_size for file in files if file.exists()))
        except OSError:
            return math.nan  # one went while it was looked at

    def _free_bytes(self) -> float:
        try:
            return float(shutil.disk_usage(self._settings.state_dir).free)
        except OSError:
            return math.nan

    def lines(self) -> Sequence[str]:
        """What the summary in the log says besides the accounts. Raises `StoreUnavailable`."""
        with self._store.read() as connection:
            return attention(connection, self._clock.now())

    def _ages(self, owed: OwedNow) -> dict[str, float]:
        now = self._clock.now()
        ages = {broker: max(0.0, (now - oldest).total_seconds()) for broker, oldest in owed.oldest.items()}
        return {broker: ages.get(broker, 0.0) for broker in owed.exits}
