"""The way of one account's calls to a venue that is asked over HTTP, where every request is signed by itself.

Here is what such venues have in common: the gate, the rate counters, the last look before the wire, what a failure of
the transport means, and what becomes of a key that is refused. What is asked, how it is signed and what an answer
means is each venue's own.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from bot.brokers.base import Urgency
from bot.brokers.http_session import HttpReply, ReplyLost, RequestNotSent
from bot.brokers.rate_budget import RateBudget, Spending
from bot.brokers.refused_key import RefusedKey
from bot.brokers.venue_gate import Passage, VenueGate
from bot.domain.errors import CredentialsRejected, NijaError, OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import no_last_look
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint

T = TypeVar("T")
# (account label, endpoint, seconds on the wire, "ok" or the error's class name)
CallObserver = Callable[[str, str, float, str], None]
Costs = Sequence[tuple[RateBudget, float]]
# Longest wait for room on a rate counter.
RATE_WAIT_SECONDS = 8.0


@dataclass(frozen=True, kw_only=True)
class VenueCall:
    """One request: its name in messages and in the metrics, what it costs, and whether it may change orders.

    A call without `endpoint` is not reported to the observer, and no drill's. `last_look` is asked right before the
    wire.
    """

    where: str
    verb: str
    endpoint: str = ""
    costs: Costs = ()
    changes_orders: bool = False
    within_seconds: float = RATE_WAIT_SECONDS
    last_look: Callable[[], None] = field(default=no_last_look, repr=False)


class VenueCalls:
    """`venue` names the failpoints (`okx.before_POST`); `key_codes` are the words that refuse the key itself."""

    def __init__(
        self,
        *,
        venue: str,
        label: str,
        clock: Clock,
        gate: VenueGate,
        urgency: Callable[[], Urgency],
        refused_key: RefusedKey,
        key_codes: Collection[str],
        on_private_call: CallObserver | None = None,
    ) -> None:
        self._venue = venue
        self._label = label
        self._clock = clock
        self._gate = gate
        self._urgency = urgency
        self._refused_key = refused_key
        self._key_codes = key_codes
        self._on_private_call = on_private_call

    def has_room(self, costs: Costs, urgency: Urgency) -> bool:
        """Whether nothing of the key, the venue or the counters stands in a call's way now. Nothing is charged."""
        with suppress(NijaError):
            self._refused_key.check()
            with self._gate.visit(self._label, urgency):
                return all(budget.has_room(cost, urgency) for budget, cost in costs)
        return False

    def begin(self, call: VenueCall, urgency: Urgency) -> "CallUnderWay":
        """A call that is made on the feed loop, where nobody may wait: now, or not at all.

        Raises `RetryLater` or `CredentialsRejected` when something stands in its way: nothing was sent.
        """
        self._refused_key.check()
        held = ExitStack()
        try:
            held.enter_context(self._gate.visit(self._label, urgency))
            spendings = [
                held.enter_context(budget.spend(cost, urgency, within_seconds=0.0)) for budget, cost in call.costs
            ]
            passage = held.enter_context(self._gate.passage(self._label, urgency))
        except BaseException:
            held.close()
            raise
        return CallUnderWay(self, call, held, spendings, passage, self._clock.monotonic())

    def heeding_refusals(self, call: Callable[[], T]) -> T:
        """Every private call goes through here: a key that was refused twice is left alone for a while."""
        self._refused_key.check()
        try:
            answer = call()
        except CredentialsRejected as error:
            self.key_was_refused(error)
            raise
        self._refused_key.accepted()
        return answer

    def key_was_refused(self, error: CredentialsRejected) -> None:
        """Takes it to heart when it is about the key itself."""
        if error.venue_code in self._key_codes:
            self._refused_key.refused(error, venue_code=error.venue_code)

    def key_was_taken(self) -> None:
        self._refused_key.accepted()

    def make(
        self,
        call: VenueCall,
        send: Callable[[], HttpReply],
        read: Callable[[HttpReply, Passage], T],
    ) -> T:
        """Wait for the call's turn, send it once, and `read` the answer; `read` also tells the gate what it says of it.

        Raises `RetryLater` when it was certainly not sent, `OutcomeUnknown` (or `UnreadableReply` for a reading) when
        its answer is lost, and whatever `send`, `last_look` and `read` raise.
        """
        urgency = self._urgency()
        with ExitStack() as way:
            way.enter_context(self._gate.visit(self._label, urgency))
            spendings = [
                way.enter_context(budget.spend(cost, urgency, within_seconds=call.within_seconds))
                for budget, cost in call.costs
            ]
            passage = way.enter_context(self._gate.passage(self._label, urgency))
            return self._observed(call, lambda: read(self._send(call, send, spendings, passage), passage))

    def _observed(self, call: VenueCall, work: Callable[[], T]) -> T:
        started, outcome = self._clock.monotonic(), "ok"
        try:
            return work()
        except NijaError as error:
            outcome = type(error).__name__
            raise
        finally:
            self.report(call, started, outcome)

    def report(self, call: VenueCall, started: float, outcome: str) -> None:
        """Tell the observer what came of a call that began at `started` (monotonic)."""
        if self._on_private_call is not None and call.endpoint:
            seconds = self._clock.monotonic() - started
            self._on_private_call(self._label, f"{call.verb} {call.endpoint}", seconds, outcome)

    def _send(
        self,
        call: VenueCall,
        send: Callable[[], HttpReply],
        spendings: Sequence[Spending],
        passage: Passage,
    ) -> HttpReply:
        self.failpoint(call, "before")
        call.last_look()
        for spending in spendings:
            spending.leaving()
        try:
            reply = send()
            self.failpoint(call, "after")
        except RequestNotSent as error:
            for spending in spendings:
                spending.not_sent()
            passage.not_answered(error)
            raise RetryLater(f"{call.where}: {error}") from error
        except ReplyLost as error:
            raise lost(call, error, passage) from error
        return reply

    def failpoint(self, call: VenueCall, moment: str) -> None:
        """The drills' places right before and right after the wire."""
        if call.endpoint:
            failpoint(f"{self._venue}.{moment}_{call.verb}")


class CallUnderWay:
    """A call on the feed loop: `leaving` right before its bytes are written, then one of `heard` and `lost`, or `stay`.

    Whichever it was, what the call held is given back.
    """

    def __init__(
        self,
        calls: VenueCalls,
        call: VenueCall,
        held: ExitStack,
        spendings: Sequence[Spending],
        passage: Passage,
        started: float,
    ) -> None:
        self._calls = calls
        self._call = call
        self._held = held
        self._spendings = spendings
        self._passage = passage
        self._started = started

    def leaving(self) -> None:
        """Raises what the last look raises: then nothing leaves."""
        self._calls.failpoint(self._call, "before")
        self._call.last_look()
        for spending in self._spendings:
            spending.leaving()

    def stay(self) -> None:
        """Not a byte of it was written."""
        for spending in self._spendings:
            spending.not_sent()
        self._held.close()

    def heard(self, reply: HttpReply, read: Callable[[HttpReply, Passage], T]) -> T:
        """What `read` makes of the answer; raises what it raises."""
        outcome = "ok"
        try:
            self._calls.failpoint(self._call, "after")
            answer = read(reply, self._passage)
            self._calls.key_was_taken()
        except NijaError as error:
            outcome = type(error).__name__
            if isinstance(error, CredentialsRejected):
                self._calls.key_was_refused(error)
            raise
        else:
            return answer
        finally:
            self._end(outcome)

    def lost(self, error: ReplyLost) -> NijaError:
        """What it means that there is no complete answer."""
        meaning = lost(self._call, error, self._passage)
        self._end(type(meaning).__name__)
        return meaning

    def _end(self, outcome: str) -> None:
        self._held.close()
        self._calls.report(self._call, self._started, outcome)


def lost(call: VenueCall, error: ReplyLost, passage: Passage) -> OutcomeUnknown | UnreadableReply:
    """A call that left and has no complete answer."""
    passage.not_answered(error)
    return (OutcomeUnknown if call.changes_orders else UnreadableReply)(f"{call.where}: {error}")
