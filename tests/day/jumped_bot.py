"""`python bot.py` by clocks that a test lets jump: `python -m tests.day.jumped_bot` with NIJA_MOVED_CLOCK=FILE.

The file holds two numbers. The first is by how many nanoseconds this machine's clocks are ahead of themselves, the
monotonic one too: what waits for a time wakes when that time has come. The second is the bot's word: 1 while every
account's thread waits, so that no call is under way which a jump would make late. Everything else is the bot.
"""

import mmap
import os
import queue
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from bot import app, service
from bot.seams.clock import SystemClock
from bot.storage import store
from tests.month.month import AHEAD

# Who waits for the time looks so often whether it has jumped.
LOOK_SECONDS = 0.02


class JumpedClock(SystemClock):
    """All of its times are ahead by what the file says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        with path.open("r+b") as file:
            self._file = mmap.mmap(file.fileno(), 2 * AHEAD.size)

    def now(self) -> datetime:
        return super().now() + timedelta(microseconds=self._ahead_ns() / 1000)

    def wall_ns(self) -> int:
        return super().wall_ns() + self._ahead_ns()

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead_ns() / 1e9

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        until = self.monotonic() + timeout_seconds
        while not event.is_set():
            left = until - self.monotonic()
            if left <= 0:
                return False
            event.wait(min(left, LOOK_SECONDS))
        return True

    def all_wait(self, word: bool) -> None:
        """Tell the test."""
        AHEAD.pack_into(self._file, AHEAD.size, int(word))

    def _ahead_ns(self) -> int:
        (ahead,) = AHEAD.unpack_from(self._file)
        return int(ahead)


class JumpedQueue(queue.Queue):  # type: ignore[type-arg]
    """Such as an account's inbox: its thread wakes when the time has come by the clocks that jump."""

    clock: JumpedClock
    waiting: ClassVar[set[str]] = set()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not block or timeout is None:
            return super().get(block, timeout)
        until, name = self.clock.monotonic() + timeout, threading.current_thread().name
        try:
            return self._wait_for_one(until, name)
        finally:
            self.waiting.discard(name)
            self.clock.all_wait(False)

    def _wait_for_one(self, until: float, name: str) -> Any:
        while True:
            self.waiting.add(name)
            traders = {thread.name for thread in threading.enumerate() if thread.name.startswith("Trader-")}
            self.clock.all_wait(bool(traders) and traders <= self.waiting)
            left = until - self.clock.monotonic()
            try:
                return super().get(timeout=max(0.001, min(left, LOOK_SECONDS)))
            except queue.Empty:
                if left <= 0:
                    raise


def main() -> int:
    clock = JumpedClock(Path(os.environ["NIJA_MOVED_CLOCK"]))
    JumpedQueue.clock = clock
    queue.Queue = JumpedQueue  # type: ignore[misc]
    service.SystemClock = lambda **_offset: clock  # type: ignore[assignment, misc]
    store.SystemClock = lambda **_offset: clock  # type: ignore[assignment, misc]
    return app.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
