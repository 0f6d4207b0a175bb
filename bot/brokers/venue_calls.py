"""The way of one account's calls to a venue that is asked over HTTP, where every request is signed by itself.

Here is what such venues have in common: the gate, the rate counters, the last look before the wire, what a failure of
the transport means, and what becomes of a key that is refused. What is asked, how it is signed and what an answer
means is each venue's own.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
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
    costs: Sequence[tuple[RateBudget, float]] = ()
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

    def heeding_refusals(self, call: Callable[[], T]) -> T:
        """Every private call goes through here: a key that was refused twice is left alone for a while."""
        self._refused_key.check()
        try:
            answer = call()
        except CredentialsRejected as error:
            if error.venue_code in self._key_codes:
                self._refused_key.refused(error, venue_code=error.venue_code)
            raise
        self._refused_key.accepted()
        return answer

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
        self._failpoint(call, "before")
        call.last_look()
        for spending in spendings:
            spending.leaving()
        try:
            reply = send()
            self._failpoint(call, "after")
        except RequestNotSent as error:
            for spending in spendings:
                spending.not_sent()
            passage.not_answered(error)
            raise RetryLater(f"{call.where}: {error}") from error
        except ReplyLost as error:
            passage.not_answered(error)
            raise (OutcomeUnknown if call.changes_orders else UnreadableReply)(f"{call.where}: {error}") from error
        return reply

    def _failpoint(self, call: VenueCall, moment: str) -> None:
        if call.endpoint:
            failpoint(f"{self._venue}.{moment}_{call.verb}")
