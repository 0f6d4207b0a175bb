"""One private REST call at a time over all Kraken accounts, the most urgent first.

The lock is held from the nonce to the answer. It cannot be poisoned: a waiter takes it from an owner that has held it
too long, and the late owner's release then counts for nothing. Nonces are per key, so the overlap harms no other
account; the key that overran is parked, except for exits.

Nobody starves: who has waited for the length of one hold counts as one class more urgent, and what a key has waited in
vain is not forgotten when it comes back. A fresh exit still overtakes everybody fresh.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from bot.brokers.base import Urgency
from bot.brokers.ending import Ending
from bot.domain.errors import RetryLater
from bot.seams.clock import Clock, format_time
from bot.supervision.heart import during
from bot.supervision.probes import Probe, is_free

# A call is cut at `hold_seconds`; only an owner that does not even end then loses the lock.
EVICTION_GRACE_SECONDS = 0.5
# A key that gave up and comes back within this time goes on waiting where it left off.
REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True)
class LockUse:
    """One hold that ended, for metrics. `key` is the holder's name, not the API key itself."""

    key: str
    urgency: Urgency
    wait_seconds: float
    hold_seconds: float
    overran: bool


@dataclass(eq=False)
class _Turn:
    """One thread's request for the lock, waiting or granted."""

    key: str
    urgency: Urgency
    thread: int
    arrived_at: float
    waits_since: float
    arrival: int = 0
    granted: bool = False
    parked: bool = False
    granted_at: float = 0.0
    depth: int = 1
    ready: threading.Event = field(default_factory=threading.Event)


class PrivateCallLock:
    """Re-entrant per thread, timed, ordered by urgency and then by arrival.

    A waiter of urgency class u is next after at most u holds and one more for each thread that was waiting before it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        hold_seconds: float = 5.0,
        parked_key_seconds: float = 30.0,
        on_use: Callable[[LockUse], None] | None = None,
        ending: Ending | None = None,
    ) -> None:
        self.hold_seconds = hold_seconds
        self._clock = clock
        self._parked_key_seconds = parked_key_seconds
        self._on_use = on_use
        self._ending = ending or Ending()
        self._mutex = threading.Lock()
        self._owner: _Turn | None = None
        self._queue: list[_Turn] = []
        self._arrivals = 0
        self._in_vain: dict[str, tuple[float, float]] = {}
        self._parked_until: dict[str, float] = {}
        self.holds = 0
        self.evictions = 0
        self.longest_hold_seconds = 0.0
        self.longest_wait_seconds = 0.0

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        with self._mutex:
            return len(self._queue)

    @property
    def held_by(self) -> str | None:
        """The key that holds the lock now."""
        owner = self._owner
        return owner.key if owner is not None else None

    @contextmanager
    def hold(self, *, key: str, urgency: Urgency, timeout_seconds: float) -> Iterator[None]:
        """Hold the lock. Raises `RetryLater` (nothing was sent) when it was not free in time, the key is parked or
        the bot ends."""
        turn = self._enter(key, urgency, timeout_seconds)
        try:
            yield
        finally:
            self._leave(turn)

    def parked_seconds(self, key: str) -> float:
        """How much longer only exits of this key may call; 0 if it is not parked."""
        return max(0.0, self._parked_until.get(key, 0.0) - self._clock.monotonic())

    def is_free_to_ask(self) -> bool:
        """Whether its own book-keeping works, whoever holds it."""
        return is_free(self._mutex)

    # -- taking -----------------------------------------------------------------------------------------------------
    def _enter(self, key: str, urgency: Urgency, timeout_seconds: float) -> _Turn:
        now = self._clock.monotonic()
        with self._mutex:
            owner = self._owner
            if owner is not None and owner.thread == threading.get_ident():
                owner.depth += 1
                return owner
            turn = _Turn(key, urgency, threading.get_ident(), now, waits_since=now - self._remembered(key, now))
            self._refuse_if_parked(turn)
            self._arrivals += 1
            turn.arrival = self._arrivals
            self._queue.append(turn)
            self._grant()
        try:
            with (
                during("waiting for the private call lock", timeout_seconds),
                self._ending.waking(turn.ready, turn.urgency),
            ):
                self._await(turn, now + timeout_seconds)
        except BaseException:
            self._abandon(turn)
            raise
        return turn

    def _remembered(self, key: str, now: float) -> float:
        """Seconds that this key has waited in vain until a moment ago."""
        waited, gave_up_at = self._in_vain.pop(key, (0.0, now))
        return waited if now - gave_up_at <= REMEMBERED_SECONDS else 0.0

    def _await(self, turn: _Turn, give_up_at: float) -> None:
        while True:
            with self._mutex:
                now = self._clock.monotonic()
                self._evict(now)
                self._grant()  # should whoever gave the lock back have been stopped before it passed it on
                if turn.granted:
                    return
                self._ending.refuse(turn.urgency)
                if turn.parked:
                    self._refuse_if_parked(turn)
                if now >= give_up_at:
                    self._in_vain[turn.key] = (now - turn.waits_since, now)
                    holder = self._owner.key if self._owner is not None else "nobody"
                    raise RetryLater(
                        f"not sent: the private call lock was not free within {give_up_at - turn.arrived_at:g} s"
                        f" (held by {holder}, {len(self._queue) - 1} more waiting)"
                    )
                wake_at = min(give_up_at, self._eviction_time())
            self._clock.wait(turn.ready, wake_at - now)

    def _grant(self) -> None:
        while self._owner is None and self._queue:
            now = self._clock.monotonic()
            turn = min(self._queue, key=lambda waiter: self._rank(waiter, now))
            self._queue.remove(turn)
            if turn.urgency is not Urgency.EXIT and self.parked_seconds(turn.key) > 0:
                turn.parked = True
            else:
                turn.granted, turn.granted_at = True, now
                self._owner = turn
            turn.ready.set()

    def _rank(self, turn: _Turn, now: float) -> tuple[int, float, int]:
        """Who has the least is next."""
        gained = int((now - turn.waits_since) / self.hold_seconds)
        return max(int(Urgency.EXIT), int(turn.urgency) - gained), turn.waits_since, turn.arrival

    def _abandon(self, turn: _Turn) -> None:
        """Its thread goes away without having had the lock, or without knowing that it has it."""
        with self._mutex:
            if turn in self._queue:
                self._queue.remove(turn)
            if self._owner is turn:
                self._owner = None
            self._grant()

    def _refuse_if_parked(self, turn: _Turn) -> None:
        seconds = self.parked_seconds(turn.key)
        if seconds <= 0 or turn.urgency is Urgency.EXIT:
            turn.parked = False
            return
        until = format_time(self._clock.now() + timedelta(seconds=seconds))
        raise RetryLater(
            f"not sent: the last call of {turn.key} overran, so until {until} only its exits are sent",
            retry_after_seconds=seconds,
        )

    # -- giving back ------------------------------------------------------------------------------------------------
    def _leave(self, turn: _Turn) -> None:
        with self._mutex:
            turn.depth -= 1
            if turn.depth:
                return
            use = self._ended(turn)
            if self._owner is turn:
                self._owner = None
                self._grant()
        if self._on_use is not None:
            self._on_use(use)

    def _ended(self, turn: _Turn) -> LockUse:
        hold = self._clock.monotonic() - turn.granted_at
        wait = turn.granted_at - turn.arrived_at
        overran = hold >= self.hold_seconds
        if overran and self._owner is turn:
            self._park(turn.key)
        self.holds += 1
        self.longest_hold_seconds = max(self.longest_hold_seconds, hold)
        self.longest_wait_seconds = max(self.longest_wait_seconds, wait)
        return LockUse(turn.key, turn.urgency, wait, hold, overran)

    def take_from(self, key: str) -> bool:
        """Take the lock from this key at once, whose thread is known to hang; False if it does not hold it."""
        with self._mutex:
            if self._owner is None or self._owner.key != key:
                return False
            self._drop_owner(self._owner)
            return True

    def _evict(self, now: float) -> None:
        if self._owner is not None and now >= self._eviction_time():
            self._drop_owner(self._owner)

    def _drop_owner(self, owner: _Turn) -> None:
        self.evictions += 1
        self._park(owner.key)
        self._owner = None
        self._grant()

    def _eviction_time(self) -> float:
        if self._owner is None:
            return self._clock.monotonic()
        return self._owner.granted_at + self.hold_seconds + EVICTION_GRACE_SECONDS

    def _park(self, key: str) -> None:
        self._parked_until[key] = self._clock.monotonic() + self._parked_key_seconds


class PrivateCallLocks:
    """Which lock a key uses: the one global lock, or with `per_key` one of its own."""

    def __init__(self, make: Callable[[], PrivateCallLock], *, per_key: bool) -> None:
        self._make = make
        self._per_key = per_key
        self._mutex = threading.Lock()
        self._locks: dict[str, PrivateCallLock] = {}

    def probe(self) -> Probe:
        """Whether nobody is lost while the lock changes hands; holding it for long is another matter."""
        return Probe("Kraken's private call lock", lambda: all(lock.is_free_to_ask() for lock in self.all()))

    def for_key(self, key: str) -> PrivateCallLock:
        name = key if self._per_key else ""
        with self._mutex:
            if name not in self._locks:
                self._locks[name] = self._make()
            return self._locks[name]

    def all(self) -> tuple[PrivateCallLock, ...]:
        with self._mutex:
            return tuple(self._locks.values())
