"""Wrong ways to copy, each a switch that only the simulation can set. Each must be caught, or the judge is blind."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def no_mutant() -> Iterator[None]:
    yield
