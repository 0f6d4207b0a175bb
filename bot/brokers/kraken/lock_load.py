"""Whether one private call at a time is still enough for the accounts there are."""

import logging
import statistics
import threading
from collections import deque

from bot.brokers.kraken.private_call_lock import LockUse
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

REMEMBERED_HOLDS = 200
# A median of fewer says nothing.
LEAST_HOLDS = 20
ACCOUNT_SECONDS = 600.0
LOOK_EVERY_HOLDS = 20
# A user needs several calls to answer a signal: one round of all accounts may take this part of a signal's life.
ROUND_PART = 1 / 3


class LockLoad:
    """Told of every hold; warns once when all accounts, one after the other, would outlast a signal.

    One round is the number of accounts times the median hold. `max_signal_age_seconds` is the setting of that name.
    """

    def __init__(self, clock: Clock, *, max_signal_age_seconds: float) -> None:
        self._clock = clock
        self._longest_round = max_signal_age_seconds * ROUND_PART
        self._mutex = threading.Lock()
        self._holds: deque[float] = deque(maxlen=REMEMBERED_HOLDS)
        self._seen: dict[str, float] = {}
        self._uses = 0
        self._warned = False

    def used(self, use: LockUse) -> None:
        """One hold has ended. Cheap: it looks at the whole only now and then."""
        with self._mutex:
            self._holds.append(use.hold_seconds)
            self._seen[use.key] = self._clock.monotonic()
            self._uses += 1
            due = self._uses % LOOK_EVERY_HOLDS == 0 and not self._warned
        if due:
            self._look()

    def round_seconds(self) -> float:
        """How long one call of every account takes, one after the other; 0 while too little is known."""
        with self._mutex:
            now = self._clock.monotonic()
            self._seen = {key: at for key, at in self._seen.items() if now - at <= ACCOUNT_SECONDS}
            if len(self._holds) < LEAST_HOLDS:
                return 0.0
            return len(self._seen) * statistics.median(self._holds)

    def _look(self) -> None:
        seconds = self.round_seconds()
        if seconds <= self._longest_round:
            return
        with self._mutex:
            if self._warned:
                return
            self._warned = True
            accounts, hold = len(self._seen), statistics.median(self._holds)
        log.warning(
            "%d accounts share Kraken's private call lock and hold it for %.2f s: one round takes %.1f s, and copies"
            " will come late. Set kraken.private_call_lock to per_key",
            accounts,
            hold,
            seconds,
        )
