"""The exchange's clock: the only place in this program that reads the time of the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

NANOSECONDS_PER_SECOND = 1_000_000_000


class Clock(Protocol):
    """Time as integer nanoseconds since 1970-01-01 UTC."""

    def now_ns(self) -> int: ...

    def advance_seconds(self, seconds: float) -> None:
        """Be this much later from now on."""


class SystemClock:
    """The machine's time, but never going backwards.

    Clients compare their nonces, deadlines and token lifetimes with it, so it follows the machine. When the machine's
    clock is set back, it goes on at the speed of the monotonic clock instead of freezing or repeating.
    """

    def __init__(self, *, not_before_ns: int = 0) -> None:
        self._wall_anchor = max(time.time_ns(), not_before_ns)
        self._monotonic_anchor = time.monotonic_ns()
        self._ahead_ns = 0

    def advance_seconds(self, seconds: float) -> None:
        """Run ahead of the machine by this much more: an operator need not wait for what time alone brings about."""
        more_ns = round(seconds * NANOSECONDS_PER_SECOND)
        self._ahead_ns += more_ns
        self._wall_anchor += more_ns

    def now_ns(self) -> int:
        steady = self._wall_anchor + time.monotonic_ns() - self._monotonic_anchor
        wall = time.time_ns() + self._ahead_ns
        if wall <= steady:
            return steady
        self._wall_anchor, self._monotonic_anchor = wall, time.monotonic_ns()
        return wall


def steady_seconds() -> float:
    """Seconds that only rise, for deadlines and for measuring how long something took."""
    return time.monotonic()


def pause_seconds(seconds: float) -> None:
    """Block this thread; only for start and end of the process, never while it serves."""
    time.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to; for tests and for pure replays."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance_seconds(self, seconds: float) -> None:
        self._now_ns += round(seconds * NANOSECONDS_PER_SECOND)


def rfc3339(time_ns: int) -> str:
    """Microsecond UTC text, as in ``2026-01-01T00:00:00.000000Z``."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS_PER_SECOND)
    return f"{_whole_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=1024)
def _whole_second(seconds: int) -> str:
    """Times of one second come in crowds, so their common text is kept."""
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}"


def parse_rfc3339(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time with a zone; raises ValueError for anything else."""
    stamp = datetime.fromisoformat(text.strip())
    if stamp.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    whole = int(stamp.replace(microsecond=0).timestamp())
    return whole * NANOSECONDS_PER_SECOND + stamp.microsecond * 1000
