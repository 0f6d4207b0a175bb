"""The venue's time, carried on by the monotonic clock: a step of this machine's clock does not move it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain.errors import VenueError
from bot.seams.clock import Clock

RETRY_SECONDS = 60.0
PARTED = timedelta(seconds=2)


class VenueClock:
    """Keeps one measured venue time. Until there is one, the machine's clock has to do."""

    def __init__(self, clock: Clock, *, max_age_seconds: float = 600.0) -> None:
        self._clock = clock
        self._max_age_seconds = max_age_seconds
        self._measured: tuple[datetime, float] | None = None
        self._postponed_until = 0.0
        self._ahead = timedelta(0)
        self._doubted = False

    def measured(self, venue_now: datetime) -> None:
        """What the venue just answered. Its age in transit makes us late by that much, never early."""
        self._measured = (venue_now, self._clock.monotonic())
        self._ahead = self.ahead_of_machine()
        self._doubted = False

    def doubt(self) -> None:
        """The venue found our idea of its time wrong: measure before the next use."""
        self._doubted = True

    def keep(self, measure: Callable[[], datetime]) -> None:
        """Measure if it is time. A time that can't be read leaves the last one in use for a while longer."""
        if not self.needs_measuring:
            return
        try:
            self.measured(measure())
        except VenueError:
            self.postpone(RETRY_SECONDS)

    def postpone(self, seconds: float) -> None:
        """The venue did not tell its time: do not ask again for so long."""
        self._postponed_until = self._clock.monotonic() + seconds

    @property
    def is_measured(self) -> bool:
        return self._measured is not None

    @property
    def is_trusted(self) -> bool:
        """Whether it was measured and nothing speaks against it, however long ago; any thread may ask."""
        return self.is_measured and not self._doubted and not self._clocks_parted()

    @property
    def needs_measuring(self) -> bool:
        """Whether there is no measurement, an old one or a doubtful one, and it is not postponed."""
        now = self._clock.monotonic()
        fresh = self._measured is not None and now - self._measured[1] <= self._max_age_seconds
        if fresh and not self._doubted and not self._clocks_parted():
            return False
        return now >= self._postponed_until

    def _clocks_parted(self) -> bool:
        """The machine slept (its monotonic clock stands still then) or its wall clock was set: one of the two lies."""
        return abs(self.ahead_of_machine() - self._ahead) > PARTED

    def now(self) -> datetime:
        if self._measured is None:
            return self._clock.now()
        venue_now, at = self._measured
        return venue_now + timedelta(seconds=self._clock.monotonic() - at)

    def not_after(self, noted_at: datetime) -> datetime:
        """No later than the venue's time at a moment that this machine's clock noted, however that clock was set."""
        return min(noted_at, noted_at + self.ahead_of_machine(), self.now())

    def ahead_of_machine(self) -> timedelta:
        """How far the venue's clock is ahead of this machine's; zero while unmeasured."""
        return self.now() - self._clock.now()
