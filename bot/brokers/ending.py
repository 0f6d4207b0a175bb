"""The bot ends: who waits for a turn at a venue goes home at once, and nobody but an exit gets a new one.

With hundreds of accounts the turns that are waited for take longer than an end may. What was not sent is certainly not
sent; what was is settled at the next start.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.brokers.base import Urgency
from bot.domain.errors import VenueStopped

# An exit that is under way, and a cancel that makes room for one, are not broken off. The executor begins no new ones.
SPARED = (Urgency.EXIT, Urgency.CANCEL)


class Ending:
    """One for all venues of a process; any thread may use it."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._mutex = threading.Lock()
        self._waiting: set[threading.Event] = set()

    def begin(self) -> None:
        """From here on calls are refused; those that wait are woken to find out."""
        self._begun.set()
        with self._mutex:
            for event in self._waiting:
                event.set()

    def refuse(self, urgency: Urgency) -> None:
        """Raises `VenueStopped` (nothing was sent) once the end has begun, unless the call is of a spared kind."""
        if self._begun.is_set() and urgency not in SPARED:
            raise VenueStopped("not sent: the bot is stopping")

    @contextmanager
    def waking(self, event: threading.Event, urgency: Urgency) -> Iterator[None]:
        """While it lasts, the end sets `event`, unless the call is of a spared kind.

        Inside, `refuse` is asked before each wait: the end may have begun before the event was known here.
        """
        with self._mutex:
            if urgency not in SPARED:
                self._waiting.add(event)
        try:
            yield
        finally:
            with self._mutex:
                self._waiting.discard(event)
