"""A clock that is turned by hand."""

import threading
from datetime import UTC, datetime


class HandClock:
    """Wall and monotonic time are `seconds`; waiting turns it."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def wall_ns(self) -> int:
        return int(self.seconds * 1e9)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        self.seconds += timeout_seconds
        return event.is_set()
