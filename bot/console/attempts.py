"""How often somebody may try a password."""

from collections import deque

PER_ADDRESS = 5
ALTOGETHER = 30
WINDOW_SECONDS = 60.0
MOST_ADDRESSES = 10_000


class Attempts:
    """So many a minute from one address, and so many from all. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._all: deque[float] = deque()
        self._of: dict[str, deque[float]] = {}
        self._said_at: float | None = None

    def wait_seconds(self, address: str, now: float) -> float:
        """How long this address has to wait before it may try; 0 = it may, and this try is counted."""
        of = self._of.setdefault(address, deque())
        for tries in (self._all, of):
            while tries and tries[0] <= now - WINDOW_SECONDS:
                tries.popleft()
        waits = [
            tries[0] + WINDOW_SECONDS - now
            for tries, most in ((of, PER_ADDRESS), (self._all, ALTOGETHER))
            if len(tries) >= most
        ]
        if waits:
            if not of:
                del self._of[address]
            return max(waits)
        self._all.append(now)
        of.append(now)
        if len(self._of) > MOST_ADDRESSES:
            self._of = {each: tries for each, tries in self._of.items() if tries and tries[-1] > now - WINDOW_SECONDS}
        return 0.0

    def worth_a_word(self, now: float) -> bool:
        """Whether the log should hear of it: once a minute, whatever somebody tries."""
        if self._said_at is not None and now - self._said_at < WINDOW_SECONDS:
            return False
        self._said_at = now
        return True
