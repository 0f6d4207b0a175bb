"""Threads that hang, are shut out and replaced, and wake at some later moment where they stood."""

import pytest

from tests.simulation.hangs import HANG, ONCE_PER_ORDER, WOKE, Stage
from tests.simulation.mutants import OF_HANGING, where
from tests.simulation.run import run_seeds
from tests.simulation.tally import Tally
from tests.simulation.witness import REPLACED

SEEDS = 60
SEEDS_SLOW = 600
BATCH = 20
MUTANT_SEEDS = 200
# What every account passes over and over.
EVERYDAY = {"before a commit", "after a commit", "during a call"} | {
    f"at {step}" for step in ("open_orders_compared", "history_read", "history_compared", "holdings_compared")
}


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_no_order_leaves_from_a_thread_that_was_shut_out_and_no_other_promise_is_broken(first: int) -> None:
    assert Tally.of(run_seeds(range(first, first + BATCH), hangs=True)).broken == []


def test_threads_hang_at_many_places_and_wake_at_every_stage_of_their_replacement() -> None:
    results = list(run_seeds(range(30), hangs=True))
    hung = {name for result in results for name in result.faults if name.startswith(HANG)}
    places, woken = {name.removeprefix(HANG).strip() for name in hung}, Tally.of(results).faults
    assert places >= EVERYDAY
    # What an order passes once is a matter of luck in so few worlds, one by one.
    assert len(places & ONCE_PER_ORDER) >= 5, sorted(places)
    assert all(woken[f"{WOKE} {stage.value}"] >= 3 for stage in Stage), woken


def test_a_world_of_hanging_threads_is_the_same_for_the_same_seed() -> None:
    first, second = (list(run_seeds([2, 8], hangs=True)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", sorted(OF_HANGING))
def test_each_wrong_way_to_shut_a_thread_out_lets_one_of_its_orders_leave(name: str) -> None:
    results = run_seeds(range(MUTANT_SEEDS), **where(name))
    assert any(violation.rule == REPLACED for result in results for violation in result.violations)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(SEEDS, SEEDS_SLOW, 10 * BATCH))
def test_no_order_leaves_from_a_replaced_thread_in_many_more_worlds(first: int, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--run-slow", default=False):
        pytest.skip("run with --run-slow")
    tally = Tally.of(run_seeds(range(first, first + 10 * BATCH), hangs=True))
    assert tally.broken == []
    assert tally.faults[HANG] > 300
