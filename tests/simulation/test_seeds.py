"""The promises of copying, over many seeded worlds; and each wrong way to copy, caught."""

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.run import run_seeds

SEEDS = 60
SEEDS_SLOW = 3000
BATCH = 10
SLOW_BATCH = 98
# Some show in one world of forty. They are looked for from shortly before where they are known to show, to save time.
LOOK_FROM = {
    "a_refused_exit_is_dropped": 36,
    "claim_before_plan": 8,
    "crashed_while_sending_is_never_sent": 33,
    "exits_overtake": 8,
    "not_found_is_final": 10,
    "signal_after_the_fills": 7,
}


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_no_promise_is_broken_in_any_seeded_world(first: int) -> None:
    assert _broken(range(first, first + BATCH)) == []


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
    results = run_seeds(range(LOOK_FROM.get(name, 0), SEEDS), mutant=MUTANTS[name])
    assert any(result.violations for result in results), f"no world caught {name}"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(SEEDS, SEEDS_SLOW, SLOW_BATCH))
def test_no_promise_is_broken_in_many_more_worlds(first: int, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--run-slow", default=False):
        pytest.skip("run with --run-slow")
    assert _broken(range(first, first + SLOW_BATCH)) == []


def _broken(seeds: range) -> list[str]:
    """Every broken promise, with the seed to run again."""
    return [
        f"seed {result.seed}: {violation.rule}: {violation.detail}"
        for result in run_seeds(seeds)
        for violation in result.violations
    ]
