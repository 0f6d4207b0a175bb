"""Whether the process lives, and whether it is ready to trade: what a platform's health checks ask."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.seams.clock import Clock

# The main thread and the watchdog turn about once a second; one that has not for this long is lost.
LONGEST_SILENCE_SECONDS = 30.0


class Tick:
    """The time of a loop's last turn."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.monotonic()

    def turn(self) -> None:
        self._at = self._clock.monotonic()

    def age_seconds(self) -> float:
        return self._clock.monotonic() - self._at


class CountedTick:
    """The same for a loop that counts its turns: its age is how long the count has been the same, as far as seen."""

    def __init__(self, clock: Clock, count: Callable[[], int]) -> None:
        self._count = count
        self._tick = Tick(clock)
        self._seen = count()

    def age_seconds(self) -> float:
        now = self._count()
        if now != self._seen:
            self._seen = now
            self._tick.turn()
        return self._tick.age_seconds()


def _no_accounts() -> Sequence[Mapping[str, Any]]:
    return ()


class Readiness:
    """Filled in while the process starts. `waiting`: what it waits for before it can trade at all.

    `build`: which program and which configuration this is.
    """

    def __init__(self) -> None:
        self.waiting = "starting"
        self.build: Mapping[str, str] = {}
        self.ages: dict[str, Callable[[], float]] = {}
        self.problems: list[Callable[[], str]] = []
        self.accounts: Callable[[], Sequence[Mapping[str, Any]]] = _no_accounts

    def dead(self) -> list[str]:
        """Loops that have not turned for too long, in words; empty = the process lives."""
        ages = {name: age() for name, age in self.ages.items()}
        return [f"{name} has not turned for {age:.0f} s" for name, age in ages.items() if age > LONGEST_SILENCE_SECONDS]

    def trading(self) -> list[dict[str, Any]]:
        """Each account's state: no balances, which are for who may see them."""
        shown = ("account", "mode", "health", "reason", "cycles", "positions")
        return [{name: line.get(name) for name in shown} for line in self.accounts()]

    def not_ready(self) -> list[str]:
        """Why nothing can be traded now; empty = it can, by at least one account."""
        if self.waiting:
            return [self.waiting]
        found = [problem for problem in (ask() for ask in self.problems) if problem]
        if not found and not any(line.get("health") == "healthy" for line in self.accounts()):
            found.append("no account is healthy")
        return found
