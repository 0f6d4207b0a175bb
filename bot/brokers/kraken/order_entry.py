"""Placing and cancelling orders of one account: over the WebSocket while that is live, else over REST."""

import logging
from collections.abc import Callable, Mapping

from bot.brokers.base import Urgency
from bot.brokers.kraken.calls import KrakenCalls, OrderCall
from bot.brokers.kraken.live_account import LiveAccount
from bot.brokers.kraken.rates import KrakenRates
from bot.brokers.kraken.socket_requests import NotWritten
from bot.brokers.replies import as_id, as_list, as_object, number_of
from bot.brokers.socket_observer import SocketObserver
from bot.domain.errors import UnreadableReply, VenueError
from bot.domain.order import OrderAck, OrderRequest
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint

log = logging.getLogger(__name__)


class OrderEntry:
    """For the account's own thread. What was certainly not written on the one way goes the other way at once.

    Raises what the answers are classed as; anything else after sending is for the caller to call unknown.
    """

    def __init__(
        self,
        calls: KrakenCalls,
        *,
        live: LiveAccount | None,
        rates: KrakenRates,
        clock: Clock,
        observer: SocketObserver,
    ) -> None:
        self._calls = calls
        self._live = live
        self._rates = rates
        self._clock = clock
        self._observer = observer

    def place(
        self,
        request: OrderRequest,
        rest_id: str,
        fields: Callable[[], Mapping[str, str]],
        *,
        leave_before: float,
        urgency: Urgency,
    ) -> OrderAck:
        """Send a new order once. `fields` are those of REST, asked when it is the order's turn there."""
        ack = self._place_by_socket(request, rest_id, leave_before, urgency)
        if ack is None:
            ack = self._place_by_rest(request, rest_id, fields, leave_before, urgency)
        if self._live is not None:
            self._live.acknowledged(ack.venue_order_id)
        return ack

    def cancel(self, venue_order_id: str, *, urgency: Urgency) -> bool:
        """True = the venue took the request."""
        if self._live is not None and self._live.takes_orders():
            failpoint("kraken.before_CancelOrder")
            try:
                self._live.orders.cancel(venue_order_id, urgency=urgency)
            except NotWritten as error:
                log.info("%s; it goes over REST", error)
            else:
                failpoint("kraken.after_CancelOrder")
                return True
        call = OrderCall(method="CancelOrder", fields=lambda: {"txid": venue_order_id}, venue_order_id=venue_order_id)
        return _was_taken(self._by_rest(call, urgency))

    def _place_by_socket(
        self, request: OrderRequest, rest_id: str, leave_before: float, urgency: Urgency
    ) -> OrderAck | None:
        """None = nothing was written."""
        if self._live is None or not self._live.takes_orders():
            return None
        failpoint("kraken.before_AddOrder")
        request.last_look()
        try:
            ack = self._live.place(request, rest_id, leave_before=leave_before, urgency=urgency)
        except NotWritten as error:
            log.info("%s; it goes over REST", error)
            return None
        failpoint("kraken.after_AddOrder")
        return ack

    def _place_by_rest(
        self,
        request: OrderRequest,
        rest_id: str,
        fields: Callable[[], Mapping[str, str]],
        leave_before: float,
        urgency: Urgency,
    ) -> OrderAck:
        call = OrderCall(
            method="AddOrder", fields=fields, leave_before=leave_before, last_look=request.last_look, pair=rest_id
        )
        venue_order_id = _only_order_id(self._by_rest(call, urgency))
        self._rates.placed(venue_order_id, rest_id)
        return OrderAck(client_order_id=request.client_order_id, venue_order_id=venue_order_id)

    def _by_rest(self, call: OrderCall, urgency: Urgency) -> object:
        started, outcome = self._clock.monotonic(), "ok"
        try:
            return self._calls.order(call, urgency=urgency)
        except VenueError as error:
            outcome = type(error).__name__
            raise
        finally:
            self._observer.order("rest", outcome, self._clock.monotonic() - started)


def _only_order_id(result: object) -> str:
    ids = as_list(as_object(result, where="Kraken AddOrder").get("txid"), where="Kraken AddOrder txid")
    if len(ids) != 1:
        raise UnreadableReply("Kraken AddOrder: the answer does not name one order")
    return as_id(ids[0], where="Kraken AddOrder txid")


def _was_taken(result: object) -> bool:
    """True. "None was cancelled" is neither a yes nor the venue's word that the order is gone."""
    count = number_of(as_object(result, where="Kraken CancelOrder"), "count", where="Kraken CancelOrder")
    if count < 1:
        raise UnreadableReply("Kraken CancelOrder: nothing was cancelled, and no reason given")
    return True
