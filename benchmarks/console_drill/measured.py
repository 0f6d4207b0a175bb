"""What is read of the processes: time on the processor, from the kernel, and lateness, from the ticking thread."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """User and system time of one process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def children_of(pid: int) -> list[int]:
    """All descendants of a process."""
    found = []
    for each in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in each.read_text(encoding="ascii").split():
            found += [int(child), *children_of(int(child))]
    return found


def console_of(pid: int) -> int:
    """The process that serves a bot's page. Raises `StopIteration` when there is none."""
    return next(each for each in children_of(pid) if b"bot.console" in Path(f"/proc/{each}/cmdline").read_bytes())


class Window:
    """Shares of one core used by processes from now on."""

    def __init__(self, *pids: int) -> None:
        self._begun = time.monotonic()
        self._before = {pid: processor_seconds(pid) for pid in pids}

    @property
    def begun(self) -> float:
        return self._begun

    def percent(self, *pids: int) -> float:
        used = sum(processor_seconds(pid) - self._before[pid] for pid in pids)
        return 100 * used / (time.monotonic() - self._begun)


def lateness(path: Path, since: float, until: float) -> list[float]:
    """Milliseconds by which the ticks of a window were late, in order of size."""
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return sorted(float(late) for at, late in lines if since <= float(at) <= until)
