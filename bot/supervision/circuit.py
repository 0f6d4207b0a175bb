"""Whether an account's thread may be started again: soon, later, or not before a probe has shown that it may work."""

from enum import StrEnum

from bot.seams.clock import Clock
from bot.seams.ids import IdSource
from bot.supervision.restarts import RestartPolicy

OPEN_SECONDS = 900.0


class CircuitState(StrEnum):
    """CLOSED starts again after a pause; OPEN waits for long; HALF_OPEN lets one probe through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Circuit:
    """One account's. Every death and every quarantine of its thread is a restart; too many in a short time open it."""

    def __init__(
        self, *, clock: Clock, ids: IdSource, policy: RestartPolicy | None = None, open_seconds: float = OPEN_SECONDS
    ) -> None:
        self._clock = clock
        self._open_seconds = open_seconds
        self._policy = policy or RestartPolicy(clock=clock, ids=ids)
        self._opened_at: float | None = None
        self.why = ""
        self.openings = 0

    @property
    def state(self) -> CircuitState:
        if self._opened_at is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self.seconds_until_probe() > 0 else CircuitState.HALF_OPEN

    def seconds_until_probe(self) -> float:
        """How much longer it stays open; 0 when it is not open."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._open_seconds - self._clock.monotonic())

    def may_start(self) -> bool:
        """Whether now is the time to start the thread again. Opens the circuit when there were too many starts."""
        if self._opened_at is not None:
            return False
        wait = self._policy.next_wait_seconds()
        if wait is None:
            self.open("its thread died or hung too often")
        return wait == 0

    def started(self) -> None:
        """It was started again just now."""
        self._policy.restarted()

    def open(self, why: str) -> None:
        """Nothing is started before a probe has succeeded."""
        self._opened_at = self._clock.monotonic()
        self.openings += 1
        self.why = why

    def probed(self, *, works: bool) -> None:
        """The one probe's result: it closes the circuit with a clean record, or opens it for as long again."""
        if works:
            self._opened_at, self.why = None, ""
            self._policy.forget()
        else:
            self.open(self.why)
