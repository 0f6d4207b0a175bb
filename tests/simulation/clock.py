"""The world's clock: it moves by steps of the world, by waits, and a little with every call."""

from collections.abc import Callable
from datetime import datetime, timedelta

from tests.memory_broker import START, TestClock


class WorldClock(TestClock):
    """`on_move` runs after each move, so that what was due at the venue happens first."""

    def __init__(self) -> None:
        super().__init__()
        self.on_move: Callable[[], None] = lambda: None

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_move()

    def at(self, seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    def wait(self, event: object, timeout_seconds: float) -> bool:
        self.advance(max(0.0, timeout_seconds))
        return False
