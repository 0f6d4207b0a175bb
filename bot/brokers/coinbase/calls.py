"""Calls of one Coinbase account: signed, bounded, with every failure classed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bot.brokers.base import Urgency
from bot.brokers.coinbase.errors import REFUSED_KEY, TOO_MANY, is_api_document, status_error
from bot.brokers.coinbase.tokens import TOKEN_SECONDS, SecretCannotSign
from bot.brokers.http_session import HttpReply
from bot.brokers.kept_http import WrittenRequest
from bot.brokers.rate_budget import RateBudget
from bot.brokers.refused_key import RefusedKey
from bot.brokers.replies import as_list, as_object, clock_time, decode_json, flag_of, number_of
from bot.brokers.rest_lane import OrderCall
from bot.brokers.venue_calls import RATE_WAIT_SECONDS, CallObserver, Costs, VenueCall, VenueCalls
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import Passage, Trouble, VenueGate
from bot.domain.errors import CredentialsRejected, OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import OrderAck, no_last_look
from bot.seams.clock import Clock

if TYPE_CHECKING:
    from bot.brokers.coinbase.client import CoinbaseClient

API = "/api/v3/brokerage"
# The older API, of wallets and what moved them: same host, same tokens, and paths that are named in full.
OLD_API = "/v2"
QueryValue = str | Sequence[str]
MAX_PAGES = 200
# A request that has less time left than this may reach the venue too late: it is not sent.
LEAST_TOKEN_SECONDS = 10.0


class CoinbaseCalls:
    """Everything between a path and its answer as an object. `label` names the account in messages."""

    def __init__(
        self,
        client: "CoinbaseClient",
        *,
        label: str,
        clock: Clock,
        venue_clock: VenueClock,
        gate: VenueGate,
        refused_key: RefusedKey,
        budget: RateBudget,
        public_budget: RateBudget,
        urgency: Callable[[], Urgency],
        on_private_call: CallObserver | None = None,
    ) -> None:
        self._client = client
        self._venue_clock = venue_clock
        self._budget = budget
        self._public_budget = public_budget
        self._label = label
        self._clock = clock
        self._way = VenueCalls(
            venue="coinbase",
            label=label,
            clock=clock,
            gate=gate,
            urgency=urgency,
            refused_key=refused_key,
            key_codes=(REFUSED_KEY,),
            on_private_call=on_private_call,
        )

    def get(self, path: str, params: Mapping[str, QueryValue] | None = None) -> Mapping[str, object]:
        """A reading. Raises `RetryLater`, `UnreadableReply` or `CredentialsRejected`.

        One that was turned away twice counts once: both tokens were made within a moment.
        """
        return self._way.heeding_refusals(lambda: self._get(path, params))

    def _get(self, path: str, params: Mapping[str, QueryValue] | None) -> Mapping[str, object]:
        try:
            return self._call("GET", path, params, None)
        except CredentialsRejected as error:
            if error.venue_code != REFUSED_KEY:
                raise
            # Now and then a valid token is turned away; a reading may simply ask again with a new one, by a time that
            # was measured anew.
            return self._call("GET", path, params, None)

    def read_time(self) -> datetime:
        """The venue's time, for which no key is needed. Raises `RetryLater` or `UnreadableReply`."""
        fields = self.get_public("/time")
        where = "Coinbase time"
        return clock_time(number_of(fields, "epochMillis", where=where) / 1000, where=where)

    def get_public(
        self, path: str, params: Mapping[str, str] | None = None, *, call_seconds: float | None = None
    ) -> Mapping[str, object]:
        """A reading that needs no key. Raises `RetryLater` or `UnreadableReply`."""
        where = f"{self._label}: Coinbase GET {path}"
        return self._way.make(
            VenueCall(where=where, verb="GET", costs=[(self._public_budget, 1)]),
            lambda: self._client.unsigned(f"{API}{path}", params, call_seconds=call_seconds),
            lambda reply, passage: self._read_public(reply, passage, where),
        )

    def _read_public(self, reply: HttpReply, passage: Passage, where: str) -> Mapping[str, object]:
        _tell_of(reply, passage, self._public_budget)
        if reply.status != 200:
            raise UnreadableReply(f"{where}: HTTP {reply.status}", venue_code=str(reply.status))
        return self._decoded(reply, where, changes_orders=False)

    def post(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        leave_before: float | None = None,
        last_look: Callable[[], None] = no_last_look,
    ) -> Mapping[str, object]:
        """A call that changes orders. After `leave_before` (monotonic) the venue takes it no more.

        `last_look` is called right before the wire, and what it raises is raised. Raises also `OrderRefused` and
        `OutcomeUnknown`.
        """
        return self._way.heeding_refusals(lambda: self._call("POST", path, None, body, leave_before, last_look))

    def order_call(
        self,
        path: str,
        body: Mapping[str, object],
        read: Callable[[Mapping[str, object]], OrderAck],
        *,
        leave_before: float,
        token_seconds: float,
    ) -> OrderCall:
        """The same for an order that leaves in a batch with others'; nothing is asked and nothing is sent here.

        It leaves before `leave_before` or not at all, and is good for `token_seconds` from then on.
        """
        call = self._venue_call("POST", path, changes_orders=True, within_seconds=0.0, last_look=no_last_look)

        def write() -> WrittenRequest:
            try:
                return self._client.written("POST", f"{API}{path}", body, token_seconds=token_seconds)
            except SecretCannotSign as error:
                raise CredentialsRejected(f"{call.where}: not sent: the API secret cannot sign") from error

        return OrderCall(
            call=call,
            write=write,
            read=lambda reply, passage: read(self._read(reply, passage, call)),
            leave_before=leave_before,
        )

    @property
    def way(self) -> VenueCalls:
        """The way of the account's calls."""
        return self._way

    @property
    def costs(self) -> Costs:
        """What a private call takes of which counters."""
        return [(self._budget, 1)]

    def pages(self, path: str, name: str, asked: Mapping[str, QueryValue]) -> Iterator[object]:
        """Every item of a list that is read page by page. A page that fails fails the list: raises as `get` does."""
        cursor, seen = "", {""}
        for _ in range(MAX_PAGES):
            reply = self.get(path, {**asked, "cursor": cursor} if cursor else asked)
            yield from as_list(reply.get(name), where=f"{self._label}: Coinbase {name}")
            following = _next_cursor(reply, where=f"{self._label}: Coinbase {name}")
            if not following:
                return
            if following in seen:
                raise UnreadableReply(f"{self._label}: Coinbase {name} goes in circles")
            seen.add(following)
            cursor = following
        raise UnreadableReply(f"{self._label}: Coinbase {name} does not end")

    def get_old(self, path: str, params: Mapping[str, QueryValue]) -> Mapping[str, object]:
        """A reading of the older API. Raises `RetryLater` or `UnreadableReply`.

        That it does not take the key says nothing of the API that orders go to.
        """
        try:
            return self._get(f"{OLD_API}{path}", params)
        except CredentialsRejected as error:
            raise UnreadableReply(f"{error}: the key may not look there", venue_code=error.venue_code) from error

    def _call(
        self,
        verb: str,
        path: str,
        params: Mapping[str, QueryValue] | None,
        body: Mapping[str, object] | None,
        leave_before: float | None = None,
        last_look: Callable[[], None] = no_last_look,
    ) -> Mapping[str, object]:
        self._venue_clock.keep(self.read_time)  # the token is made by it
        within = RATE_WAIT_SECONDS
        if leave_before is not None:
            within = max(0.0, min(within, leave_before - LEAST_TOKEN_SECONDS - self._clock.monotonic()))
        changes = body is not None
        call = self._venue_call(verb, path, changes_orders=changes, within_seconds=within, last_look=last_look)
        return self._way.make(
            call,
            lambda: self._signed(call.where, verb, path, params, body, leave_before),
            lambda reply, passage: self._read(reply, passage, call),
        )

    def _venue_call(
        self, verb: str, path: str, *, changes_orders: bool, within_seconds: float, last_look: Callable[[], None]
    ) -> VenueCall:
        return VenueCall(
            where=f"{self._label}: Coinbase {verb} {path}",
            verb=verb,
            endpoint=path.removeprefix("/").partition("/")[0],
            costs=self.costs,
            changes_orders=changes_orders,
            within_seconds=within_seconds,
            last_look=last_look,
        )

    def _signed(
        self,
        where: str,
        verb: str,
        path: str,
        params: Mapping[str, QueryValue] | None,
        body: Mapping[str, object] | None,
        leave_before: float | None,
    ) -> HttpReply:
        seconds = self._token_seconds(leave_before, where)
        full_path = path if path.startswith(f"{OLD_API}/") else f"{API}{path}"
        try:
            return self._client.signed(verb, full_path, params, body, token_seconds=seconds)
        except SecretCannotSign as error:
            raise CredentialsRejected(f"{where}: not sent: the API secret cannot sign") from error

    def _read(self, reply: HttpReply, passage: Passage, call: VenueCall) -> Mapping[str, object]:
        if reply.status == 401:
            self._venue_clock.doubt()
        _tell_of(reply, passage, self._budget)
        if not 200 <= reply.status < 300:
            raise status_error(reply, where=call.where, order_sent=call.changes_orders)
        return self._decoded(reply, call.where, call.changes_orders)

    def _token_seconds(self, leave_before: float | None, where: str) -> float:
        if leave_before is None:
            return TOKEN_SECONDS
        left = leave_before - self._clock.monotonic()
        if left < LEAST_TOKEN_SECONDS:
            raise RetryLater(f"{where}: not sent: its time was over before it could leave")
        return left

    def _decoded(self, reply: HttpReply, where: str, changes_orders: bool) -> Mapping[str, object]:
        try:
            return as_object(decode_json(reply.body, where=where), where=where)
        except UnreadableReply as error:
            if changes_orders:
                raise OutcomeUnknown(str(error)) from error
            raise


def _tell_of(reply: HttpReply, passage: Passage, budget: RateBudget) -> None:
    """What an answer says of the venue and of the key's limits, apart from what was asked."""
    if 200 <= reply.status < 300:
        if reply.body.lstrip()[:1] == b"{":
            passage.answered()
        else:
            passage.met(Trouble.SERVER_ERROR, "an answer that is not the API's")
        return
    from_api = is_api_document(reply)
    if reply.status == TOO_MANY and from_api:
        budget.refused(reply.retry_after_seconds)
    passage.refused_by_status(reply, from_api=from_api)


def _next_cursor(reply: Mapping[str, object], *, where: str) -> str:
    """Where the next page begins, "" after the last. Fills have no `has_next`: there an empty cursor ends the list."""
    cursor = reply.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise UnreadableReply(f"{where}: the cursor is not text")
    if not flag_of(reply, "has_next", default=bool(cursor), where=where):
        return ""
    if not cursor:
        raise UnreadableReply(f"{where}: there is a next page, and no way to it")
    return cursor
