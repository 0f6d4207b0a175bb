"""Whose work a thread is doing, so that its log lines can be found again: account, signal, order.

A master's order becomes a signal, which becomes an order of each user. Whoever works on one of them says so with
`working_on`; every line that the thread logs inside, wherever it comes from, carries it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

# So much of a signal's id stands in sentences.
SHORT_ID = 8


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is known of it; an empty text is what is not."""

    account: str = ""
    signal: str = ""
    order: str = ""

    @property
    def correlation(self) -> str:
        """One id for all that follows from one decision: the signal's, and before there is one the order's."""
        return self.signal or self.order


_NOTHING = Work()
_work: ContextVar[Work] = ContextVar("work", default=_NOTHING)


def current_work() -> Work:
    """What this thread says it works on."""
    return _work.get()  # lint: a context variable, which waits for nothing


@contextmanager
def working_on(*, account: str = "", signal: str | None = "", order: str = "") -> Iterator[None]:
    """What is given replaces what was known outside; of another order another signal is meant, or none."""
    outer = _work.get()  # lint: a context variable, which waits for nothing
    same = not order or order == outer.order
    inner = Work(
        account=account or outer.account,
        signal=(signal or "") or (outer.signal if same or not outer.order else ""),
        order=order or outer.order,
    )
    before = _work.set(inner)
    try:
        yield
    finally:
        _work.reset(before)
