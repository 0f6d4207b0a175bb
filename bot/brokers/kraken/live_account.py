"""One account on Kraken's private WebSocket: what its stream shows, and its orders on that way.

Which way an order goes is decided anew for each: over the WebSocket while that is live, else over REST. A change of the
way is logged once, and the account's status says how it is.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

from bot.brokers.account_view import AccountView
from bot.brokers.base import Urgency
from bot.brokers.kraken.context import KrakenContext
from bot.brokers.kraken.keys import KrakenKey
from bot.brokers.kraken.orders import normal_client_id
from bot.brokers.kraken.private_stream import PrivateStream
from bot.brokers.kraken.socket import SocketWire
from bot.brokers.kraken.socket_orders import SocketFrame, SocketOrders
from bot.brokers.kraken.socket_requests import OrderWays
from bot.brokers.kraken.symbols import KrakenPair
from bot.brokers.refused_key import RefusedKey
from bot.brokers.stream_news import NO_NEWS, StreamNews
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef
from bot.domain.balance import Holdings
from bot.domain.errors import OrderRefused
from bot.domain.fill import Fill
from bot.domain.order import OrderAck, OrderRequest, VenueOrder
from bot.seams.clock import format_time

log = logging.getLogger(__name__)

# The stream shows an order a moment after its answer. For so long nobody asks elsewhere, and an end is waited for.
SHOWN_WITHIN_SECONDS = 1.0
END_WAIT_SECONDS = 0.2
ACKS_KEPT = 200
# Heartbeats come each second.
BALANCE_SECONDS = 3.0


class LiveAccount:
    """Made for every account whose venue has sockets; it does nothing before `listen`."""

    def __init__(
        self,
        account: AccountRef,
        context: KrakenContext,
        wire: SocketWire,
        url: str,
        *,
        key: KrakenKey,
        venue_clock: VenueClock,
        gate: VenueGate,
        refused_key: RefusedKey,
    ) -> None:
        self._label = account.label
        self._context = context
        self._clock = context.clock
        self._wire = wire
        self._listening = False
        self._closed = False
        self._acked: OrderedDict[str, float] = OrderedDict()
        self._way, self._way_since, self._way_reason = "rest", self._clock.now(), "the WebSocket is not up yet"
        self.orders = SocketOrders(
            OrderWays(
                label=account.label,
                feed=wire.feed,
                clock=context.clock,
                venue_clock=venue_clock,
                key=key,
                gate=gate,
                refused_key=refused_key,
                observer=wire.observer,
                deadline_seconds=context.socket_deadline_seconds,
            )
        )
        self.stream = PrivateStream(
            wire=wire,
            url=url,
            label=account.label,
            is_master=account.is_master,
            gather_seconds=context.gather_seconds,
            on_answer=self.orders.answer,
            on_lost=self.orders.lost,
            on_time=venue_clock.measured,
        )
        self.orders.over(self.stream)

    @property
    def view(self) -> AccountView:
        return self.stream.view

    # -- the stream -------------------------------------------------------------------------------------------------
    def listen(self, wake: Callable[[], None]) -> None:
        """See `BaseBroker.listen`."""
        if not self._closed:
            self._listening = True
            self.stream.listen(wake)

    def tend(self, fetch_token: Callable[[], str]) -> StreamNews:
        """See `BaseBroker.tend_stream`."""
        if not self._listening:
            return NO_NEWS
        news = self.stream.tend(fetch_token)
        self._note_way()
        return news

    def close(self) -> None:
        """From any thread: no frame leaves once this has returned."""
        self._closed = True
        self.stream.close()
        self.orders.close()

    # -- what it shows ----------------------------------------------------------------------------------------------
    def order(self, venue_order_id: str) -> tuple[VenueOrder | None, bool]:
        """The order as the stream shows it, and whether that is all there is to know now.

        (None, True): it was taken just now, and the stream will show it in a moment.
        """
        if not self.view.live:
            return None, False
        young = self._clock.monotonic() - self._acked.get(venue_order_id, -SHOWN_WITHIN_SECONDS) < SHOWN_WITHIN_SECONDS
        if young:
            self.view.await_end(venue_order_id, END_WAIT_SECONDS)
        shown = self.view.order(venue_order_id)
        return shown, shown is not None or (young and self.view.live)

    def order_by_client_id(self, client_order_id: str) -> VenueOrder | None:
        return self.view.order_by_client_id(normal_client_id(client_order_id) or "")

    def fills_of(self, venue_order_id: str) -> Sequence[Fill] | None:
        return self.view.fills_of(venue_order_id)

    def holdings(self) -> Holdings | None:
        """The balances of now; not those of a stream that has missed its heartbeats."""
        late = self.stream.socket.silent_seconds > BALANCE_SECONDS
        return None if self._closed or late else self.view.holdings()

    def acknowledged(self, venue_order_id: str) -> None:
        """The venue has taken an order of ours, on whichever way."""
        self._acked[venue_order_id] = self._clock.monotonic()
        while len(self._acked) > ACKS_KEPT:
            self._acked.popitem(last=False)

    # -- orders -----------------------------------------------------------------------------------------------------
    def takes_orders(self) -> bool:
        """Whether an order may be tried on this way now."""
        usable = self._context.socket_orders and self._listening and not self._closed
        self._note_way()
        return usable and self.orders.is_open

    def place(self, request: OrderRequest, pair: str, *, leave_before: float, urgency: Urgency) -> OrderAck:
        """See `SocketOrders.place`."""
        return self.orders.place(request, pair, leave_before=leave_before, urgency=urgency)

    def ready(self, symbol: str) -> bool:
        """See `SocketLane.ready`."""
        pair = self._pair(symbol)
        return pair is not None and self.takes_orders() and self.orders.has_room(pair.rest_id, Urgency.ENTRY)

    def frame(self, request: OrderRequest) -> SocketFrame | None:
        """See `SocketLane.frame`."""
        pair = self._pair(request.symbol)
        if pair is None or not self.takes_orders():
            return None
        leave_before = request.leaves_before(self._clock.monotonic() + self._context.order_deadline_seconds)
        try:
            return self.orders.frame(request, pair.rest_id, leave_before=leave_before, acknowledged=self.acknowledged)
        except OrderRefused:
            return None  # the account's own thread finds out, and writes it down

    def _pair(self, symbol: str) -> KrakenPair | None:
        known = self._context.catalogues.known(self._context.access.base_url)
        return None if known is None else known.pair(symbol)

    # -- the way ----------------------------------------------------------------------------------------------------
    @property
    def order_way(self) -> str:
        """For the status: how orders go, and since when or why."""
        since = format_time(self._way_since)[:19].replace("T", " ")
        if self._way == "websocket":
            return f"orders over WebSocket since {since} UTC"
        return f"orders over REST since {since} UTC, because {self._way_reason}"

    def _note_way(self) -> None:
        way, reason = "websocket", ""
        if not self._context.socket_orders:
            way, reason = "rest", "kraken.order_entry says so"
        elif not self.orders.is_open:
            way, reason = "rest", self.stream.problem or "the WebSocket is not live"
        if way != self._way:
            self._way, self._way_since = way, self._clock.now()
            self._way_reason = reason
            level = logging.INFO if way == "websocket" else logging.WARNING
            log.log(level, "%s: %s", self._label, self.order_way)
        elif reason:
            self._way_reason = reason
