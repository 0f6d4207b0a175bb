"""When the interpreter looks through everything for garbage: while nobody trades.

Looking stops every thread. With a hundred accounts it takes a tenth of a second and more, and by itself it comes when
many objects have been made, which is while a signal is copied: all users' orders would wait for it. Nearly all that
lives, lives from the start to the end, and what this program drops is freed by its reference counts, with few
exceptions.
"""

import gc
import threading

# New objects before a look at the youngest, such looks before one at the younger ones, and, never reached, at all.
YOUNG_OBJECTS = (5_000, 5, 1_000_000)
# When the accounts are up, and when slow starters are too: what lives then is kept out of every later look.
FIRST_SECONDS = 30.0
SECOND_SECONDS = 120.0
QUIET_SECONDS = 5.0
IDLE_SECONDS = 600.0
BUSY_SECONDS = 3600.0
WHOLE_SECONDS = 86_400.0


class Garbage:
    """`worked` may be called by any thread, the rest by one. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works = 0
        self._works_seen = 0
        self._quiet_since = 0.0
        self._looks = 0
        self._due_at = self._late_at = self._whole_at = 0.0

    def worked(self) -> None:
        """An order or a fill came by: this is no time to look."""
        with self._lock:
            self._works += 1

    def start(self, now: float) -> None:
        """From here on the interpreter looks through the young objects by itself, and through all when told to."""
        gc.set_threshold(*YOUNG_OBJECTS)
        self._quiet_since = now
        self._due_at, self._late_at = now + FIRST_SECONDS, now + IDLE_SECONDS
        self._whole_at = now + WHOLE_SECONDS

    def tidy(self, now: float) -> bool:
        """Look, if it is time to and nobody trades, or if it has been put off for too long. Says whether it did."""
        if self._works != self._works_seen:
            self._works_seen, self._quiet_since = self._works, now
        quiet = now - self._quiet_since >= QUIET_SECONDS
        if now < (self._due_at if quiet else self._late_at):
            return False
        self._look(whole=now >= self._whole_at)
        if now >= self._whole_at:
            self._whole_at = now + WHOLE_SECONDS
        self._looks += 1
        self._due_at = now + (SECOND_SECONDS if self._looks == 1 else IDLE_SECONDS)
        self._late_at = now + BUSY_SECONDS
        return True

    def _look(self, *, whole: bool) -> None:
        """What is left is set aside afterwards; once a day it is looked through again."""
        if whole:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
