"""Something every account of a brokerage needs and one of them may read for all: the list of markets."""

import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from bot.domain.errors import NijaError, RetryLater, VenueError
from bot.seams.clock import Clock

T = TypeVar("T")


class SharedReading(Generic[T]):
    """One immutable value per key (a base URL), read again after `max_age_seconds`.

    Concurrent askers wait for one reader, but not longer than `wait_seconds`. When a new reading fails the old one is
    given for as long as it is younger than `last_resort_seconds`. No more than one reading in `retry_seconds` begins
    because of a failure or a doubt.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        max_age_seconds: float = 86_400.0,
        last_resort_seconds: float = 7 * 86_400.0,
        retry_seconds: float = 60.0,
        wait_seconds: float = 15.0,
    ) -> None:
        self._clock = clock
        self._max_age_seconds = max_age_seconds
        self._last_resort_seconds = last_resort_seconds
        self._retry_seconds = retry_seconds
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot[T]] = {}

    def get(self, key: str, read: Callable[[], T]) -> T:
        """The value of `key`, from `read` if there is none or it is too old. Raises what `read` raises."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        if slot.value is not None and self._clock.monotonic() < slot.read_again_at:
            return slot.value
        if not slot.reading.acquire(timeout=self._wait_seconds):
            if slot.value is not None:
                return slot.value
            raise RetryLater("another account is still reading the list of markets")
        try:
            return self._read(slot, read)
        finally:
            slot.reading.release()

    def known(self, key: str) -> T | None:
        """The value of `key` as it was last read, however old; None if it never was."""
        with self._lock:
            slot = self._slots.get(key)
        return None if slot is None else slot.value

    def amend(self, key: str, change: Callable[[T], T]) -> None:
        """Put a newer word of the venue into the value; it is read again when it would have been.

        Nothing happens while there is no value, or when `change` gives it back as it is.
        """
        with self._lock:
            slot = self._slots.get(key)
            if slot is not None and slot.value is not None:
                slot.value = change(slot.value)

    def renew(self, key: str, read: Callable[[], T]) -> None:
        """The value has turned out to be wrong: read it now, or when the last reading is `retry_seconds` ago.

        A reading that fails leaves the old value; it is tried again by those who ask later.
        """
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        earliest = max(self._clock.monotonic(), slot.tried_at + self._retry_seconds)
        slot.read_again_at = min(slot.read_again_at, earliest)
        with contextlib.suppress(NijaError):
            self.get(key, read)

    def _read(self, slot: "_Slot[T]", read: Callable[[], T]) -> T:
        now = self._clock.monotonic()
        if slot.value is not None and now < slot.read_again_at:
            return slot.value
        slot.tried_at = now
        try:
            value = read()
            with self._lock:
                slot.value = value
        except VenueError:
            if slot.value is None or now - slot.read_at > self._last_resort_seconds:
                raise
            slot.read_again_at = now + self._retry_seconds
            return slot.value
        slot.read_at = now
        slot.read_again_at = now + self._max_age_seconds
        return slot.value


class _Slot(Generic[T]):
    def __init__(self) -> None:
        self.value: T | None = None
        self.read_at = 0.0
        self.tried_at = float("-inf")
        self.read_again_at = 0.0
        self.reading = threading.Lock()
