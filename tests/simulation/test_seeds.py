"""The promises of copying, over many seeded worlds."""

from pathlib import Path

import pytest

from tests.simulation.dice import Dice
from tests.simulation.run import run_in_a_file, run_seeds, run_world
from tests.simulation.semantics import VENUES
from tests.simulation.tally import Tally

SEEDS = 300
SEEDS_SLOW = 10_050
BATCH = 50
SLOW_BATCH = 250


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_no_promise_is_broken_in_any_seeded_world(first: int) -> None:
    assert _broken(range(first, first + BATCH)) == []


def test_the_worlds_are_not_idle() -> None:
    tally = Tally.of(run_seeds(range(40)))
    assert tally.figures["crashes"] >= 60
    assert tally.figures["orders"] >= 200
    assert tally.figures["exits"] >= 40
    assert len(tally.faults) >= 18, sorted(tally.faults)


def test_in_half_of_the_worlds_entries_leave_in_batches_and_their_answers_are_lost_late_and_repeated() -> None:
    tally = Tally.of(run_seeds(range(1, 161, 2)))
    assert tally.figures["by_lane"] >= 60
    expected = {"lost reply", "late answer", "answered twice", "lost request", "socket down", "loop hangs"}
    assert expected <= tally.faults.keys()


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_each_brokerages_semantics_keep_the_promises(venue: str) -> None:
    assert [each.violations for each in run_seeds(range(5000, 5010), venue=venue) if each.violations] == []


def test_the_same_seed_makes_the_same_world() -> None:
    first, second = (list(run_seeds([3, 4])) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("seed", [2, 6, 7])
def test_the_database_in_memory_makes_the_same_world_as_the_programs_own(seed: int, tmp_path: Path) -> None:
    assert run_in_a_file(seed, tmp_path / "nija.db") == run_world(seed, Dice(seed), None)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(SEEDS, SEEDS_SLOW, SLOW_BATCH))
def test_no_promise_is_broken_in_many_more_worlds(first: int, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--run-slow", default=False):
        pytest.skip("run with --run-slow")
    assert _broken(range(first, first + SLOW_BATCH)) == []


def _broken(seeds: range) -> list[str]:
    """Every broken promise, with the seed to run again."""
    return [
        f"seed {result.seed} ({result.venue}): {violation.rule}: {violation.detail}"
        for result in run_seeds(seeds)
        for violation in result.violations
    ]
