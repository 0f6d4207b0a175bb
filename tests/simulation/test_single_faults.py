"""Every crash point with every outcome of the network, at every brokerage, for an entry, a partial exit and an exit."""

import pytest

from tests.simulation.run import quiet
from tests.simulation.semantics import VENUES
from tests.simulation.single_faults import LANE_OUTCOMES, OUTCOMES, PHASES, Case, cases, play

# The suite takes every so many of them; --run-slow takes all.
SPREAD = 25


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("venue", sorted(VENUES))
def test_a_spread_of_single_faults_breaks_no_promise(venue: str, phase: str) -> None:
    with quiet():
        assert _broken(venue, phase, start=sorted(VENUES).index(venue), spread=SPREAD) == []


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("outcome", OUTCOMES[1:])
def test_each_outcome_strikes(outcome: str, phase: str) -> None:
    with quiet():
        dice, violations = play(Case(phase, outcome, "", 0), VENUES["okx"])
    assert dice.struck
    assert violations == []


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_a_spread_of_single_faults_breaks_no_promise_where_entries_leave_in_batches(venue: str) -> None:
    with quiet():
        assert _broken(venue, "entry", start=sorted(VENUES).index(venue), spread=SPREAD, lane=True) == []


@pytest.mark.parametrize("outcome", LANE_OUTCOMES[1:])
def test_each_outcome_strikes_an_order_that_leaves_in_a_batch(outcome: str) -> None:
    with quiet():
        dice, violations = play(Case("entry", outcome, "", 0), VENUES["kraken"], lane=True)
    assert dice.struck
    assert violations == []


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("venue", sorted(VENUES))
def test_no_single_fault_breaks_a_promise(venue: str, phase: str, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--run-slow", default=False):
        pytest.skip("run with --run-slow")
    with quiet():
        assert _broken(venue, phase, start=0, spread=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", sorted(VENUES))
def test_no_single_fault_breaks_a_promise_where_entries_leave_in_batches(
    venue: str, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("--run-slow", default=False):
        pytest.skip("run with --run-slow")
    with quiet():
        assert _broken(venue, "entry", start=0, spread=1, lane=True) == []


def _broken(venue: str, phase: str, *, start: int, spread: int, lane: bool = False) -> list[tuple[Case, str]]:
    semantics = VENUES[venue]
    chosen = list(cases(semantics, phase, lane=lane))[start::spread]
    assert len(chosen) > 20
    return [(case, f"{one.rule}: {one.detail}") for case in chosen for one in play(case, semantics, lane=lane)[1]]
