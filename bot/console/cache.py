"""A value that is worked out at most so often, whoever asks."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from bot.seams.clock import Clock

T = TypeVar("T")


class Cached(Generic[T]):
    """Several threads may ask at once: one works, the others wait for it."""

    def __init__(self, clock: Clock, seconds: float, read: Callable[[], T]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._read = read
        self._lock = threading.Lock()
        self._value: tuple[float, T] | None = None

    def value(self) -> T:
        """At most so many seconds old. Raises what reading raises; then the next who asks tries again."""
        with self._lock:
            now = self._clock.monotonic()
            if self._value is None or now - self._value[0] >= self._seconds:
                self._value = (now, self._read())
            return self._value[1]
