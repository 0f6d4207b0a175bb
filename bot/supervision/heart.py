"""What a thread is doing, and by when it wants to be doing something else.

A heart beats at every change of step and at no other time: it proves progress, which a timer beside the thread would
not. Code that may take long says so with `beat` or `during`; in a thread that nobody watches both do nothing.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bot.domain.errors import Fenced
from bot.seams.clock import Clock

STEP_SECONDS = 30.0
# What a call bounded by itself may take beyond its bound, before its thread counts as late.
SLACK_SECONDS = 5.0
_of_this_thread = threading.local()


class Beat(NamedTuple):
    """One step. Times are seconds of the monotonic clock; `number` tells two beats apart."""

    step: str
    since: float
    due_at: float
    number: int


class Heart:
    """The last beat of one thread, which alone beats it. Any thread may read `last`, without a lock.

    `step_seconds` is the budget of a step that names none.
    """

    def __init__(self, clock: Clock, *, step_seconds: float = STEP_SECONDS) -> None:
        self.clock = clock
        self.step_seconds = step_seconds
        self._barred = ""
        self.last = Beat("starting", clock.monotonic(), clock.monotonic() + step_seconds, 0)

    def beat(self, step: str, within_seconds: float | None = None) -> None:
        """The thread begins `step` and means to beat again within so many seconds (default: a step's budget).

        Raises `Fenced` once the thread was given up: whoever wakes up late ends here.
        """
        if self._barred:
            raise Fenced(self._barred)
        self._renew(step, self.step_seconds if within_seconds is None else within_seconds)

    def back_to(self, earlier: Beat) -> None:
        """A step inside another one is over, and the outer one has its whole budget again. Does not raise."""
        self._renew(earlier.step, earlier.due_at - earlier.since)

    def bar(self, reason: str) -> None:
        """Every later beat raises `Fenced` with this reason; for another thread to call."""
        self._barred = reason

    def age_seconds(self) -> float:
        """Since the last beat."""
        return max(0.0, self.clock.monotonic() - self.last.since)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Within the block `beat` and `during` of this thread mean this heart."""
        outer = _heart()
        _of_this_thread.heart = self
        try:
            yield
        finally:
            _of_this_thread.heart = outer

    def _renew(self, step: str, within_seconds: float) -> None:
        now = self.clock.monotonic()
        self.last = Beat(step, now, now + within_seconds, self.last.number + 1)


def beat(step: str, within_seconds: float | None = None) -> None:
    """See `Heart.beat`; nothing in a thread without a heart."""
    heart = _heart()
    if heart is not None:
        heart.beat(step, within_seconds)


@contextmanager
def during(step: str, within_seconds: float) -> Iterator[None]:
    """A step inside another one, bounded by itself: its thread is late `SLACK_SECONDS` after `within_seconds`."""
    heart = _heart()
    if heart is None:
        yield
        return
    outer = heart.last
    heart.beat(step, within_seconds + SLACK_SECONDS)
    try:
        yield
    finally:
        heart.back_to(outer)


def _heart() -> Heart | None:
    heart: Heart | None = getattr(_of_this_thread, "heart", None)
    return heart
