"""Orders of the lane between their marking and their outcome: what engine, feed loop and accounts' threads share.

Memory only. An order of which nothing is known here is treated as after a crash: marked as being sent, outcome unknown.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from bot.brokers.socket_lane import LaneOutcome
from bot.domain.errors import RetryLater
from bot.seams.clock import Clock
from bot.supervision.probes import Probe, lock_probe

# What nobody asked for so long after its time is forgotten: its row is then asked about at the venue.
FORGET_AFTER_SECONDS = 60.0


class _Stage(Enum):
    """The values are for people."""

    ABOARD = "marked as being sent, and certainly not handed over yet"
    UNDER_WAY = "handed over: it may leave, or has left"
    ANSWERED = "its outcome is here"


@dataclass
class _Trip:
    """`until`: monotonic seconds after which nobody waits for the outcome any more."""

    until: float
    stage: _Stage = _Stage.ABOARD
    outcome: LaneOutcome | None = None


class Departures:
    """Any thread may ask. An order is handed over by one caller at most, and only its first outcome counts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._trips: dict[str, _Trip] = {}

    def board(self, client_order_ids: Iterable[str], *, until: float) -> None:
        """These are about to be committed as being sent. If that is rolled back, nobody ever asks about them."""
        with self._lock:
            self._forget_old()
            for order_id in client_order_ids:
                self._trips[order_id] = _Trip(until)

    def leave(self, client_order_ids: Iterable[str]) -> Sequence[str]:
        """Those of them that may be handed over now, by whoever asks first: the same order is not given out again."""
        now = self._clock.monotonic()
        leaving = []
        with self._lock:
            for order_id in client_order_ids:
                trip = self._trips.get(order_id)
                if trip is not None and trip.stage is _Stage.ABOARD and now < trip.until:
                    trip.stage = _Stage.UNDER_WAY
                    leaving.append(order_id)
        return leaving

    def answer(self, client_order_id: str, outcome: LaneOutcome) -> bool:
        """The outcome of an order that was handed over, or that it certainly never was. False for a second one."""
        with self._lock:
            trip = self._trips.get(client_order_id)
            if trip is None or trip.stage is not _Stage.UNDER_WAY:
                return False
            trip.stage, trip.outcome = _Stage.ANSWERED, outcome
            return True

    def awaited_seconds(self, client_order_id: str) -> float:
        """How long its outcome may still come by itself; 0 = it is here, or nobody waits for one."""
        with self._lock:
            trip = self._trips.get(client_order_id)
            if trip is None or trip.stage is _Stage.ANSWERED:
                return 0.0
            return max(0.0, trip.until - self._clock.monotonic())

    def outcome(self, client_order_id: str) -> LaneOutcome | None:
        """What became of it; None = nobody knows here. It stays until it is forgotten.

        Whose time is over and who was never handed over is certainly not sent, and is handed over by nobody any more.
        """
        with self._lock:
            trip = self._trips.get(client_order_id)
            if trip is None:
                return None
            if trip.stage is _Stage.ABOARD and self._clock.monotonic() >= trip.until:
                trip.stage, trip.outcome = _Stage.ANSWERED, never_left("its time was over before its batch left")
            return trip.outcome

    def forget(self, client_order_id: str) -> None:
        """Its outcome is written down, or it was never committed."""
        with self._lock:
            self._trips.pop(client_order_id, None)

    def probe(self) -> Probe:
        return lock_probe("the orders under way", self._lock)

    def _forget_old(self) -> None:
        old = self._clock.monotonic() - FORGET_AFTER_SECONDS
        for order_id in [order_id for order_id, trip in self._trips.items() if trip.until < old]:
            del self._trips[order_id]


def never_left(why: str) -> LaneOutcome:
    """Certainly not sent."""
    return LaneOutcome(ack=None, error=RetryLater(f"not sent: {why}"))
