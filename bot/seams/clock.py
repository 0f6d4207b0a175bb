"""Time. Nothing else in the bot reads a clock or sleeps; a lint says so."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time for records and venues, monotonic time for ages and deadlines."""

    def now(self) -> datetime:
        """The wall clock, as an aware UTC time."""

    def wall_ns(self) -> int:
        """The wall clock in nanoseconds since 1970 (UTC). May step back."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        """Wait until `event` is set or the time is over; True if it was set."""


class SystemClock:
    """The machine's clock, shifted by `offset_seconds` (drills set it; it is 0 otherwise)."""

    def __init__(self, *, offset_seconds: float = 0.0) -> None:
        self._offset_ns = round(offset_seconds * 1_000_000_000)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(microseconds=self._offset_ns / 1000)

    def wall_ns(self) -> int:
        return time.time_ns() + self._offset_ns

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        return event.wait(max(0.0, timeout_seconds))


async def pause(seconds: float) -> None:
    """Let the rest of an event loop work for so long."""
    await asyncio.sleep(seconds)


def format_time(moment: datetime) -> str:
    """UTC text with microseconds, `2026-01-31T12:00:00.000000Z`: sorts as text in time order."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone has no meaning here")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The reverse of `format_time`; also accepts other ISO 8601 forms with a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return moment.astimezone(UTC)


def from_unix_seconds(seconds: float) -> datetime:
    """A venue's unix time as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)
