"""Wrong ways to copy, each a switch that only the simulation can set. Each must be caught, or the judge is blind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.simulation import mutants_of_copying, mutants_of_hanging, mutants_of_lanes, mutants_of_sending
from tests.simulation.mutant import Mutant


@contextmanager
def no_mutant() -> Iterator[None]:
    yield


NO_REFUSALS = {"crash": 0.0, "hold_up": 0.0, "refused": 0.0, "failed_read": 0.0, "rate_limited": 0.0, "hidden": 1.0}
# Some wrong ways do harm only when rare things meet. They are looked for where these are frequent: (venue, rates).
WHERE: dict[str, tuple[str | None, dict[str, float]]] = {
    "old_evidence_counts": (
        "alpaca",
        NO_REFUSALS
        | {"rate_limited": 0.93, "late_request": 0.9, "lost_request": 0.0, "lost_reply": 0.0, "store_failure": 0.0},
    ),
    "a_refused_exit_is_dropped": (None, {"refused": 0.6, "crash": 0.0, "hold_up": 0.0}),
    "a_contradiction_is_no_order": (None, NO_REFUSALS | {"other_size": 0.4, "lost_reply": 0.7}),
    "a_failed_reading_is_nothing": (None, NO_REFUSALS | {"failed_read": 0.3, "lost_reply": 0.7}),
    "the_next_leg_does_not_wait": (None, NO_REFUSALS | {"lost_reply": 0.7}),
    "a_lost_acknowledgement_is_not_sent": (None, NO_REFUSALS | {"lost_reply": 0.7}),
    "wall_clock_judges_absence": (None, {"clock_jump": 0.2, "late_request": 0.4, "hidden": 0.7}),
}


def where(name: str) -> dict[str, Any]:
    """Where a mutant is looked for, as arguments of `run_seeds`."""
    venue, weather = WHERE.get(name, (None, {}))
    lane, hangs = name in OF_LANES, name in OF_HANGING
    return {"mutant": MUTANTS[name], "venue": venue, "weather": weather, "hangs": hangs, "lane": lane}


MUTANTS: dict[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        *mutants_of_sending.ALL,
        *mutants_of_copying.ALL,
        *mutants_of_hanging.ALL,
        *mutants_of_lanes.ALL,
    )
}
OF_LANES = frozenset(mutant.__name__ for mutant in mutants_of_lanes.ALL)
OF_HANGING = frozenset(mutant.__name__ for mutant in mutants_of_hanging.ALL)
