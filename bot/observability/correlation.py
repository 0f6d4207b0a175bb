"""Whose work a thread is doing, so that its log lines can be found again: account, signal, order.

A master's order becomes a signal, which becomes an order of each user. Whoever works on one of them says so with
`working_on`; every line that the thread logs inside, wherever it comes from, carries it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


class _OfThisThread(threading.local):
    """Of the thread and not of a context: a connection that is opened on the way lives on, and is about more."""

    work = Work()


_here = _OfThisThread()


def current_work() -> Work:
    """What this thread says it works on."""
    return _here.work


@contextmanager
def working_on(*, account: str = "", signal: str | None = "", order: str = "") -> Iterator[None]:
    """What is given replaces what was known outside; of another order another signal is meant, or none."""
    outer = _here.work
    same = not order or not outer.order or order == outer.order
    _here.work = Work(
        account=account or outer.account,
        signal=signal or (outer.signal if same else ""),
        order=order or outer.order,
    )
    try:
        yield
    finally:
        _here.work = outer
