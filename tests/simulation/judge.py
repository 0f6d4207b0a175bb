"""Holds a finished world to its promises (the numbers are those of docs/guarantees.md)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.simulation.journal import Journal
from tests.simulation.judged_ledger import judge_ledger
from tests.simulation.judged_orders import judge_orders
from tests.simulation.judged_shares import judge_shares
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

# Beside the settle time: the venue's own slowness, one exit after another, and the longest pause after refusals.
HEALING_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 60.0


def verdict(world: "World", journal: Journal) -> list[Violation]:
    """Every violation of one world."""
    return [
        *(Violation("unexpected error", error) for error in world.errors),
        *world.witness.seen,
        *_ends(world),
        *(Violation("no position without a live exit", line) for line in world.unguarded_after_healing),
        *judge_orders(journal),
        *judge_ledger(journal),
        *judge_shares(journal),
    ]


def _ends(world: "World") -> Iterator[Violation]:
    rule = "I5 everything ends after healing"
    for line in world.unfinished_after_healing:
        yield Violation(rule, line)
    longest = world.semantics.settle_seconds + HEALING_SECONDS + LONGEST_RETRY_SECONDS
    if world.heal_seconds > longest:
        yield Violation(rule, f"it took {world.heal_seconds:.0f} s, {longest:.0f} s are allowed")
