"""Many seeds over several processes, in pieces that are remembered, so that a long run may be broken off."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.mutants import MUTANTS, no_mutant
from tests.simulation.run import run_seeds
from tests.simulation.tally import Tally

PIECE = 50


class OtherCommit(Exception):
    """The state was made by another version."""


def commit() -> str:
    """The commit that runs, with a mark when bot or simulation differ from it."""
    root = Path(__file__).parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", "bot", "tests/simulation")
    return (git("rev-parse", "--short=12", "HEAD") or "an unknown commit") + ("-changed" if changed else "")


@dataclass
class Progress:
    """What was done so far; kept in `file` if there is one."""

    commit: str
    file: Path | None = None
    done: list[list[int]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def load(cls, file: Path | None, *, key: str, any_commit: bool) -> "Progress":
        """Go on where `file` says. Raises `OtherCommit` when another version or other options made it."""
        fresh = cls(key, file)
        if file is None or not file.exists():
            return fresh
        values = json.loads(file.read_text())
        if values["commit"] != key and not any_commit:
            raise OtherCommit(f"{file} was made by {values['commit']}, this is {key}: another file, or --any-commit")
        return cls(key, file, values["done"], Tally.from_json(values["tally"]))

    def left(self, first: int, last: int) -> list[tuple[int, int]]:
        """The pieces of this range that are not done."""
        seeds = set(range(first, last)).difference(*(range(start, end) for start, end in self.done))
        pieces = []
        for number in range(first - first % PIECE, last, PIECE):
            todo = [seed for seed in range(number, number + PIECE) if seed in seeds]
            if todo:
                pieces.append((todo[0], todo[-1] + 1))
        return pieces

    def add(self, piece: tuple[int, int], tally: Tally) -> None:
        """A piece is done."""
        self.done.append(list(piece))
        self.tally.add(tally)
        if self.file is None:
            return
        values = {"commit": self.commit, "done": self.done, "tally": self.tally.as_json()}
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(values))
        os.replace(beside, self.file)


def run_piece(first: int, last: int, mutant: str, venue: str | None, hangs: bool) -> Tally:
    """A few seeds in this process."""
    chosen = MUTANTS[mutant] if mutant else no_mutant
    return Tally.of(run_seeds(range(first, last), mutant=chosen, venue=venue, hangs=hangs))


def run_farm(
    first: int,
    last: int,
    *,
    workers: int,
    progress: Progress,
    mutant: str = "",
    venue: str | None = None,
    hangs: bool = False,
) -> Iterator[str]:
    """Run what is not done yet; yields a line of progress now and then."""
    pieces = progress.left(first, last)
    started, at_start, shown = time.monotonic(), progress.tally.seeds, 0.0
    with ProcessPoolExecutor(workers) as pool:
        futures = {pool.submit(run_piece, *piece, mutant, venue, hangs): piece for piece in pieces}
        for future in as_completed(futures):
            progress.add(futures[future], future.result())
            elapsed = time.monotonic() - started
            if elapsed - shown >= 5:
                shown = elapsed
                speed = (progress.tally.seeds - at_start) / elapsed
                left = (last - first - progress.tally.seeds) / speed
                yield (
                    f"{progress.tally.seeds:,} seeds, {speed:.0f} a second, {max(0, left) / 60:.1f} min left, "
                    f"{progress.tally.violating_seeds} violating"
                )
