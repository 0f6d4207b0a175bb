"""The world's clock: it moves by steps of the world, by waits, and a little with every call."""

from collections.abc import Callable
from datetime import datetime, timedelta

from tests.memory_broker import START, TestClock


class WorldClock(TestClock):
    """`seconds` is the true time, the monotonic clock's and the venue's; the wall clock may be set away from it.

    `on_move` runs after each move, so that what was due at the venue happens first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_move: Callable[[], None] = lambda: None
        self.set_off = 0.0
        self.furthest_back = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds + self.set_off)

    def set_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock to so many seconds from the true time."""
        self.set_off = seconds
        self.furthest_back = min(self.furthest_back, seconds)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_move()

    def at(self, seconds: float) -> datetime:
        """A moment of the true time."""
        return START + timedelta(seconds=seconds)

    def wait(self, event: object, timeout_seconds: float) -> bool:
        self.advance(max(0.0, timeout_seconds))
        return False
