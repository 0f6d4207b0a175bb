"""Each wrong way to copy is caught."""

import pytest

from tests.simulation.mutants import MUTANTS, OF_HANGING, where
from tests.simulation.run import run_seeds

SEEDS = 200
# Some show in one world of a hundred. They are looked for from shortly before where they are known to show.
LOOK_FROM = {
    "a_batch_is_not_looked_at_again": 230,
    "a_batch_leaves_after_the_fence": 230,
    "an_exit_waits_for_fresh_balances": 40,
    "no_carry": 320,
    "no_price_bound": 40,
    "not_found_is_final": 35,
    "old_evidence_counts": 330,
}


@pytest.mark.parametrize("name", sorted(MUTANTS.keys() - OF_HANGING))
def test_a_wrong_way_to_copy_is_caught(name: str) -> None:
    first = LOOK_FROM.get(name, 0)
    results = run_seeds(range(first, first + SEEDS), **where(name))
    assert any(result.violations for result in results), f"no world caught {name}"
