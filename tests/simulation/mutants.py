"""Wrong ways to copy, each a switch that only the simulation can set. Each must be caught, or the judge is blind."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.simulation import mutants_of_copying, mutants_of_sending
from tests.simulation.mutant import Mutant


@contextmanager
def no_mutant() -> Iterator[None]:
    yield


MUTANTS: dict[str, Mutant] = {
    mutant.__name__: mutant for mutant in (*mutants_of_sending.ALL, *mutants_of_copying.ALL)
}
