"""The row of this start: written with the lease in hand, settled after a while, ended at a clean end.

After too many starts in a row that crashed, entries are off (safe mode): a program that dies again and again while it
trades must not go on opening positions, and one that does not run at all looks after none of those it has.
"""

import logging

from sqlalchemy import Connection

from bot.build import build_of
from bot.domain.errors import StoreUnavailable
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.storage import boots
from bot.storage.store import Store

log = logging.getLogger(__name__)

WRITE_SECONDS = 2.0
# On paper a bot is killed and started for practice, and nothing can be lost by going on.
PAPER_SETTLED_SECONDS = 5.0


class BootRecord:
    """`begin` once, `turn` about once a second, `end` once."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._number = 0
        self._settles_at = float("inf")

    def begin(self) -> None:
        """Write the start down, and enter safe mode if those before it crashed. Raises `StoreUnavailable`."""
        build = build_of(self._settings)
        self._number = self._store.write(lambda connection: self._begin(connection, build))
        self._settles_at = self._clock.monotonic() + self._settled_seconds()

    def _settled_seconds(self) -> float:
        seconds = self._settings.supervision.boot_settled_seconds
        return seconds if self._settings.trading_mode == "live" else min(seconds, PAPER_SETTLED_SECONDS)

    def turn(self) -> None:
        """Say that it has settled, when it has. A store that cannot be written is tried again."""
        if self._clock.monotonic() < self._settles_at:
            return
        now = self._clock.now()
        try:
            self._store.write(
                lambda connection: boots.settle_boot(connection, self._number, now=now), timeout_seconds=WRITE_SECONDS
            )
        except StoreUnavailable as error:
            log.warning("that this start has settled cannot be written down yet: %s", error)
            self._settles_at += WRITE_SECONDS
            return
        self._settles_at = float("inf")

    def was_stopped(self) -> None:
        """Somebody wants it to end, and may not wait for that: the start was good for so long as it was wanted."""
        if self._settles_at < float("inf"):
            self._settles_at = self._clock.monotonic()
            self.turn()

    def end(self, exit_code: int, detail: str) -> None:
        """Write how it ended; where that cannot be written, the next start takes it for a crash."""
        now = self._clock.now()
        try:
            self._store.write(
                lambda connection: boots.end_boot(
                    connection, self._number, exit_code=exit_code, detail=detail, now=now
                ),
                timeout_seconds=WRITE_SECONDS,
            )
        except StoreUnavailable as error:
            log.error("how this start ended was not written: %s", error)

    def _begin(self, connection: Connection, build: dict[str, str]) -> int:
        now, most = self._clock.now(), self._settings.supervision.crashed_boots
        # Of many processes that share the accounts the crashes of one are no reason to stop the others.
        if most and self._settings.scaling.mode == "one":
            crashed = boots.crashed_in_a_row(connection)
            if len(crashed) >= most:
                first_at = crashed[-1].started_at
                boots.enter_safe_mode(connection, crashed=len(crashed), first_at=first_at, now=now)
        return boots.begin_boot(connection, now=now, **build)
