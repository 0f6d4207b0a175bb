"""A clock that tests turn."""

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class TurnedClock:
    """Stands still until it is turned. The wall can be set back, the monotonic side cannot."""

    def __init__(self, start: datetime = START) -> None:
        self._wall = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._wall

    def wall_ns(self) -> int:
        return int(self._wall.timestamp()) * 1_000_000_000 + self._wall.microsecond * 1000

    def monotonic(self) -> float:
        return self._monotonic

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        if event.is_set():
            return True
        self.advance(max(0.0, timeout_seconds))
        return event.is_set()

    def advance(self, seconds: float) -> None:
        self._wall += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set_wall(self, moment: datetime) -> None:
        self._wall = moment
