"""`bot.py` with one more thread, which wakes as a trading thread does and writes down how late it was.

    python benchmarks/console_drill/ticking_bot.py FILE

Each line of the file is one tick: seconds of the monotonic clock, and milliseconds too late. It waits in the kernel and
then needs the interpreter's lock, as a thread does whose answer from a brokerage has just come.
"""

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bot.environment import run

EVERY_SECONDS = 0.005
LINES_AT_ONCE = 200


def tick(path: Path) -> None:
    """For as long as the process lives; what is measured is kept until there is enough to be written at once."""
    lines: list[str] = []
    while True:
        due = time.monotonic() + EVERY_SECONDS
        time.sleep(EVERY_SECONDS)
        now = time.monotonic()
        lines.append(f"{now:.6f} {1000 * (now - due):.4f}\n")
        if len(lines) == LINES_AT_ONCE:
            with path.open("a", encoding="ascii") as file:
                file.write("".join(lines))
            lines.clear()


if __name__ == "__main__":
    threading.Thread(target=tick, args=(Path(sys.argv.pop(1)),), daemon=True).start()
    run("bot.app")
