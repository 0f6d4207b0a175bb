"""Calls of one Alpaca account: to its trading host and its market data host, with every failure classed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bot.brokers.alpaca.errors import TOO_MANY, order_error, reading_error, words_of
from bot.brokers.http_session import HttpReply
from bot.brokers.rate_budget import RateBudget
from bot.brokers.replies import decode_json
from bot.brokers.rest_lane import OrderCall
from bot.brokers.venue_calls import RATE_WAIT_SECONDS, Costs, VenueCall, VenueCalls
from bot.brokers.venue_gate import Passage, Trouble
from bot.domain.errors import OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import OrderAck, no_last_look
from bot.seams.clock import Clock

if TYPE_CHECKING:  # the library behind it is not imported for looking at this module
    from bot.brokers.alpaca.client import AlpacaClient

NO_CONTENT = 204


@dataclass(frozen=True, kw_only=True)
class Host:
    """One of the two hosts: the way to it and its counter. What befalls the one says nothing of the other."""

    calls: VenueCalls
    budget: RateBudget


class AlpacaCalls:
    """Everything between a path below `/v2` and its answer. `label` names the account in messages."""

    def __init__(self, client: "AlpacaClient", *, label: str, clock: Clock, trading: Host, market_data: Host) -> None:
        self._client = client
        self._label = label
        self._clock = clock
        self._trading = trading
        self._market_data = market_data

    def get(self, path: str, params: Mapping[str, str] | None = None) -> object:
        """A reading of the trading host. Raises `RetryLater`, `UnreadableReply` or `CredentialsRejected`."""
        return self._trading.calls.heeding_refusals(partial(self._read, self._trading, path, params))

    def market_data(self, path: str, params: Mapping[str, str]) -> object:
        """A reading of the market data host. Raises as `get` does.

        What that host says of the key may be about a subscription, and does not stop trading.
        """
        return self._read(self._market_data, path, params)

    def post(
        self,
        path: str,
        body: Mapping[str, str],
        *,
        leave_before: float,
        last_look: Callable[[], None] = no_last_look,
    ) -> object:
        """A new order, which leaves before `leave_before` (monotonic seconds) or not at all.

        `last_look` is called right before the wire, and what it raises is raised. Raises also `OrderRefused` and
        `OutcomeUnknown`.
        """
        left = leave_before - self._clock.monotonic()
        call = VenueCall(
            where=self._where("POST", path),
            verb="POST",
            endpoint=_endpoint(path),
            costs=((self._trading.budget, 1),),
            changes_orders=True,
            within_seconds=max(0.0, min(RATE_WAIT_SECONDS, left)),
            last_look=partial(self._look, last_look, leave_before, self._where("POST", path)),
        )
        reply = self._change(call, path, body)
        try:
            return decode_json(reply.body, where=call.where)
        except UnreadableReply as error:
            raise OutcomeUnknown(str(error)) from error

    def order_call(
        self, path: str, body: Mapping[str, str], read: Callable[[object], OrderAck], *, leave_before: float
    ) -> OrderCall:
        """The same for an order that leaves in a batch with others'; nothing is asked and nothing is sent here."""
        call = VenueCall(
            where=self._where("POST", path),
            verb="POST",
            endpoint=_endpoint(path),
            costs=self.costs,
            changes_orders=True,
            within_seconds=0.0,
        )

        def taken(reply: HttpReply, passage: Passage) -> OrderAck:
            self._check(reply, passage, call)
            return read(decode_json(reply.body, where=call.where))

        return OrderCall(
            call=call, write=partial(self._client.written, "POST", path, body), read=taken, leave_before=leave_before
        )

    @property
    def way(self) -> VenueCalls:
        """The way of the account's calls to the trading host."""
        return self._trading.calls

    @property
    def costs(self) -> Costs:
        """What a call to the trading host takes of which counters."""
        return ((self._trading.budget, 1),)

    def delete(self, path: str) -> None:
        """Ask to end an order. Only 204 is a yes: a page of something in front of the API is none. Raises as `post`."""
        call = VenueCall(
            where=self._where("DELETE", path),
            verb="DELETE",
            endpoint=_endpoint(path),
            costs=((self._trading.budget, 1),),
            changes_orders=True,
        )
        reply = self._change(call, path, None)
        if reply.status != NO_CONTENT:
            raise OutcomeUnknown(f"{call.where}: HTTP {reply.status}, which is neither yes nor no")

    # -- inside -----------------------------------------------------------------------------------------------------
    def _read(self, host: Host, path: str, params: Mapping[str, str] | None) -> object:
        where = self._where("GET", path)
        call = VenueCall(where=where, verb="GET", endpoint=_endpoint(path), costs=((host.budget, 1),))
        on_data_host = host is self._market_data

        def read(reply: HttpReply, passage: Passage) -> object:
            _tell_of(reply, passage, host.budget)
            if not 200 <= reply.status < 300:
                raise reading_error(reply, where=where, market_data=on_data_host)
            return decode_json(reply.body, where=where)

        return host.calls.make(
            call, partial(self._client.exchange, "GET", path, params, market_data=on_data_host), read
        )

    def _change(self, call: VenueCall, path: str, body: Mapping[str, str] | None) -> HttpReply:
        host = self._trading

        send = partial(self._client.exchange, call.verb, path, body)
        return host.calls.heeding_refusals(
            lambda: host.calls.make(call, send, lambda reply, passage: self._check(reply, passage, call))
        )

    def _check(self, reply: HttpReply, passage: Passage, call: VenueCall) -> HttpReply:
        """An answer to a change that is no refusal. Raises what a refusal means."""
        _tell_of(reply, passage, self._trading.budget)
        if not 200 <= reply.status < 300:
            raise order_error(reply, where=call.where)
        return reply

    def _look(self, last_look: Callable[[], None], leave_before: float, where: str) -> None:
        last_look()
        if self._clock.monotonic() >= leave_before:
            raise RetryLater(f"{where}: not sent: its time was over before it could leave")

    def _where(self, verb: str, path: str) -> str:
        return f"{self._label}: Alpaca {verb} {path}"


def _endpoint(path: str) -> str:
    """`orders`: without ids, for counting."""
    return path.removeprefix("/").partition("/")[0]


def _tell_of(reply: HttpReply, passage: Passage, budget: RateBudget) -> None:
    """What an answer says of the host and of the key's limits, apart from what was asked."""
    if 200 <= reply.status < 300:
        if reply.status == NO_CONTENT or reply.body.lstrip()[:1] in (b"{", b"["):
            passage.answered()
        else:
            passage.met(Trouble.SERVER_ERROR, "an answer that is not the API's")
        return
    from_api = words_of(reply).from_api
    if reply.status == TOO_MANY and from_api:
        budget.refused(reply.retry_after_seconds)
    passage.refused_by_status(reply, from_api=from_api)
