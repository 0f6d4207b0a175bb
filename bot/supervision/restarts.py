"""How often and how soon something that died may be started again."""

from collections import deque

from bot.seams.clock import Clock
from bot.seams.ids import IdSource


class RestartPolicy:
    """Back-off with jitter; gives up after too many restarts in a window; forgets after a healthy stretch."""

    def __init__(
        self,
        *,
        clock: Clock,
        ids: IdSource,
        most: int = 5,
        window_seconds: float = 300.0,
        first_seconds: float = 1.0,
        longest_seconds: float = 60.0,
        forgiven_after_seconds: float = 600.0,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._most = most
        self._window_seconds = window_seconds
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._forgiven_after_seconds = forgiven_after_seconds
        self._restarts: deque[float] = deque()
        self._due_at: float | None = None

    def next_wait_seconds(self) -> float | None:
        """Seconds until the next restart is allowed (0 = now), or None when there were too many."""
        now = self._clock.monotonic()
        if self._restarts and now - self._restarts[-1] > self._forgiven_after_seconds:
            self._restarts.clear()
        recent = sum(1 for moment in self._restarts if now - moment <= self._window_seconds)
        if recent >= self._most:
            return None
        if self._due_at is None:
            pause = min(self._longest_seconds, self._first_seconds * 2.0**recent)
            self._due_at = now + pause * (0.8 + 0.4 * self._ids.fraction())
        return max(0.0, self._due_at - now)

    def restarted(self) -> None:
        """It was started again just now."""
        self._restarts.append(self._clock.monotonic())
        self._due_at = None

    def forget(self) -> None:
        """A clean record from here on."""
        self._restarts.clear()
        self._due_at = None
