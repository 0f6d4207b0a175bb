"""`python bot.py` by a clock that a test moves: `python -m tests.month.moved_bot` with NIJA_MOVED_CLOCK=FILE.

The file holds eight bytes: by how many nanoseconds this machine's clock is ahead of itself. Everything else is the bot.
"""

import mmap
import os
import struct
import sys
from datetime import datetime, timedelta
from pathlib import Path

from bot import app, service
from bot.seams.clock import SystemClock

AHEAD = struct.Struct("<q")


class MovedClock(SystemClock):
    """Wall time as the file says; the monotonic clock is the machine's, so that nothing looks hung when days pass."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        with path.open("r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), AHEAD.size)

    def now(self) -> datetime:
        return super().now() + timedelta(microseconds=self._ahead_ns() / 1000)

    def wall_ns(self) -> int:
        return super().wall_ns() + self._ahead_ns()

    def _ahead_ns(self) -> int:
        (ahead,) = AHEAD.unpack_from(self._ahead)
        return int(ahead)


def main() -> int:
    path = Path(os.environ["NIJA_MOVED_CLOCK"])
    service.SystemClock = lambda **_offset: MovedClock(path)  # type: ignore[assignment, misc]
    return app.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
