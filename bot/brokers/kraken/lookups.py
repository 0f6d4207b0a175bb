"""Finding orders and fills of one Kraken account."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bot.brokers.kraken.errors import GONE_ORDER
from bot.brokers.kraken.orders import fills_from, in_order, normal_client_id, orders_from, pick_order, trade_ids
from bot.brokers.kraken.symbols import KrakenCatalogue
from bot.brokers.replies import as_object, field_of, number_of, unix_text
from bot.brokers.venue_clock import VenueClock
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import VenueOrder

PAGE_SIZE = 50
# Pages overlap, so that what moves between two readings is read twice rather than never.
PAGE_STEP = 45
MAX_PAGES = 200
TRADES_PER_QUERY = 20
# Look-ups reach far back: they are narrowed by our id anyway, and the clock that noted the sending may have been wrong.
LOOK_BACK = timedelta(days=1)


class PrivateReading(Protocol):
    """A private method of the account, called with the urgency of the moment."""

    def __call__(self, method: str, fields: Mapping[str, str] | None = None) -> object: ...


class KrakenLookups:
    """Everything `KrakenBroker` answers about orders that exist."""

    def __init__(
        self, private: PrivateReading, catalogue: Callable[[], KrakenCatalogue], venue_clock: VenueClock
    ) -> None:
        self._private = private
        self._catalogue = catalogue
        self._venue_clock = venue_clock

    def find_order(self, client_order_id: str, *, sent_at: datetime) -> VenueOrder | None:
        not_before = sent_at + self._venue_clock.ahead_of_machine()
        catalogue = self._catalogue()
        # Open before ended: an order can move that way only, so it cannot slip through between the two.
        asked = {"cl_ord_id": client_order_id}
        still_open = self._narrowed(self._private("OpenOrders", asked), "open", catalogue, client_order_id)
        found = pick_order(still_open, client_order_id, not_before=not_before)
        if found is not None:
            return found
        start = self._venue_clock.not_after(sent_at) - LOOK_BACK
        asked |= {"start": unix_text(start), "closetime": "both", "consolidate_taker": "false"}
        ended = self._narrowed(self._private("ClosedOrders", asked), "closed", catalogue, client_order_id)
        return pick_order(ended, client_order_id, not_before=not_before)

    def _narrowed(
        self, result: object, name: str, catalogue: KrakenCatalogue, client_order_id: str
    ) -> list[VenueOrder]:
        """The orders of a list that was asked for by our id. One that does not carry it means that the list cannot be
        believed, and least of all when it seems to say that there is no such order."""
        orders = _listed(result, name, catalogue)
        if any(order.client_order_id != normal_client_id(client_order_id) for order in orders):
            raise UnreadableReply(f"Kraken {name} orders: asked for one client order id, given another")
        return orders

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        try:
            result = self._private("QueryOrders", {"txid": venue_order_id})
        except UnreadableReply as error:
            if error.venue_code.startswith(GONE_ORDER):
                return None
            raise
        orders = orders_from(result, self._catalogue(), where="Kraken QueryOrders")
        if any(order.venue_order_id != venue_order_id for order in orders):
            raise UnreadableReply(f"Kraken QueryOrders: asked for {venue_order_id}, given another order")
        return next(iter(orders), None)

    def open_orders(self) -> Sequence[VenueOrder]:
        return _listed(self._private("OpenOrders"), "open", self._catalogue())

    def order_fills(self, venue_order_id: str) -> Sequence[Fill]:
        where = f"Kraken order {venue_order_id}"
        asked = {"txid": venue_order_id, "trades": "true", "consolidate_taker": "false"}
        order = as_object(self._private("QueryOrders", asked), where=where).get(venue_order_id)
        fills: list[Fill] = []
        for chunk in _chunks(trade_ids(order, where=where) if order is not None else [], TRADES_PER_QUERY):
            result = as_object(self._private("QueryTrades", {"txid": ",".join(chunk)}), where=where)
            fills += fills_from(result, self._catalogue())
        if any(fill.venue_order_id != venue_order_id for fill in fills):
            raise UnreadableReply(f"{where}: given a trade of another order")
        return in_order(fills)

    def fills_since(self, since: datetime) -> Sequence[Fill]:
        # `start` is exclusive.
        asked = {"start": unix_text(since - timedelta(milliseconds=1)), "consolidate_taker": "false"}
        fills: dict[str, Fill] = {}
        said = 0
        for page in range(MAX_PAGES):
            trades, count = self._trades_page({**asked, "ofs": str(page * PAGE_STEP)})
            fills |= {fill.trade_id: fill for fill in fills_from(trades, self._catalogue())}
            said = said if page else count  # what came since the first page may wait for the next reading
            if len(trades) < PAGE_SIZE:
                break
        else:
            raise UnreadableReply("Kraken TradesHistory does not end")
        if len(fills) < said:
            # A page that came short would otherwise look like the last one.
            raise UnreadableReply(f"Kraken TradesHistory: {said} trades are told of and {len(fills)} were given")
        return in_order(fill for fill in fills.values() if fill.executed_at >= since)

    def _trades_page(self, asked: Mapping[str, str]) -> tuple[Mapping[str, object], int]:
        """The trades of a page, and how many the venue says there are in all."""
        where = "Kraken TradesHistory"
        result = as_object(self._private("TradesHistory", asked), where=where)
        trades = as_object(field_of(result, "trades", where=where), where=where)
        return trades, int(number_of(result, "count", where=where))


def _listed(result: object, name: str, catalogue: KrakenCatalogue) -> list[VenueOrder]:
    where = f"Kraken {name} orders"
    return orders_from(field_of(as_object(result, where=where), name, where=where), catalogue, where=where)


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
