"""Runs seeds: a world each, judged at its end."""

import logging
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from unittest.mock import patch

from bot.storage import migrations
from bot.storage.store import sqlite_url
from tests.simulation.dice import Dice
from tests.simulation.hangs import HangingWorld
from tests.simulation.journal import Journal
from tests.simulation.judge import verdict
from tests.simulation.memory import MemoryEngine
from tests.simulation.mutants import Mutant, no_mutant
from tests.simulation.semantics import VENUES, Semantics
from tests.simulation.store import SimulatedStore
from tests.simulation.violation import Violation
from tests.simulation.world import World

# No weather of its own: a world's rates are drawn.
CALM: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Result:
    """How one seed went. `faults` counts what was injected, by kind."""

    seed: int
    venue: str
    violations: list[Violation]
    crashes: int
    orders: int
    signals: int
    exits: int
    fills: int
    heal_seconds: float
    # Orders that left over sockets, in batches.
    by_lane: int = 0
    faults: dict[str, int] = field(default_factory=dict)


# What the bot logged as unexpected in the world that runs.
_surprises: list[str] = []


def _note_surprise(_logger: logging.Logger, message: str, *arguments: object, **_named: object) -> None:
    error = sys.exc_info()[1]
    _surprises.append(f"{message % arguments}: {type(error).__name__}: {error}")


@contextmanager
def quiet() -> Iterator[None]:
    """Log lines of thousands of failures on purpose tell nobody anything; exceptions nobody expected are kept."""
    logging.disable(logging.CRITICAL)
    try:
        with patch.object(logging.Logger, "exception", _note_surprise):
            yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def loud() -> Iterator[None]:
    yield


def run_seeds(
    seeds: Iterable[int],
    *,
    mutant: Mutant = no_mutant,
    venue: str | None = None,
    verbose: bool = False,
    weather: Mapping[str, float] = CALM,
    hangs: bool = False,
    lane: bool | None = None,
) -> Iterator[Result]:
    """One after the other, lazily, so that a caller may stop at the first violation.

    `weather` sets rates of faults instead of drawn ones, by their names in `FaultRates`. With `hangs` the accounts'
    threads hang, are replaced, and wake again. `lane`: whether users' entries go over sockets in batches; None = in the
    worlds of odd seeds.
    """
    semantics = None if venue is None else VENUES[venue]
    with mutant(), loud() if verbose else quiet():
        for seed in seeds:
            yield run_world(seed, Dice(seed), semantics, weather, hangs=hangs, lane=lane)


def run_world(
    seed: int,
    dice: Dice,
    semantics: Semantics | None = None,
    weather: Mapping[str, float] = CALM,
    *,
    hangs: bool = False,
    lane: bool | None = None,
) -> Result:
    """One world in an empty database in memory."""
    kind = HangingWorld if hangs else World
    world = kind(dice, memory_store(), seed=seed, semantics=semantics, lane=lane)
    world.venue.rates = replace(world.venue.rates, **weather)
    return _judged(seed, world)


def memory_store() -> SimulatedStore:
    """An empty store in memory; the one before it is gone."""
    engine = _engine()
    engine.load(empty_database())
    return SimulatedStore.in_memory(engine)


def run_in_a_file(seed: int, database: Path) -> Result:
    """One world over SQLAlchemy's own engine and a file, as in the program."""
    database.write_bytes(empty_database())
    store = SimulatedStore(sqlite_url(database))
    try:
        return _judged(seed, World(Dice(seed), store, seed=seed))
    finally:
        store.close()


def _judged(seed: int, world: World) -> Result:
    _surprises.clear()
    world.run()
    world.errors += _surprises
    journal = Journal(world)
    return Result(
        seed=seed,
        venue=str(world.broker_type),
        violations=verdict(world, journal),
        crashes=world.crashes,
        orders=len(world.venue.orders),
        signals=len(journal.signals),
        exits=sum(row.kind == "exit" for row in journal.signals.values()),
        fills=len(world.venue.fills),
        heal_seconds=world.heal_seconds,
        by_lane=world.witness.by_lane,
        faults=dict(world.dice.faults),
    )


@cache
def _engine() -> MemoryEngine:
    return MemoryEngine()


@cache
def empty_database() -> bytes:
    """The bytes of a database with the present schema and nothing in it; made once in a process."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "empty.db"
        migrations.upgrade(sqlite_url(file))
        return file.read_bytes()
