"""When the interpreter looks through everything for garbage: at the start, and then while nobody calls.

Looking takes a tenth of a second once thousands of orders are remembered, and every answer would wait for it.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS = (10_000, 20, 100_000)
"""New objects before a look at the youngest, looks before one at the younger ones, and, never reached, at all."""
IDLE_SECONDS = 60.0
BUSY_SECONDS = 600.0


class Garbage:
    """Told of the time now and then; ``start`` may be called once everything is loaded."""

    def __init__(self) -> None:
        self._looked = 0.0
        self._calls = 0

    def start(self, now: float) -> None:
        """What was loaded stays, and is never looked through again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*YOUNG_OBJECTS)
        self._looked = now

    def tidy(self, now: float, calls: int) -> bool:
        """Look through everything if it is time to; ``calls`` counts all that were ever served. Says whether it did."""
        idle, self._calls = calls == self._calls, calls
        if now - self._looked < (IDLE_SECONDS if idle else BUSY_SECONDS):
            return False
        gc.collect()
        self._looked = now
        return True
