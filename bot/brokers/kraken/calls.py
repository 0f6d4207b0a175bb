"""Calls of one Kraken account: public ones freely, private ones under the lock, each with nonce, deadline and class."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from bot.brokers.base import Urgency
from bot.brokers.http_session import HttpReply, ReplyLost, RequestNotSent
from bot.brokers.kraken.api import KrakenApi, SecretCannotSign
from bot.brokers.kraken.envelope import Envelope, is_api_document, open_envelope
from bot.brokers.kraken.errors import (
    DEADLINES,
    INVALID_NONCE,
    LOCKOUT_SECONDS,
    OUT_OF_SERVICE,
    REFUSED_KEY,
    TEMPORARY_LOCKOUT,
    TOO_MANY,
    TOO_MANY_REQUESTS,
    error_of,
    normal_text,
    throttled_seconds,
)
from bot.brokers.kraken.keys import KrakenKey
from bot.brokers.kraken.private_call_lock import PrivateCallLock
from bot.brokers.kraken.rates import CALL_LIMIT_TEXTS
from bot.brokers.rate_budget import RateBudget, Spending
from bot.brokers.refused_key import RefusedKey
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import Passage, Trouble, VenueGate
from bot.domain.errors import (
    ConfigurationError,
    CredentialsRejected,
    NijaError,
    OutcomeUnknown,
    RetryLater,
    StoreUnavailable,
    UnreadableReply,
    VenueError,
)
from bot.domain.order import no_last_look
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint

# (account label, endpoint, seconds without waiting for the lock, "ok" or the error's class name)
CallObserver = Callable[[str, str, float, str], None]
NONCE_RETRY_SECONDS = 30.0
# Longest wait for room on a rate counter. It comes before the lock, so nobody waits behind it.
RATE_WAIT_SECONDS = 8.0


@dataclass(frozen=True, kw_only=True)
class OrderCall:
    """A call that changes orders.

    `fields` is asked when it is our turn, so that a deadline in it is not spent on waiting. After `leave_before`
    (monotonic) the call is not made any more, and neither when `last_look` raises. `pair` (of a new order) and
    `venue_order_id` (of a cancel) say whose rate counter it is on.
    """

    method: str
    fields: Callable[[], Mapping[str, str]]
    leave_before: float | None = None
    last_look: Callable[[], None] = no_last_look
    pair: str = ""
    venue_order_id: str = ""


@dataclass(frozen=True)
class _Way:
    """What a request passes on its way out, and is told what came of it."""

    spending: Spending
    passage: Passage


class KrakenCalls:
    """Everything between a method's name and its result. `label` names the account in messages and at the lock."""

    def __init__(
        self,
        api: KrakenApi,
        *,
        label: str,
        lock: PrivateCallLock,
        lock_timeout_seconds: float,
        public_call_seconds: float,
        public_budget: RateBudget,
        key: KrakenKey,
        clock: Clock,
        venue_clock: VenueClock,
        gate: VenueGate,
        refused_key: RefusedKey,
        on_private_call: CallObserver | None = None,
    ) -> None:
        self._api = api
        self._label = label
        self._lock = lock
        self._lock_timeout_seconds = lock_timeout_seconds
        self._public_call_seconds = public_call_seconds
        self._public_budget = public_budget
        self._key = key
        self._nonces = key.nonces
        self._rates = key.rates
        self._clock = clock
        self._venue_clock = venue_clock
        self._gate = gate
        self._refused_key = refused_key
        self._on_private_call = on_private_call

    def public(
        self,
        method: str,
        fields: Mapping[str, str] | None = None,
        *,
        urgency: Urgency,
        call_seconds: float | None = None,
    ) -> object:
        """The result of a public method. Raises `RetryLater` or `UnreadableReply`."""
        where = f"Kraken {method}"
        with (
            self._gate.visit(self._label, urgency),
            self._public_budget.spend(1, urgency, within_seconds=RATE_WAIT_SECONDS) as spending,
            self._gate.passage(self._label, urgency) as passage,
        ):
            spending.leaving()
            try:
                reply = self._api.public(method, fields or {}, call_seconds=call_seconds or self._public_call_seconds)
            except RequestNotSent as error:
                spending.not_sent()
                passage.not_answered(error)
                raise RetryLater(f"{where}: {error}") from error
            except ReplyLost as error:
                passage.not_answered(error)
                raise UnreadableReply(f"{where}: {error}") from error
            envelope = self._opened(reply, where, passage, self._public_budget)
        if envelope.errors:
            if any(normal_text(text).startswith(CALL_LIMIT_TEXTS) for text in envelope.errors):
                self._public_budget.refused()
            raise error_of(envelope.errors, where=where, order_sent=False)
        return envelope.result

    def _opened(self, reply: HttpReply, where: str, passage: Passage, budget: RateBudget) -> Envelope:
        """The envelope, and what it says of the venue told to the gate. Raises as `open_envelope` does."""
        if reply.status != 200:
            from_api = is_api_document(reply)
            if reply.status == TOO_MANY and from_api:
                budget.refused(reply.retry_after_seconds)
            passage.refused_by_status(reply, from_api=from_api)
        try:
            envelope = open_envelope(reply, where=where)
        except UnreadableReply:
            if reply.status == 200:
                passage.met(Trouble.SERVER_ERROR, "an answer that is not the API's")
            raise
        texts = [normal_text(text) for text in envelope.errors]
        shut = next((text for text in texts if text.startswith(TOO_MANY_REQUESTS)), None)
        if shut is not None:
            passage.shut_out(shut)
        elif any(text.startswith(OUT_OF_SERVICE) for text in texts):
            passage.met(Trouble.MAINTENANCE, texts[0])
        else:
            passage.answered()
        return envelope

    def private(self, method: str, fields: Mapping[str, str] | None = None, *, urgency: Urgency) -> object:
        """The result of a reading. Raises `RetryLater`, `UnreadableReply` or `CredentialsRejected`."""
        return self._under_lock(OrderCall(method=method, fields=lambda: fields or {}), urgency, changes_orders=False)

    def order(self, call: OrderCall, *, urgency: Urgency) -> object:
        """The result of a call that changes orders. Raises also `OrderRefused` and `OutcomeUnknown`."""
        return self._under_lock(call, urgency, changes_orders=True)

    def _under_lock(self, call: OrderCall, urgency: Urgency, *, changes_orders: bool) -> object:
        self._refuse_while_locked_out()
        self._refused_key.check()
        with (
            self._gate.visit(self._label, urgency),
            self._room(call, urgency) as spending,
            self._lock.hold(key=self._label, urgency=urgency, timeout_seconds=self._lock_timeout_seconds),
            self._gate.passage(self._label, urgency) as passage,
        ):
            started = self._clock.monotonic()
            outcome = "ok"
            try:
                return self._send(call, _Way(spending, passage), changes_orders)
            except NijaError as error:
                outcome = type(error).__name__
                raise
            finally:
                if self._on_private_call is not None:
                    self._on_private_call(self._label, call.method, self._clock.monotonic() - started, outcome)

    def _room(self, call: OrderCall, urgency: Urgency) -> AbstractContextManager[Spending]:
        """Room on the counter that this call is on. Raises `RetryLater`, also when entered."""
        within = RATE_WAIT_SECONDS
        if call.leave_before is not None:
            within = max(0.0, min(within, call.leave_before - self._clock.monotonic()))
        if call.pair:
            return self._rates.adding(call.pair, urgency, within_seconds=within)
        if call.venue_order_id:
            return self._rates.cancelling(call.venue_order_id, urgency, within_seconds=within)
        return self._rates.call(call.method, urgency, within_seconds=within)

    def _send(self, call: OrderCall, way: _Way, changes_orders: bool) -> object:
        where = f"{self._label}: Kraken {call.method}"
        fields = call.fields()
        failpoint(f"kraken.before_{call.method}")
        # After the fields and whatever held us up since: a thread that wakes up late makes no fresh deadline.
        self._refuse_if_too_late(call, where)
        call.last_look()
        way.spending.leaving()
        envelope = self._exchange(call.method, fields, where, changes_orders, way)
        if envelope.errors:
            self._heed_limits(envelope.errors, call)
            error = error_of(envelope.errors, where=where, order_sent=changes_orders)
            if changes_orders and envelope.result:
                error = OutcomeUnknown(f"{error}, and a result", venue_code=error.venue_code)
            raise self._api_error(envelope.errors, error)
        self._nonces.accepted()
        self._refused_key.accepted()
        return envelope.result

    def _heed_limits(self, texts: Sequence[str], call: OrderCall) -> None:
        for text in map(normal_text, texts):
            seconds = throttled_seconds(text, self._venue_clock.now())
            self._rates.refused(text, pair=call.pair, venue_order_id=call.venue_order_id, seconds=seconds)

    def _exchange(
        self, method: str, fields: Mapping[str, str], where: str, changes_orders: bool, way: _Way
    ) -> Envelope:
        """One request and its envelope; every failure in its class."""
        lost = OutcomeUnknown if changes_orders else UnreadableReply
        try:
            reply = self._api.private(method, fields, call_seconds=self._lock.hold_seconds)
        except RequestNotSent as error:
            way.spending.not_sent()
            way.passage.not_answered(error)
            raise RetryLater(f"{where}: {error}") from error
        except ReplyLost as error:
            way.passage.not_answered(error)
            raise lost(f"{where}: {error}") from error
        except StoreUnavailable as error:
            raise RetryLater(f"{where}: not sent: {error}", retry_after_seconds=NONCE_RETRY_SECONDS) from error
        except ConfigurationError as error:
            raise CredentialsRejected(f"{where}: not sent: {error}") from error
        except SecretCannotSign as error:
            raise CredentialsRejected(f"{where}: not sent: the API secret cannot sign") from error
        try:
            failpoint(f"kraken.after_{method}")
            return self._opened(reply, where, way.passage, self._rates.calls)
        except (UnreadableReply, RetryLater) as error:
            # An answer that is not the API's: what the edge turned away has most likely not reached the engine, but
            # for an order "most likely" is not enough.
            if changes_orders:
                raise OutcomeUnknown(str(error), venue_code=error.venue_code) from error
            raise

    def _refuse_if_too_late(self, call: OrderCall, where: str) -> None:
        if call.leave_before is not None and self._clock.monotonic() > call.leave_before:
            raise RetryLater(f"{where}: not sent: its time had passed before it was its turn")

    def _api_error(self, texts: Sequence[str], error: VenueError) -> VenueError:
        known = [normal_text(text) for text in texts]
        if any(text.startswith(INVALID_NONCE) for text in known):
            refused = self._nonce_refused(error)
            return error if isinstance(error, OutcomeUnknown) else refused
        self._nonces.accepted()
        refusal = next((text for text in known if text.startswith(REFUSED_KEY)), None)
        if refusal is not None:
            self._refused_key.refused(error, venue_code=refusal)
        if any(text.startswith(DEADLINES) for text in known):
            self._venue_clock.doubt()
        if any(text.startswith(TEMPORARY_LOCKOUT) for text in known):
            self._key.locked_out_until = self._clock.monotonic() + LOCKOUT_SECONDS
        return error

    def _nonce_refused(self, error: VenueError) -> VenueError:
        # The venue tells its time in whole seconds, so the true time may be nearly one more.
        venue_now = self._venue_clock.now() + timedelta(seconds=1)
        venue_now_ns = None if not self._venue_clock.is_measured else int(venue_now.timestamp() * 1000) * 1_000_000
        try:
            self._nonces.recover(venue_now_ns=venue_now_ns)
        except CredentialsRejected as stop:
            return stop
        except (StoreUnavailable, ConfigurationError) as problem:
            return RetryLater(f"{error}; {problem}", retry_after_seconds=NONCE_RETRY_SECONDS)
        return error

    def _refuse_while_locked_out(self) -> None:
        seconds = self._key.locked_out_until - self._clock.monotonic()
        if seconds > 0:
            # Kraken prolongs a lock-out for every call made meanwhile.
            raise RetryLater(
                f"{self._label}: not sent: Kraken has locked this key out for a while", retry_after_seconds=seconds
            )
