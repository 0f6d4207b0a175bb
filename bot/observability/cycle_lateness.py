"""How late an account's cycles begin: the first thing to be seen when something holds the accounts up."""

from collections.abc import Callable


class CycleLateness:
    """`note` is told how late (seconds) a cycle of an account began, counted from one period after the one before.

    The period is the longest that was wanted, with its jitter. Each account's own thread calls `began`.
    """

    def __init__(self, period_seconds: float, note: Callable[[str, float], object]) -> None:
        self._period_seconds = period_seconds
        self._note = note
        self._began_at: dict[str, float] = {}

    def began(self, account: str, at: float) -> None:
        """A cycle of this account began at this moment of the monotonic clock."""
        before = self._began_at.get(account)
        self._began_at[account] = at
        if before is not None:
            self._note(account, max(0.0, at - before - self._period_seconds))
