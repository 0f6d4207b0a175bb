"""Calls of one account at a venue whose requests ccxt signs: bounded, sent once, every answer classed by its code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from bot.brokers.by_ccxt.meanings import Meaning, Refusal, page_error, refusal_error
from bot.brokers.by_ccxt.signer import CcxtSigner
from bot.brokers.http_session import MAX_BODY_BYTES, MEBIBYTE, CallLimits, HttpReply, VenueSession
from bot.brokers.kept_http import WrittenRequest
from bot.brokers.rate_budget import RateBudget
from bot.brokers.replies import decode_json
from bot.brokers.rest_lane import OrderCall
from bot.brokers.venue_calls import RATE_WAIT_SECONDS, VenueCall, VenueCalls
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import Passage, Trouble
from bot.domain.errors import OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import OrderAck, no_last_look
from bot.seams.clock import Clock

T = TypeVar("T")
Params = Mapping[str, object]
# Binance's list of markets is one document of many megabytes.
MAX_LIST_BYTES = 32 * MEBIBYTE
# A list carries megabytes and holds nobody up.
LIST_CALL_LIMITS = 4
# An order that has less time left than this part of its deadline may reach the venue too late: it is not sent.
LEAST_PART_OF_DEADLINE = 0.25


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """`interface` and `path` are ccxt's names. `cost` counts so that 5 a second is what the venue allows.

    `call_seconds` is a deadline of its own, shorter than that of other calls.
    """

    verb: str
    path: str
    interface: str = "private"
    cost: float = 1.0
    # What it takes of the key's counter where the address has one of its own that every call is counted on.
    key_cost: float = 0.0
    is_list: bool = False
    keyless: bool = False
    call_seconds: float | None = None

    @property
    def signed(self) -> bool:
        return self.interface != "public" and not self.keyless


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a venue speaks, whatever is asked.

    `urls` gives the address of each interface from the base URL. `refusal_in` finds the API's "no" in a document and
    its status (None = no refusal); `speaks` tells whether a document is the API's at all. `bounded` adds to an order's
    parameters and headers until when the venue may take it: it gets the parameters, the venue's time and the seconds
    left. `by_address`: every call is counted on the address's counter, and orders on the key's as well.
    `weight_a_minute`: the address's allowance, where the answers say how much of it is used.
    """

    venue: str
    exchange_id: str
    urls: Callable[[str], Mapping[str, str]]
    options: Mapping[str, object]
    key_codes: frozenset[str]
    refusal_in: Callable[[object, int], Refusal | None]
    speaks: Callable[[object], bool]
    bounded: Callable[[Params, datetime, float], tuple[Params, Mapping[str, str]]]
    by_address: bool
    weight_a_minute: int | None = None


class CcxtCalls:
    """Everything between an endpoint and the document that answers it."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        base_url: str,
        label: str,
        session: VenueSession,
        limits: CallLimits,
        make_signer: Callable[[Mapping[str, str]], CcxtSigner],
        way: VenueCalls,
        clock: Clock,
        venue_clock: VenueClock,
        read_time: Callable[["CcxtCalls"], datetime],
        budget: RateBudget,
        public_budget: RateBudget,
        order_deadline_seconds: float,
        headers: Mapping[str, str],
    ) -> None:
        self._dialect = dialect
        self._urls = dialect.urls(base_url.rstrip("/"))
        self._label = label
        self._session = session
        self._limits = limits
        self._make_signer = make_signer
        self._signer: CcxtSigner | None = None
        self._way = way
        self._clock = clock
        self._venue_clock = venue_clock
        self._read_time = read_time
        self._budget = budget
        self._public_budget = public_budget
        self._deadline_seconds = order_deadline_seconds
        self._headers = headers

    @property
    def way(self) -> VenueCalls:
        """The way of the account's calls."""
        return self._way

    @property
    def known_time(self) -> VenueClock:
        """The venue's time as it is known; nobody is asked."""
        return self._venue_clock

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def venue_clock(self) -> VenueClock:
        """Measured when it was not, or not lately."""
        self._keep_time()
        return self._venue_clock

    def _keep_time(self) -> None:
        """Signatures are made by the venue's time."""
        self._venue_clock.keep(lambda: self._read_time(self))

    def where(self, endpoint: Endpoint) -> str:
        """The account, venue and endpoint, for messages."""
        return f"{self._label}: {self._dialect.venue} {endpoint.verb} {endpoint.path}"

    # -- readings ---------------------------------------------------------------------------------------------------
    def read(self, endpoint: Endpoint, params: Params | None = None) -> object:
        """The document. Raises `RetryLater`, `VenueInMaintenance`, `UnreadableReply` or `CredentialsRejected`."""
        asked = params or {}
        if not endpoint.signed:
            return self._public(endpoint, asked)
        return self._way.heeding_refusals(lambda: self._signed_reading(endpoint, asked))

    def _public(self, endpoint: Endpoint, params: Params) -> object:
        url = f"{self._urls[endpoint.interface]}/{endpoint.path}"
        texts = {name: str(value) for name, value in params.items()}
        call = VenueCall(where=self.where(endpoint), verb=endpoint.verb, costs=self.costs(endpoint))
        return self._way.make(
            call,
            lambda: self._exchange(endpoint, url, params=texts),
            lambda reply, passage: self._heard(reply, passage, endpoint, changes_orders=False),
        )

    def _signed_reading(self, endpoint: Endpoint, params: Params) -> object:
        """A request that was signed by a wrong time is certainly not processed: it is made once more by a new one."""
        try:
            return self._signed(endpoint, params)
        except RetryLater as error:
            if not self._venue_clock.needs_measuring or not error.venue_code:
                raise
            return self._signed(endpoint, params)

    def _signed(self, endpoint: Endpoint, params: Params) -> object:
        self._keep_time()
        call = VenueCall(
            where=self.where(endpoint), verb=endpoint.verb, endpoint=endpoint.path, costs=self.costs(endpoint)
        )
        return self._way.make(
            call,
            lambda: self._send(endpoint, self._signed_request(endpoint, params, {})),
            lambda reply, passage: self._heard(reply, passage, endpoint, changes_orders=False),
        )

    # -- orders -----------------------------------------------------------------------------------------------------
    def change(
        self,
        endpoint: Endpoint,
        params: Params,
        read: Callable[[object], T],
        *,
        leave_before: float | None = None,
        last_look: Callable[[], None] = no_last_look,
    ) -> T:
        """A call that changes orders, and what `read` makes of its document.

        After `leave_before` (monotonic) it does not leave, and the venue takes it no more. `last_look` is called right
        before the wire, and what it raises is raised. Raises also `OrderRefused` and `OutcomeUnknown`.
        """
        self._keep_time()
        within = RATE_WAIT_SECONDS
        if leave_before is not None:
            within = max(0.0, min(within, leave_before - self._least_seconds - self._clock.monotonic()))
        call = self._changing(endpoint, within_seconds=within, last_look=last_look)
        return self._way.heeding_refusals(
            lambda: self._way.make(
                call,
                lambda: self._send(endpoint, self._bounded(endpoint, params, leave_before)),
                lambda reply, passage: read(self._heard(reply, passage, endpoint, changes_orders=True)),
            )
        )

    def order_call(
        self, endpoint: Endpoint, params: Params, read: Callable[[object], OrderAck], *, leave_before: float
    ) -> OrderCall:
        """The same for an order that leaves in a batch with others'; nothing is asked and nothing is sent here."""
        return OrderCall(
            call=self._changing(endpoint, within_seconds=0.0, last_look=no_last_look),
            write=lambda: self._bounded(endpoint, params, leave_before),
            read=lambda reply, passage: read(self._heard(reply, passage, endpoint, changes_orders=True)),
            leave_before=leave_before - self._least_seconds,
        )

    def _changing(self, endpoint: Endpoint, *, within_seconds: float, last_look: Callable[[], None]) -> VenueCall:
        return VenueCall(
            where=self.where(endpoint),
            verb=endpoint.verb,
            endpoint=endpoint.path,
            costs=self.costs(endpoint),
            changes_orders=True,
            within_seconds=within_seconds,
            last_look=last_look,
        )

    def _bounded(self, endpoint: Endpoint, params: Params, leave_before: float | None) -> WrittenRequest:
        """Signed as it leaves now, and good no longer than `leave_before`."""
        if leave_before is None:
            return self._signed_request(endpoint, params, {})
        left = leave_before - self._clock.monotonic()
        if left < self._least_seconds:
            raise RetryLater(f"{self.where(endpoint)}: not sent: its time was over before it could leave")
        bounded, headers = self._dialect.bounded(params, self._venue_clock.now(), left)
        return self._signed_request(endpoint, bounded, headers)

    @property
    def _least_seconds(self) -> float:
        return LEAST_PART_OF_DEADLINE * self._deadline_seconds

    def signer(self) -> CcxtSigner:
        """Made when something is signed for the first time. Signing changes nothing in it: any thread may."""
        if self._signer is None:
            self._signer = self._make_signer(self._urls)
        return self._signer

    # -- the wire ---------------------------------------------------------------------------------------------------
    def _signed_request(self, endpoint: Endpoint, params: Params, headers: Mapping[str, str]) -> WrittenRequest:
        made = self.signer().sign(endpoint.interface, endpoint.path, endpoint.verb, params)
        return WrittenRequest(
            verb=endpoint.verb, url=made.url, headers={**self._headers, **made.headers, **headers}, body=made.body
        )

    def _send(self, endpoint: Endpoint, made: WrittenRequest) -> HttpReply:
        return self._exchange(endpoint, made.url, headers=made.headers, body=made.body)

    def _exchange(
        self,
        endpoint: Endpoint,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpReply:
        return self._session.exchange(
            endpoint.verb,
            url,
            params=params or None,
            data=body,
            headers={**self._headers, **(headers or {})},
            call_seconds=self._limits.call_seconds * LIST_CALL_LIMITS if endpoint.is_list else endpoint.call_seconds,
            max_body_bytes=MAX_LIST_BYTES if endpoint.is_list else MAX_BODY_BYTES,
        )

    def costs(self, endpoint: Endpoint) -> list[tuple[RateBudget, float]]:
        """What a call takes of which counters."""
        if not self._dialect.by_address:
            return [(self._budget if endpoint.signed else self._public_budget, endpoint.cost)]
        costs = [(self._public_budget, endpoint.cost)]
        return [*costs, (self._budget, endpoint.key_cost)] if endpoint.key_cost else costs

    # -- answers ----------------------------------------------------------------------------------------------------
    def _heard(self, reply: HttpReply, passage: Passage, endpoint: Endpoint, *, changes_orders: bool) -> object:
        """The API's document, if that is what came and it is no refusal."""
        where = self.where(endpoint)
        good = 200 <= reply.status < 300
        try:
            document = decode_json(reply.body, where=where)
        except UnreadableReply as error:
            self._met_a_stranger(reply, passage)
            if good:
                raise OutcomeUnknown(str(error)) if changes_orders else error from error
            raise page_error(reply, where=where, changes_orders=changes_orders) from error
        if not self._dialect.speaks(document):
            self._met_a_stranger(reply, passage)
            raise page_error(reply, where=where, changes_orders=changes_orders)
        refusal = self._dialect.refusal_in(document, reply.status)
        self._tell_of(reply, passage, endpoint, refusal)
        if refusal is not None:
            raise refusal_error(
                refusal,
                where=where,
                changes_orders=changes_orders,
                status=reply.status,
                retry_after_seconds=reply.retry_after_seconds,
            )
        if not good:
            raise page_error(reply, where=where, changes_orders=changes_orders)
        return document

    def _met_a_stranger(self, reply: HttpReply, passage: Passage) -> None:
        if 200 <= reply.status < 300:
            passage.met(Trouble.SERVER_ERROR, "an answer that is not the API's")
        else:
            passage.refused_by_status(reply, from_api=False)

    def _tell_of(self, reply: HttpReply, passage: Passage, endpoint: Endpoint, refusal: Refusal | None) -> None:
        """What the API's answer says of the venue, of the limits and of the clock, apart from what was asked."""
        meaning = None if refusal is None else refusal.meaning
        if meaning is Meaning.CLOCK:
            self._venue_clock.doubt()
        if reply.used_weight is not None and self._dialect.weight_a_minute is not None:
            self._public_budget.told_used(reply.used_weight / self._dialect.weight_a_minute)
        if meaning in (Meaning.TOO_MANY, Meaning.TOO_MANY_ORDERS):
            counters = self.costs(endpoint)
            budget, _ = counters[-1] if meaning is Meaning.TOO_MANY_ORDERS else counters[0]
            budget.refused(reply.retry_after_seconds)
        if refusal is not None and meaning is Meaning.DOWN:
            passage.met(Trouble.MAINTENANCE, f"{refusal.code} {refusal.words}"[:100])
        elif 200 <= reply.status < 300:
            passage.answered()
        else:
            passage.refused_by_status(reply, from_api=True)
