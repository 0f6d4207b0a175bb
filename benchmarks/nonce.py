"""What a durable nonce costs, and what a kill leaves behind.

    python benchmarks/nonce.py --seconds 5 --kills 1000 [--json]

Ours reserves nonces ahead on disk and hands them out from memory. The anchors are in the same run and on the same disk:
the naive way, which rewrites a file for each nonce, and a number overwritten in place and synced. A kill is SIGKILL of
a process that draws nonces as fast as it can, at a random moment; what it leaves is unreadable, or a nonce that was
used already would be given out again, or it is fine. While killed, ours reserves a thousandth of a second at a time, so
that most kills find it writing.
"""

import argparse
import mmap
import multiprocessing
import os
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import Report
from bot.brokers.kraken.nonce import NonceSource
from bot.brokers.kraken.nonce_file import parse_record
from bot.seams.clock import SystemClock

GOAL_MICROSECONDS = 10.0
KILL_RESERVE_MILLISECONDS = 1
# Digits of a time in nanoseconds: the number in place is always as long.
DIGITS = 19
COLUMNS = ("way", "mean us", "median us", "kills", "unreadable", "would repeat", "within 10 us")


class Source(Protocol):
    def next(self) -> int: ...


class Rewriting:
    """The naive way: open for writing (which empties the file), write, sync."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = int(path.read_text()) if path.exists() else 0

    def next(self) -> int:
        self._last = max(self._last + 1, time.time_ns())
        with self._path.open("w") as file:
            file.write(str(self._last))
            file.flush()
            os.fsync(file.fileno())
        return self._last


class InPlace:
    """The number overwritten where it is, and synced."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._last = int(os.pread(self._descriptor, DIGITS, 0) or b"0")

    def next(self) -> int:
        self._last = max(self._last + 1, time.time_ns())
        os.pwrite(self._descriptor, str(self._last).encode(), 0)
        os.fdatasync(self._descriptor)
        return self._last


def reserving(path: Path, reserve_milliseconds: int = 2000) -> Source:
    return NonceSource(path, api_key="benchmark", clock=SystemClock(), reserve_milliseconds=reserve_milliseconds)


WAYS: dict[str, Callable[[Path], Source]] = {
    "reservation (ours)": reserving,
    "rewritten file (naive)": Rewriting,
    "pwrite + fdatasync": InPlace,
}


def cost(source: Source, seconds: float) -> tuple[float, float]:
    """Mean and median microseconds of a nonce, drawn for so long; the mean holds what reservations cost."""
    times = []
    source.next()
    ends_at = time.perf_counter_ns() + int(seconds * 1e9)
    began = time.perf_counter_ns()
    while began < ends_at:
        source.next()
        ended = time.perf_counter_ns()
        times.append((ended - began) / 1000)
        began = ended
    return mean(times), median(times)


def _draw_for_ever(make: Callable[[Path], Source], path: Path, shown: mmap.mmap) -> None:
    source = make(path)
    while True:
        struct.pack_into("q", shown, 0, source.next())


def kill_it(make: Callable[[Path], Source], kills: int, directory: Path, chance: random.Random) -> tuple[int, int]:
    """How many kills left an unreadable file, and how many a file from which a used nonce would come again."""
    fork = multiprocessing.get_context("fork")
    unreadable = repeating = 0
    for number in range(kills):
        path, shown = directory / f"nonce_{number}.txt", mmap.mmap(-1, 8)
        child = fork.Process(target=_draw_for_ever, args=(make, path, shown), daemon=True)
        child.start()
        while not struct.unpack_from("q", shown, 0)[0] and child.is_alive():
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.01))
        child.kill()
        child.join()
        used = struct.unpack_from("q", shown, 0)[0]
        try:
            # A clock that was set back: only the file can save what comes next.
            repeating += _next_by_the_file(path) <= used
        except ValueError:
            unreadable += 1
    return unreadable, repeating


def _next_by_the_file(path: Path) -> int:
    """The lowest nonce that the file alone would allow next. Raises ValueError for an unreadable one."""
    content = path.read_bytes()
    return int(content) + 1 if content.isdigit() or not content else parse_record(content).ceiling


def measure(way: str, seconds: float, kills: int, seed: int) -> dict[str, str | int | float | None]:
    make = WAYS[way]
    with tempfile.TemporaryDirectory() as directory:
        mean_us, median_us = cost(make(Path(directory) / "nonce.txt"), seconds)
        under_fire = (lambda path: reserving(path, KILL_RESERVE_MILLISECONDS)) if make is reserving else make
        unreadable, repeating = kill_it(under_fire, kills, Path(directory), random.Random(seed))
    return {
        "way": way,
        "mean us": round(mean_us, 2),
        "median us": round(median_us, 2),
        "kills": kills,
        "unreadable": unreadable,
        "would repeat": repeating,
        "within 10 us": "yes" if mean_us <= GOAL_MICROSECONDS else "no",
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    rows = [measure(way, arguments.seconds, arguments.kills, arguments.seed) for way in WAYS]
    notes = (
        "Nonces of one key, drawn as fast as possible by one thread. The mean of ours holds its reservations, one in"
        " two seconds; a key that calls less often than that pays for one each time.",
    )
    settings = {"seconds": arguments.seconds, "kills": arguments.kills, "seed": arguments.seed}
    Report("A durable nonce", COLUMNS, rows, notes, settings).say(as_json=arguments.json)
    ours = rows[0]
    return 1 if ours["unreadable"] or ours["would repeat"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each way is timed (default 5)")
    parser.add_argument("--kills", type=int, default=1000, help="kills of each way (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="when the kills come (default 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
