"""Whether the master that users copy can trade. Users whose master is down go on with their own exits, and say so."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from bot.domain.account import AccountRef
from bot.domain.health import AccountHealth, Phase
from bot.execution.account_status import AccountStatus
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

LATE_AFTER_CYCLES = 2
# Where cycles follow each other within seconds a machine under load is late without being down.
LEAST_GRACE_SECONDS = 10.0
# These pass by themselves more often than not: an account in one of them is down only when it stays there.
_PASSING = frozenset({Phase.NEW, Phase.STARTING, Phase.RECOVERING, Phase.DEGRADED})


class MasterWatch:
    """`statuses` are those of all accounts; `period_seconds` is that of a cycle.

    `elsewhere` is asked for the health of a master that another process holds; None = this one holds it.
    """

    def __init__(
        self,
        *,
        statuses: Mapping[AccountRef, AccountStatus],
        clock: Clock,
        period_seconds: float,
        elsewhere: Callable[[AccountRef], AccountHealth | None] = lambda _account: None,
    ) -> None:
        self._statuses = statuses
        self._elsewhere = elsewhere
        self._clock = clock
        self._grace = timedelta(seconds=max(LATE_AFTER_CYCLES * period_seconds, LEAST_GRACE_SECONDS))
        self._waiting: set[AccountRef] = set()

    def waited_for(self, user: AccountRef) -> str:
        """`waiting for master since …` with what is wrong, or an empty text; logged when it begins and ends.

        For a user's own thread, at the end of its cycle.
        """
        text = self._sentence(user)
        if text and user not in self._waiting:
            self._waiting.add(user)
            log.warning("%s: %s; its own exits go on", user.label, text)
        elif not text and user in self._waiting:
            self._waiting.discard(user)
            log.info("%s: its master trades again", user.label)
        return text

    def _sentence(self, user: AccountRef) -> str:
        account = AccountRef.master(user.broker)
        master = self._statuses.get(account)
        if master is None:
            return f"waiting for a master: none is switched on at {user.broker}"
        down = self._down(self._elsewhere(account) or master.health)
        if down is None:
            return ""
        since, why = down
        return f"waiting for master since {since:%Y-%m-%d %H:%M:%S} UTC: {user.broker} {why}"

    def _down(self, health: AccountHealth) -> tuple[datetime, str] | None:
        """Since when the master does not trade, and what it says of itself; None while it does."""
        now = self._clock.now()
        since = health.not_ready_since
        if since is None:
            last = health.last_cycle_at
            if last is None or now - last <= self._grace:
                return None
            return last, f"has ended no cycle for {(now - last).total_seconds():.0f} s"
        if health.phase in _PASSING and now - since <= self._grace:
            return None
        return since, f"is {health.phase}: {health.reason}" if health.reason else f"is {health.phase}"
