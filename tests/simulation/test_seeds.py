"""The promises of copying, over many seeded worlds; and each wrong way to copy, caught."""

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.run import run_seeds

SEEDS = 80
SEEDS_SLOW = 3000
BATCH = 20
# Well above the worst mutant's first seed, so that a change of the world does not lose it at once.
MUTANT_SEEDS = 60


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_no_promise_is_broken_in_any_seeded_world(first: int) -> None:
    broken = [
        f"seed {result.seed}: {violation.rule}: {violation.detail}"
        for result in run_seeds(range(first, first + BATCH))
        for violation in result.violations
    ]
    assert broken == []


def test_the_worlds_are_not_idle() -> None:
    results = list(run_seeds(range(10)))
    assert sum(result.crashes for result in results) >= 10
    assert sum(result.fills for result in results) >= 100
    assert sum(result.signals for result in results) >= 40


def test_the_same_seed_makes_the_same_world() -> None:
    first, second = (list(run_seeds([3])) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_wrong_way_to_copy_is_caught(name: str) -> None:
    results = run_seeds(range(MUTANT_SEEDS), mutant=MUTANTS[name])
    assert any(result.violations for result in results), f"{name} was not caught by {MUTANT_SEEDS} seeds"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(SEEDS, SEEDS_SLOW, BATCH))
def test_no_promise_is_broken_in_many_more_worlds(first: int, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--run-slow", default=False):
        pytest.skip("run with --run-slow")
    test_no_promise_is_broken_in_any_seeded_world(first)
