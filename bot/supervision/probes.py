"""Whether what all threads share still works: a lock whose owner hangs is found by trying to take it."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bot.seams.clock import Clock

# What is tried so long is not slow any more, it is broken.
BROKEN_AFTER_SECONDS = 20.0
TRY_SECONDS = 0.1


class TimedLock(Protocol):
    """As much of a lock as a probe needs."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool: ...

    def release(self) -> None: ...


@dataclass(frozen=True)
class Probe:
    """`works` answers within a fraction of a second."""

    name: str
    works: Callable[[], bool]


def lock_probe(name: str, lock: TimedLock) -> Probe:
    """Whether somebody else can take the lock."""
    return Probe(name, lambda: is_free(lock))


def is_free(lock: TimedLock) -> bool:
    """Whether the lock can be taken within a fraction of a second."""
    if not lock.acquire(timeout=TRY_SECONDS):
        return False
    lock.release()
    return True


def logging_probes() -> list[Probe]:
    """One per handler of the root logger: a thread lost inside one would stop everybody at their next line."""
    found = []
    for handler in logging.getLogger().handlers:
        lock: Any = handler.lock
        if isinstance(lock, type(threading.RLock())):
            found.append(lock_probe(f"the log ({type(handler).__name__})", lock))
    return found


class Probes:
    """Tries all of them; one that fails for long is broken."""

    def __init__(self, probes: Sequence[Probe], clock: Clock) -> None:
        self._probes = tuple(probes)
        self._clock = clock
        self._failing_since: dict[str, float] = {}

    def add(self, probes: Sequence[Probe]) -> None:
        self._probes += tuple(probes)

    @property
    def failing(self) -> bool:
        """Whether one of them did not work at the last try."""
        return bool(self._failing_since)

    def step(self) -> str:
        """A sentence about the first that is broken, or an empty text."""
        now = self._clock.monotonic()
        for probe in self._probes:
            if probe.works():
                self._failing_since.pop(probe.name, None)
            elif now - self._failing_since.setdefault(probe.name, now) >= BROKEN_AFTER_SECONDS:
                return f"{probe.name} has not been free for {now - self._failing_since[probe.name]:.0f} s"
        return ""
