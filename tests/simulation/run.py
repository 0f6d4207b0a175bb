"""Runs seeds: a world each, judged at its end."""

import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.storage import migrations
from bot.storage.store import sqlite_url
from tests.simulation.judge import Judge, Violation
from tests.simulation.mutants import Mutant, no_mutant
from tests.simulation.store import SimulatedStore
from tests.simulation.world import World


@dataclass(frozen=True)
class Result:
    """How one seed went."""

    seed: int
    violations: list[Violation]
    crashes: int
    orders: int
    signals: int
    fills: int


@contextmanager
def quiet() -> Iterator[None]:
    """Log lines of thousands of failures on purpose tell nobody anything."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def run_seeds(seeds: Iterable[int], *, mutant: Mutant = no_mutant, verbose: bool = False) -> Iterator[Result]:
    """Each seed in a database of its own; lazily, so that a caller may stop at the first violation."""
    silence: AbstractContextManager[None] = quiet()
    with tempfile.TemporaryDirectory() as directory, mutant():
        empty = Path(directory) / "empty.db"
        empty.write_bytes(_empty_database())
        if verbose:
            yield from (_run_seed(seed, empty) for seed in seeds)
            return
        with silence:
            yield from (_run_seed(seed, empty) for seed in seeds)


@cache
def _empty_database() -> bytes:
    """The bytes of a database with the present schema and nothing in it; made once in a process."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "empty.db"
        migrations.upgrade(sqlite_url(file))
        return file.read_bytes()


def _run_seed(seed: int, empty: Path) -> Result:
    database = empty.with_name(f"{seed}.db")
    shutil.copy(empty, database)
    store = SimulatedStore(sqlite_url(database))
    try:
        world = World(seed, store)
        world.run()
        judge = Judge(world)
        return Result(
            seed=seed,
            violations=judge.verdict(),
            crashes=world.crashes,
            orders=len(world.venue.orders),
            signals=judge.signals,
            fills=len(world.venue.fills),
        )
    finally:
        store.close()
        for file in database.parent.glob(f"{seed}.db*"):
            file.unlink()
