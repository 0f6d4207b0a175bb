"""A venue's own rate counter, kept on our side, so that a call waits here instead of being refused there.

The counter rises by each call's cost and falls at a steady pace; the venue refuses what would lift it above a limit.
Ours is never below the venue's, given the same figures: a call counts in full from before it leaves until it is
answered, and falls only from then on, while the venue began to forget it when it arrived.

Each urgency may fill only its share. So an exit finds room where polls have used up theirs.
"""

import bisect
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from bot.brokers.base import Urgency
from bot.brokers.ending import Ending
from bot.domain.errors import RetryLater
from bot.seams.clock import Clock
from bot.supervision.heart import during
from bot.supervision.probes import Probe, lock_probe

# How much of the limit may be in use after a call of this urgency.
SHARES: Mapping[Urgency, float] = MappingProxyType(
    {Urgency.EXIT: 1.0, Urgency.CANCEL: 0.95, Urgency.RESOLVE: 0.85, Urgency.ENTRY: 0.75, Urgency.POLL: 0.6}
)
# Below this the venue's own count says nothing new: it counts by the minute, and ours falls all the time.
NEARLY_FULL = 0.75
# After a refusal the counter is taken to fall this many times slower at most; the full pace is back after so long.
SLOWEST_PACE = 0.125
RESTORE_SECONDS = 600.0
# Refusals so close together are one: they were all under way when the limit was met.
ONE_REFUSAL_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 600.0
# Slower than the venue by less than anybody notices and by more than floating point is off.
_CAUTION = 1.0 - 1e-6
_LEAST_WAIT_SECONDS = 0.001


@dataclass(eq=False)
class Spending:
    """One call's part of the counter. It is given back unless the call was `leaving`."""

    cost: float
    left: bool = False

    def leaving(self) -> None:
        """From here on the venue may have counted it."""
        self.left = True

    def not_sent(self) -> None:
        """It certainly did not leave after all."""
        self.left = False


@dataclass(eq=False)
class _Turn:
    urgency: Urgency
    cost: float
    arrival: int
    _woken: threading.Event | None = None

    @property
    def woken(self) -> threading.Event:
        """Made for those who wait; most do not."""
        if self._woken is None:
            self._woken = threading.Event()
        return self._woken

    def __lt__(self, other: "_Turn") -> bool:
        return (self.urgency, self.arrival) < (other.urgency, other.arrival)


class RateBudget:
    """One counter. `limit` None counts nothing: only what the venue asks for by `refused` is heeded.

    `name` says in messages whose counter it is. Any thread may use it; no lock is held while somebody waits.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        name: str,
        limit: float | None,
        decay_per_second: float = 1.0,
        ending: Ending | None = None,
    ) -> None:
        if limit is not None and (limit <= 0 or decay_per_second <= 0):
            raise ValueError(f"{name}: a limit of {limit:g} that falls by {decay_per_second:g}/s can never be used")
        self.name = name
        self.limit = limit
        self._ending = ending or Ending()
        self._clock = clock
        self._decay = decay_per_second * _CAUTION
        self._mutex = threading.Lock()
        self._value = 0.0
        self._touched_at = clock.monotonic()
        self._under_way = 0.0
        self._pace = 1.0
        self._paced_at = self._refused_at = -math.inf
        self._closed_until = -math.inf
        self._waiting: list[_Turn] = []
        self._arrivals = 0

    def probe(self) -> Probe:
        """Whether nobody is lost inside."""
        return lock_probe(f"the count of {self.name}", self._mutex)

    @property
    def used(self) -> float:
        """How much of the counter is in use now, calls under way included."""
        with self._mutex:
            self._touch(self._clock.monotonic())
            return self._value + self._under_way

    @property
    def waiting(self) -> int:
        """How many calls wait for room."""
        with self._mutex:
            return len(self._waiting)

    def has_room(self, cost: float, urgency: Urgency) -> bool:
        """Whether a call made now would not wait. Nothing is charged."""
        with self._mutex:
            turn = _Turn(urgency, cost if self.limit is None else min(cost, self.limit), self._arrivals)
            return not self._waiting and self._delay(turn, self._clock.monotonic()) <= 0

    @contextmanager
    def spend(self, cost: float, urgency: Urgency, *, within_seconds: float) -> Iterator[Spending]:
        """Room for one call, to be made inside the block.

        Raises `RetryLater` (nothing was sent) when there will be none `within_seconds`; at once if that can be told.
        """
        spending = Spending(cost if self.limit is None else min(cost, self.limit))
        self._take(spending, urgency, within_seconds)
        try:
            yield spending
        finally:
            self._settle(spending)

    def refuse_while_closed(self) -> None:
        """Raises `RetryLater` while the venue wants to hear nothing at all; room is another matter."""
        with self._mutex:
            seconds = self._closed_until - self._clock.monotonic()
        if seconds > 0:
            raise RetryLater(f"not sent: {self.name} is closed by the venue", retry_after_seconds=seconds)

    def refused(self, retry_after_seconds: float | None = None) -> None:
        """The venue has said "too many": the counter is full, and seems to fall more slowly than we thought."""
        with self._mutex:
            now = self._clock.monotonic()
            self._touch(now)
            if now - self._refused_at >= ONE_REFUSAL_SECONDS:
                self._pace, self._paced_at = max(SLOWEST_PACE, self._pace_at(now) / 2), now
                self._refused_at = now
            self._value = max(self._value, self.limit or 0.0)
            if retry_after_seconds is not None and retry_after_seconds > 0:
                pause = min(retry_after_seconds, LONGEST_PAUSE_SECONDS)
                self._closed_until = max(self._closed_until, now + pause)

    def told_used(self, fraction: float) -> None:
        """How much of its limit the venue counts, whoever used it: other programs may share the address.

        Nearly full there is as full here, so that polls and entries wait and what is left is for exits and cancels.
        """
        if self.limit is None or fraction < NEARLY_FULL:
            return
        with self._mutex:
            self._touch(self._clock.monotonic())
            self._value = max(self._value, min(fraction, 1.0) * self.limit)

    # -- taking -----------------------------------------------------------------------------------------------------
    def _take(self, spending: Spending, urgency: Urgency, within_seconds: float) -> None:
        with self._mutex:
            now = self._clock.monotonic()
            self._arrivals += 1
            turn = _Turn(urgency, spending.cost, self._arrivals)
            ahead = [other for other in self._waiting if other < turn]
            delay = self._delay(turn, now, ahead=sum(other.cost for other in ahead))
            if delay <= 0 and not ahead:
                self._under_way += spending.cost
                return
            if delay > within_seconds and delay < math.inf:
                raise self._no_room(turn, delay)
            assert turn.woken is not None  # before another thread can look for it
            bisect.insort(self._waiting, turn)
        try:
            with (
                during("waiting for room on a rate counter", within_seconds),
                self._ending.waking(turn.woken, turn.urgency),
            ):
                self._await(turn, now + within_seconds)
        finally:
            with self._mutex:
                self._waiting = [other for other in self._waiting if other is not turn]
                self._wake_first()

    def _await(self, turn: _Turn, give_up_at: float) -> None:
        while True:
            with self._mutex:
                turn.woken.clear()
                self._ending.refuse(turn.urgency)
                now = self._clock.monotonic()
                delay = self._delay(turn, now)
                is_first = self._waiting[0] is turn
                if is_first and delay <= 0:
                    self._under_way += turn.cost
                    return
                if now >= give_up_at:
                    raise self._no_room(turn, delay if delay < math.inf else 1.0)
            wait = max(delay, _LEAST_WAIT_SECONDS) if is_first else math.inf
            self._clock.wait(turn.woken, min(give_up_at - now, wait))

    def _settle(self, spending: Spending) -> None:
        with self._mutex:
            self._touch(self._clock.monotonic())
            self._under_way = max(0.0, self._under_way - spending.cost)
            if spending.left and self.limit is not None:
                self._value = min(self._value + spending.cost, 2 * self.limit)
            self._wake_first()

    def _wake_first(self) -> None:
        if self._waiting:
            self._waiting[0].woken.set()

    # -- counting ---------------------------------------------------------------------------------------------------
    def _delay(self, turn: _Turn, now: float, *, ahead: float = 0.0) -> float:
        """Seconds until there is room; infinite when that depends on an answer that is still to come."""
        self._touch(now)
        pause = max(0.0, self._closed_until - now)
        if self.limit is None:
            return pause
        room = self._allowance(turn) - turn.cost - self._under_way - ahead
        if room < 0 and self._under_way:
            return math.inf
        excess = self._value - room
        return max(pause, excess / (self._decay * self._pace_at(now)) if excess > 0 else 0.0)

    def _allowance(self, turn: _Turn) -> float:
        """A call dearer than its share may still be made when nothing else is counted."""
        assert self.limit is not None
        return max(self.limit * SHARES[turn.urgency], turn.cost)

    def _touch(self, now: float) -> None:
        fallen = (now - self._touched_at) * self._decay * self._pace_at(self._touched_at)
        self._value = max(0.0, self._value - fallen)
        self._touched_at = now

    def _pace_at(self, moment: float) -> float:
        return min(1.0, self._pace + max(0.0, moment - self._paced_at) / RESTORE_SECONDS)

    def _no_room(self, turn: _Turn, delay: float) -> RetryLater:
        kind = turn.urgency.name.lower()
        counted = "" if self.limit is None else f" ({self._value + self._under_way:.1f} of {self.limit:g} in use)"
        return RetryLater(
            f"not sent: {self.name} has no room for a call of kind {kind}{counted}", retry_after_seconds=delay
        )


class RateBudgets:
    """One counter per key, made when it is first asked for; it outlives the broker object, as the venue's does."""

    def __init__(self, make: Callable[[str], RateBudget]) -> None:
        self._make = make
        self._mutex = threading.Lock()
        self._budgets: dict[str, RateBudget] = {}

    def for_key(self, api_key: str, *, label: str) -> RateBudget:
        """`label` names the account in messages."""
        with self._mutex:
            if api_key not in self._budgets:
                self._budgets[api_key] = self._make(label)
            return self._budgets[api_key]
