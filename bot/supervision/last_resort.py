"""The end of a process that cannot be trusted to end by itself: at once, with a trace of what its threads did.

The platform starts it again, and a start recovers whatever state was left.
"""

import contextlib
import faulthandler
import logging
import os
import threading
from pathlib import Path
from typing import NoReturn

from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

SPEAKING_SECONDS = 1.0


def end_process(reason: str, *, log_file: Path, code: int) -> NoReturn:
    """Write every thread's stack (file, line and function only) to the log file, and end. Waits for no lock."""
    with contextlib.suppress(OSError), log_file.open("a", encoding="utf-8") as file:
        file.write(f"NIJA ends at once: {reason}. What its threads were doing:\n")
        file.flush()
        faulthandler.dump_traceback(file, all_threads=True)
    # The log itself may be what is locked for ever.
    speaker = threading.Thread(target=_speak, args=(reason,), name="LastWords", daemon=True)
    with contextlib.suppress(RuntimeError):
        speaker.start()
        speaker.join(SPEAKING_SECONDS)
    os._exit(code)


def _speak(reason: str) -> None:
    log.critical("NIJA ends at once: %s. What was under way is settled at the next start", reason)


class WatchdogGuard:
    """Asked by the thread that keeps house, at each of its turns, how long the watchdog has been silent.

    It counts that thread's own turns, so that a process that stood still as a whole accuses nobody.
    """

    def __init__(self, watchdog: Watchdog, *, silence_seconds: float, longest_turn_seconds: float) -> None:
        self._watchdog = watchdog
        self._silence_seconds = silence_seconds
        self._longest_turn_seconds = longest_turn_seconds
        self._ticks = -1
        self._looked_at = watchdog.clock.monotonic()
        self._silent_seconds = 0.0

    def problem(self) -> str:
        """A sentence when nothing watches over the threads any more, else an empty text."""
        now, ticks = self._watchdog.clock.monotonic(), self._watchdog.ticks
        if ticks != self._ticks:
            self._silent_seconds = 0.0
        else:
            self._silent_seconds += min(now - self._looked_at, self._longest_turn_seconds)
        self._ticks, self._looked_at = ticks, now
        if self._silent_seconds <= self._silence_seconds:
            return ""
        return f"the watchdog has not looked at anything for {self._silent_seconds:.0f} s"
