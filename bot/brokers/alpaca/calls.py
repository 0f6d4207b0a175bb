"""Calls of one Alpaca account: bounded, paced, with every failure classed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.brokers.alpaca.context import CallObserver
from bot.brokers.alpaca.errors import REFUSED_KEY, TOO_MANY, order_error, reading_error, words_of
from bot.brokers.base import Urgency
from bot.brokers.http_session import HttpReply, ReplyLost, RequestNotSent
from bot.brokers.rate_budget import RateBudget, Spending
from bot.brokers.refused_key import RefusedKey
from bot.brokers.replies import decode_json
from bot.brokers.venue_gate import Passage, Trouble, VenueGate
from bot.domain.errors import CredentialsRejected, NijaError, OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import no_last_look
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint

# Longest wait for room on a rate counter.
RATE_WAIT_SECONDS = 8.0
if TYPE_CHECKING:  # the library behind it is not imported for looking at this module
    from bot.brokers.alpaca.client import AlpacaClient

LastLook = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One request, complete. `leave_before` (monotonic seconds): it leaves by then or not at all."""

    verb: str
    path: str
    data: Mapping[str, str] | None = None
    market_data: bool = False
    leave_before: float | None = None
    last_look: LastLook = no_last_look

    @property
    def changes_orders(self) -> bool:
        return self.verb != "GET"

    @property
    def endpoint(self) -> str:
        """`POST orders`: without ids, for counting."""
        return f"{self.verb} {self.path.removeprefix('/').partition('/')[0]}"


class AlpacaCalls:
    """Everything between a path below `/v2` and its answer. `label` names the account in messages."""

    def __init__(
        self,
        client: "AlpacaClient",
        *,
        label: str,
        clock: Clock,
        gate: VenueGate,
        refused_key: RefusedKey,
        budget: RateBudget,
        data_budget: RateBudget,
        urgency: Callable[[], Urgency],
        on_private_call: CallObserver | None = None,
    ) -> None:
        self._client = client
        self._label = label
        self._clock = clock
        self._gate = gate
        self._refused_key = refused_key
        self._budget = budget
        self._data_budget = data_budget
        self._urgency = urgency
        self._on_private_call = on_private_call

    def get(self, path: str, params: Mapping[str, str] | None = None) -> object:
        """A reading of the trading API. Raises `RetryLater`, `UnreadableReply` or `CredentialsRejected`."""
        call = _Call(verb="GET", path=path, data=params)
        return self._decoded(call, self._heeding_refusals(call))

    def market_data(self, path: str, params: Mapping[str, str]) -> object:
        """A reading of the market data API, which has its own host and its own limit. Raises as `get` does."""
        call = _Call(verb="GET", path=path, data=params, market_data=True)
        self._refused_key.check()
        # What the data host says of the key may be about a subscription: it does not stop trading.
        return self._decoded(call, self._made(call))

    def post(
        self,
        path: str,
        body: Mapping[str, str],
        *,
        leave_before: float | None = None,
        last_look: LastLook = no_last_look,
    ) -> object:
        """A new order. `last_look` is called right before the wire, and what it raises is raised.

        Raises also `OrderRefused` and `OutcomeUnknown`.
        """
        call = _Call(verb="POST", path=path, data=body, leave_before=leave_before, last_look=last_look)
        return self._decoded(call, self._heeding_refusals(call))

    def delete(self, path: str) -> None:
        """Ask to end an order; an answer without a body is a yes. Raises as `post` does."""
        self._heeding_refusals(_Call(verb="DELETE", path=path))

    # -- one call ---------------------------------------------------------------------------------------------------
    def _heeding_refusals(self, call: _Call) -> HttpReply:
        self._refused_key.check()
        try:
            reply = self._made(call)
        except CredentialsRejected as error:
            if error.venue_code == REFUSED_KEY:
                self._refused_key.refused(error, venue_code=error.venue_code)
            raise
        self._refused_key.accepted()
        return reply

    def _made(self, call: _Call) -> HttpReply:
        within = RATE_WAIT_SECONDS
        if call.leave_before is not None:
            within = max(0.0, min(within, call.leave_before - self._clock.monotonic()))
        with self._on_its_way(call, within) as (spending, passage):
            return self._observed(call, spending, passage)

    @contextmanager
    def _on_its_way(self, call: _Call, within_seconds: float) -> Iterator[tuple[Spending, Passage]]:
        """Past everything that may hold a request back. Raises `RetryLater`."""
        urgency = self._urgency()
        budget = self._data_budget if call.market_data else self._budget
        with (
            self._gate.visit(self._label, urgency),
            budget.spend(1, urgency, within_seconds=within_seconds) as spending,
            self._gate.passage(self._label, urgency) as passage,
        ):
            yield spending, passage

    def _observed(self, call: _Call, spending: Spending, passage: Passage) -> HttpReply:
        started, outcome = self._clock.monotonic(), "ok"
        try:
            return self._send(call, spending, passage)
        except NijaError as error:
            outcome = type(error).__name__
            raise
        finally:
            if self._on_private_call is not None:
                self._on_private_call(self._label, call.endpoint, self._clock.monotonic() - started, outcome)

    def _send(self, call: _Call, spending: Spending, passage: Passage) -> HttpReply:
        where = self._where(call)
        failpoint(f"alpaca.before_{call.verb}")
        call.last_look()
        self._refuse_late(call, where)
        spending.leaving()
        try:
            reply = self._client.exchange(call.verb, call.path, call.data, market_data=call.market_data)
            failpoint(f"alpaca.after_{call.verb}")
        except RequestNotSent as error:
            spending.not_sent()
            self._tell_of_none(call, passage, error)
            raise RetryLater(f"{where}: {error}") from error
        except ReplyLost as error:
            self._tell_of_none(call, passage, error)
            raise (OutcomeUnknown if call.changes_orders else UnreadableReply)(f"{where}: {error}") from error
        self._tell_of(call, passage, reply)
        if not 200 <= reply.status < 300:
            raise (order_error if call.changes_orders else reading_error)(reply, where=where)
        return reply

    def _refuse_late(self, call: _Call, where: str) -> None:
        if call.leave_before is not None and self._clock.monotonic() >= call.leave_before:
            raise RetryLater(f"{where}: not sent: its time was over before it could leave")

    def _decoded(self, call: _Call, reply: HttpReply) -> object:
        try:
            return decode_json(reply.body, where=self._where(call))
        except UnreadableReply as error:
            if call.changes_orders:
                raise OutcomeUnknown(str(error)) from error
            raise

    def _where(self, call: _Call) -> str:
        return f"{self._label}: Alpaca {call.verb} {call.path}"

    # -- what an answer says of the venue ---------------------------------------------------------------------------
    def _tell_of_none(self, call: _Call, passage: Passage, error: Exception) -> None:
        if not call.market_data:
            passage.not_answered(error)

    def _tell_of(self, call: _Call, passage: Passage, reply: HttpReply) -> None:
        """Apart from what was asked. The market data host is another venue, so to speak: trading goes on without it."""
        from_api = words_of(reply).from_api
        if reply.status == TOO_MANY and from_api:
            (self._data_budget if call.market_data else self._budget).refused(reply.retry_after_seconds)
        if call.market_data:
            return
        if not 200 <= reply.status < 300:
            passage.refused_by_status(reply, from_api=from_api)
        elif reply.status == 204 or reply.body.lstrip()[:1] in (b"{", b"["):
            passage.answered()
        else:
            passage.met(Trouble.SERVER_ERROR, "an answer that is not the API's")
