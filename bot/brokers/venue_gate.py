"""What all accounts of one venue know together: that it has shut us out, or that it does not work.

A stop is the venue's own word, or its edge's, about our address: nothing but an exit now and then is sent until it is
over, and after a ban not even that. The breaker is our conclusion: when half of the accounts meet the same trouble
within a minute, the others need not find out one by one. Exits go on, and one caller at a time tries whether it works
again. What befalls one account alone concerns nobody else.
"""

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from bot.brokers.base import Urgency
from bot.brokers.ending import Ending
from bot.brokers.http_session import MAX_RETRY_AFTER_SECONDS, HttpReply, ReplyCut, RequestNotSent, SessionClosed
from bot.domain.errors import VenueStopped
from bot.seams.clock import Clock
from bot.supervision.probes import Probe, lock_probe

log = logging.getLogger(__name__)

WINDOW_SECONDS = 60.0
LEAST_FAILING = 3
FAILING_FRACTION = 0.5
FIRST_PROBE_SECONDS = 5.0
LONGEST_PROBE_SECONDS = 60.0
# A prober that does not come back is believed lost after this, and another may try.
LOST_PROBE_SECONDS = 30.0
FIRST_STOP_SECONDS = 30.0
EXIT_TRIES_SECONDS = 5.0
IP_BAN = 418
EDGE_REFUSALS = (403, 429)
# These are let through a breaker that is open; entries are never sent as a probe, for their outcome would be unknown.
URGENT = (Urgency.EXIT, Urgency.CANCEL)
PROBERS = (Urgency.RESOLVE, Urgency.POLL)


class Trouble(StrEnum):
    """Failures that say something about the venue. What it says of a key, an order or a market is not among them."""

    SERVER_ERROR = "server errors"
    SILENCE = "no complete answer"
    NO_CONNECTION = "no connection"
    MAINTENANCE = "out of service"


@dataclass(frozen=True, kw_only=True)
class VenueState:
    """How a venue stands. `stopped_until` is None while nothing is stopped, `since` the moment of the last change."""

    venue: str
    breaker: Literal["closed", "open", "probing"]
    reason: str
    since: datetime
    stopped_until: datetime | None
    probes: int


@dataclass(eq=False)
class Passage:
    """One request on its way; whoever sends it says what came of it, or nothing if it did not leave."""

    account: str
    urgency: Urgency
    entered_at: float
    gate: "VenueGate"
    is_probe: bool = False

    def answered(self) -> None:
        """The API itself has answered, whatever it said."""
        self.gate.answered(self)

    def met(self, trouble: Trouble, said: str) -> None:
        """It came to nothing for a reason that others may meet as well; `said` is what came instead of an answer."""
        self.gate.met(self, trouble, said)

    def shut_out(self, reason: str, *, retry_after_seconds: float | None = None, ban: bool = False) -> None:
        """The venue or its edge wants nothing from this address for a while; `ban` = no exits either."""
        self.gate.shut_out(self, reason, retry_after_seconds, ban=ban)

    def not_answered(self, error: Exception) -> None:
        """`RequestNotSent` or `ReplyLost` has come instead of an answer."""
        if not isinstance(error, SessionClosed | ReplyCut):
            self.met(Trouble.NO_CONNECTION if isinstance(error, RequestNotSent) else Trouble.SILENCE, str(error))

    def refused_by_status(self, reply: HttpReply, *, from_api: bool) -> None:
        """Any status but success. `from_api` = the body is in the API's own form, so the edge has let it through."""
        said, wish = f"HTTP {reply.status}", reply.retry_after_seconds
        if reply.status == IP_BAN:
            self.shut_out(said, retry_after_seconds=wish, ban=True)
        elif reply.status in EDGE_REFUSALS and not from_api:
            self.shut_out(said, retry_after_seconds=wish)
        elif reply.status >= 500 or not from_api:
            self.met(Trouble.SERVER_ERROR, said)
        else:
            self.answered()


@dataclass(frozen=True)
class _Stop:
    reason: str
    begun_at: float
    until: float
    ban: bool


class VenueGate:
    """One per venue and process; any thread may use it. No call to the outside is made under its mutex."""

    def __init__(
        self,
        clock: Clock,
        venue: str,
        *,
        on_change: Callable[[VenueState], None] | None = None,
        ending: Ending | None = None,
    ) -> None:
        self.venue = venue
        self._ending = ending or Ending()
        self._clock = clock
        self._on_change = on_change
        self._mutex = threading.Lock()
        self._accounts: Counter[str] = Counter()
        self._failing: dict[str, tuple[Trouble, float]] = {}
        self._stop: _Stop | None = None
        self._next_stop_seconds = FIRST_STOP_SECONDS
        self._exit_tried_at = -math.inf
        self._opened_at: float | None = None
        self._closed_at = -math.inf
        self._open_reason = ""
        self._probe_seconds = FIRST_PROBE_SECONDS
        self._probe_at = 0.0
        self._probe: Passage | None = None
        self._probes = 0
        self._since = clock.now()
        self._version = self._told = 0
        self._telling = False

    def probe(self) -> Probe:
        """Whether nobody is lost inside."""
        return lock_probe(f"the gate of {self.venue}", self._mutex)

    # -- accounts ---------------------------------------------------------------------------------------------------
    def join(self, account: str) -> None:
        """An account of this venue is in use: half of them is what opens the breaker."""
        with self._mutex:
            self._accounts[account] += 1

    def leave(self, account: str) -> None:
        with self._mutex:
            self._accounts[account] -= 1
            if self._accounts[account] <= 0:
                del self._accounts[account]
                self._failing.pop(account, None)

    def state(self) -> VenueState:
        """How the venue stands now."""
        with self._mutex:
            return self._state()

    # -- calls ------------------------------------------------------------------------------------------------------
    @contextmanager
    def visit(self, account: str, urgency: Urgency) -> Iterator[None]:
        """Around everything a call waits for: who would be turned away at the end is turned away here at once.

        Raises `VenueStopped` (nothing was sent). What has changed is told when the block is left, with no lock held.
        """
        with self._mutex:
            self._admit(urgency, self._clock.monotonic())
        try:
            yield
        finally:
            self._tell()

    @contextmanager
    def passage(self, account: str, urgency: Urgency) -> Iterator[Passage]:
        """Around the request itself. Raises `VenueStopped` (nothing was sent)."""
        with self._mutex:
            now = self._clock.monotonic()
            is_probe = self._admit(urgency, now)
            passage = Passage(account, urgency, now, self, is_probe)
            if self._stop is not None:
                self._exit_tried_at = now
            if is_probe:
                self._begin_probe(passage)
        try:
            yield passage
        finally:
            with self._mutex:
                if self._probe is passage:  # no verdict: it did not leave, and proves nothing
                    self._probe = None
                    self._changed()

    def _admit(self, urgency: Urgency, now: float) -> bool:
        """Raises `VenueStopped`; True when the call would be a probe."""
        self._ending.refuse(urgency)
        self._refuse_while_stopped(urgency, now)
        if self._opened_at is None or urgency in URGENT:
            return False
        probing = self._probe is not None and now - self._probe.entered_at < LOST_PROBE_SECONDS
        if urgency in PROBERS and not probing and now >= self._probe_at:
            return True
        raise VenueStopped(f"not sent: {self._describe()}", retry_after_seconds=max(1.0, self._probe_at - now))

    def _refuse_while_stopped(self, urgency: Urgency, now: float) -> None:
        stop = self._stop
        if stop is None:
            return
        if now >= stop.until:
            self._stop = None
            self._changed()
            return
        exit_may_try = not stop.ban and now - self._exit_tried_at >= EXIT_TRIES_SECONDS
        if urgency is Urgency.EXIT and exit_may_try:
            return
        again = stop.until - now
        if urgency is Urgency.EXIT and not stop.ban:
            again = min(again, self._exit_tried_at + EXIT_TRIES_SECONDS - now)
        raise VenueStopped(f"not sent: {self._describe()}", retry_after_seconds=again)

    # -- verdicts ---------------------------------------------------------------------------------------------------
    def answered(self, passage: Passage) -> None:
        with self._mutex:
            self._failing.pop(passage.account, None)
            stop = self._stop
            if stop is not None and passage.entered_at > stop.begun_at:
                self._stop = None
                self._changed()
            if self._stop is None:
                self._next_stop_seconds = FIRST_STOP_SECONDS
            if self._opened_at is not None and passage.entered_at > self._opened_at:
                self._close()

    def met(self, passage: Passage, trouble: Trouble, said: str) -> None:
        with self._mutex:
            now = self._clock.monotonic()
            self._failing[passage.account] = (trouble, now)
            if self._probe is passage:
                self._probe = None
                self._probe_seconds = min(2 * self._probe_seconds, LONGEST_PROBE_SECONDS)
                self._probe_at = now + self._probe_seconds
                self._changed()
            if self._opened_at is None:
                self._open_if_common(trouble, said, now)

    def shut_out(self, passage: Passage, reason: str, retry_after_seconds: float | None, *, ban: bool) -> None:
        with self._mutex:
            now = self._clock.monotonic()
            stop = self._stop
            if stop is not None and passage.entered_at <= stop.begun_at and not (ban and not stop.ban):
                return  # it was under way when the stop began: the same event
            seconds = retry_after_seconds
            if seconds is None:
                seconds = self._next_stop_seconds
                self._next_stop_seconds = min(2 * seconds, MAX_RETRY_AFTER_SECONDS)
            self._stop = _Stop(reason, now, now + min(max(seconds, 1.0), MAX_RETRY_AFTER_SECONDS), ban)
            self._exit_tried_at = now
            self._changed()
            log.warning("%s", self._describe())

    # -- the breaker ------------------------------------------------------------------------------------------------
    def _open_if_common(self, trouble: Trouble, said: str, now: float) -> None:
        failing = sum(kind is trouble and now - at <= WINDOW_SECONDS for kind, at in self._failing.values())
        accounts = max(len(self._accounts), len(self._failing))
        if failing < max(LEAST_FAILING, FAILING_FRACTION * accounts):
            return
        self._opened_at, self._probes = now, 0
        if now - self._closed_at > WINDOW_SECONDS:
            self._probe_seconds = FIRST_PROBE_SECONDS
        self._probe_at = now + self._probe_seconds
        self._open_reason = f"{trouble} at {failing} of {accounts} accounts within {WINDOW_SECONDS:g} s ({said[:100]})"
        self._changed()
        log.warning("%s", self._describe())

    def _begin_probe(self, passage: Passage) -> None:
        self._probe = passage
        self._probes += 1
        self._changed()

    def _close(self) -> None:
        self._opened_at, self._probe, self._open_reason = None, None, ""
        self._closed_at = self._clock.monotonic()
        self._failing.clear()
        self._changed()
        log.warning("%s answers again after %d probes", self.venue, self._probes)

    # -- telling ----------------------------------------------------------------------------------------------------
    def _changed(self) -> None:
        self._version += 1
        self._since = self._clock.now()

    def _state(self) -> VenueState:
        stop = self._stop
        remaining = 0.0 if stop is None else stop.until - self._clock.monotonic()
        open_word: Literal["open", "probing"] = "open" if self._probe is None else "probing"
        return VenueState(
            venue=self.venue,
            breaker="closed" if self._opened_at is None else open_word,
            reason=self._open_reason if stop is None else stop.reason,
            since=self._since,
            stopped_until=self._clock.now() + timedelta(seconds=remaining) if remaining > 0 else None,
            probes=self._probes,
        )

    def _describe(self) -> str:
        state, now = self._state(), self._clock.monotonic()
        if self._stop is not None:
            exits = "not even exits" if self._stop.ban else f"but an exit every {EXIT_TRIES_SECONDS:g} s"
            return (
                f"{self.venue} has shut this address out ({state.reason}): nothing is sent, {exits}, "
                f"until {_second(self._clock.now() + timedelta(seconds=self._stop.until - now))}"
            )
        assert self._opened_at is not None
        since = self._clock.now() - timedelta(seconds=now - self._opened_at)
        probes = "1 probe" if state.probes == 1 else f"{state.probes} probes"
        return f"{self.venue} breaker open since {_second(since)}: {state.reason}; {probes}"

    def _tell(self) -> None:
        """One thread at a time tells, and what it tells last is how it is."""
        while True:
            with self._mutex:
                if self._telling or self._told == self._version:
                    return
                self._telling, version, state = True, self._version, self._state()
            try:
                if self._on_change is not None:
                    self._on_change(state)
            except Exception:  # whoever wants to know must not cost a call
                log.exception("The state of %s could not be noted", self.venue)
            finally:
                with self._mutex:
                    self._telling, self._told = False, version


def _second(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
