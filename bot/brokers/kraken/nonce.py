"""Nonces of one Kraken key: `max(last + 1, now in nanoseconds)`, strictly increasing whatever happens.

Kraken remembers the highest nonce of a key for ever, so nothing here ever goes down: not after a restart, a kill -9, a
clock set back, or with a second process on the same file. A ceiling is made durable first and nonces below it are
handed out from memory, so that a crash skips numbers and never repeats one, and a call costs no fsync.
"""

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.brokers.kraken.nonce_file import HIGHEST, NonceFile, NonceRecord
from bot.domain.errors import CredentialsRejected, StoreUnavailable
from bot.seams.clock import Clock

NANOSECONDS_PER_MILLISECOND = 1_000_000
REFUSALS_UNTIL_STOP = 3
# How far above everything known a recovery jumps, by how often in a row the venue has refused. Small first: a nonce
# ahead of the clock only moves the problem into the future.
RECOVERY_JUMP_SECONDS = (0, 60)

# So far ahead of its file's reservation a process reserves where processes work with the key one after the other: one
# commit in about a minute, and so far the next one jumps forward after a crash.
SHARED_AHEAD_NS = 60 * 1_000_000_000

log = logging.getLogger(__name__)


class SharedCeilings(Protocol):
    """Up to where nonces may have been used by any process (bot/storage/nonce_ceilings.py)."""

    def reserve(self, key: str, *, wanted: int, ahead: int, held: int) -> tuple[int, int]:
        """(the lowest nonce that may be used, the new ceiling); `held` is the ceiling of our own reservation.

        Raises `StoreUnavailable`.
        """

    def give_back(self, unused: "Sequence[Unused]") -> None:
        """We use no more: the next one begins below what was reserved. Raises `StoreUnavailable`."""


@dataclass(frozen=True)
class Unused:
    """Of the nonces of a key that were reserved below `held`, none from `used_below` on was used."""

    key: str
    used_below: int
    held: int


def key_fingerprint(api_key: str) -> str:
    """16 hex characters that name a key without giving it away."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]


class NonceSource:
    """The only source of nonces of one key. Any thread may call it.

    `reserve_milliseconds`: how far ahead of the clock a reservation reaches, which is also the most by which nonces can
    jump forward over a restart.
    """

    def __init__(
        self,
        path: Path,
        *,
        api_key: str,
        clock: Clock,
        reserve_milliseconds: int = 2000,
        shared: SharedCeilings | None = None,
    ) -> None:
        if reserve_milliseconds <= 0:
            raise ValueError("the nonce reserve must be positive")
        self._file = NonceFile(path, clock)
        self._key = key_fingerprint(api_key)
        self._clock = clock
        self._reserve_ns = reserve_milliseconds * NANOSECONDS_PER_MILLISECOND
        self._lock = threading.Lock()
        self._last = 0
        self._ceiling = 0  # exclusive; equal to what the file says while the reservation is ours
        self._refusals = 0
        self._shared = shared
        self._shared_ceiling = 0  # exclusive; 0 = nothing is reserved among the processes

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def last(self) -> int:
        """The last nonce handed out in this process, 0 before the first."""
        return self._last

    @property
    def refusals_in_a_row(self) -> int:
        return self._refusals

    def ahead_of_clock_seconds(self) -> float:
        """How far the last nonce is ahead of the clock (negative: behind); above the reserve the clock was set back."""
        return (self._last - self._clock.wall_ns()) / 1e9

    def next(self) -> int:
        """A nonce above every other ever handed out for this file.

        Raises `StoreUnavailable` (the file can't be written or is held), `ConfigurationError` (it makes no sense) or
        `CredentialsRejected` (the venue has refused this key's nonces again and again).
        """
        with self._lock:
            self._refuse_if_stopped()
            nonce = max(self._last + 1, self._clock.wall_ns())
            if nonce < self._ceiling and self._is_ours(self._file.settled()):
                self._last = nonce
                return nonce
            # Under the file's lock: a reservation of another process is seen here, or waits until this nonce is out.
            with self._file.locked():
                record = self._file.read()
                nonce = max(self._last + 1, self._clock.wall_ns())
                if nonce >= self._ceiling or not self._is_ours(record):
                    nonce = self._reserve(record, nonce)
                self._last = nonce
            return nonce

    def _is_ours(self, record: NonceRecord | None) -> bool:
        """Whether this is the reservation that this object made."""
        return record is not None and record.ceiling == self._ceiling and record.key == self._key

    def accepted(self) -> None:
        """The venue answered something else than "invalid nonce"."""
        self._refusals = 0

    def hand_over(self) -> Unused | None:
        """Another process works with the key from here on; used again here, it begins above whatever that one has used.

        Returns what may be given back of what was reserved among the processes; None = nothing was.
        """
        with self._lock:
            held, self._shared_ceiling, self._ceiling = self._shared_ceiling, 0, 0
            return Unused(self._key, self._last + 1, held) if held else None

    def recover(self, *, venue_now_ns: int | None = None) -> None:
        """After `EAPI:Invalid nonce`: reserve above everything known, a little more each time.

        After three refusals in a row the key stops: something else uses it, and jumping further would only win a race
        for a moment. Raises `CredentialsRejected` then.
        """
        with self._lock:
            self._refusals += 1
            self._refuse_if_stopped()
            with self._file.locked():
                record = self._file.read()
                jump_ns = RECOVERY_JUMP_SECONDS[min(self._refusals, len(RECOVERY_JUMP_SECONDS)) - 1] * 1_000_000_000
                stored = record.ceiling if record is not None else 0
                known = max(self._last + 1, self._ceiling, stored, self._clock.wall_ns(), venue_now_ns or 0)
                self._last = self._reserve(record, known + jump_ns) - 1
        log.warning("%s: the venue refused a nonce; going on above %d", self.path.name, self._last)

    def _reserve(self, record: NonceRecord | None, wanted: int) -> int:
        """Make a new ceiling durable; returns the lowest nonce that may be used under it."""
        start = wanted
        if record is not None:
            if record.key not in (None, self._key):
                # Another key's numbers do no harm as a floor, and a key that comes back later finds them kept.
                log.warning("%s belonged to another API key; its nonces are kept as a floor", self.path)
            # Our own reservation reaches above `wanted` only after a step back of the clock, and what is below it was
            # handed out by this very object, which knows its last. Anybody else's must be skipped whole.
            if record.ceiling != self._ceiling or record.key != self._key:
                start = max(wanted, record.ceiling)
        start = self._above_all_processes(start)
        ceiling = max(start + self._reserve_ns, record.ceiling if record is not None else 0)
        if ceiling > HIGHEST:
            raise StoreUnavailable(f"{self.path}: no nonces are left below the venue's limit; use a new API key")
        self._file.write(NonceRecord(ceiling, self._key))
        self._ceiling = ceiling
        return start

    def _above_all_processes(self, start: int) -> int:
        """Where others may work with the key before and after us: reserved among them before it is in our file."""
        if self._shared is None or start + self._reserve_ns <= self._shared_ceiling:
            return start
        ahead = self._reserve_ns + SHARED_AHEAD_NS
        lowest, self._shared_ceiling = self._shared.reserve(
            self._key, wanted=start, ahead=ahead, held=self._shared_ceiling
        )
        return lowest

    def _refuse_if_stopped(self) -> None:
        if self._refusals >= REFUSALS_UNTIL_STOP:
            raise CredentialsRejected(
                f"Kraken refused {self._refusals} nonces in a row although {self.path.name} only ever rises: another"
                " program uses this API key. Give this bot a key of its own and restart.",
                venue_code="EAPI:Invalid nonce",
            )
