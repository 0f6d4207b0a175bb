"""An account's way to the weak venue: replies get lost, requests linger, readings fail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from bot.brokers.balance_book import BalanceBook
from bot.brokers.base import BaseBroker, Urgency
from bot.domain.account import AccountRef
from bot.domain.balance import AssetBalance, Holdings
from bot.domain.errors import CredentialsRejected, OrderRefused, OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.instrument import Instrument
from bot.domain.order import OrderAck, OrderRequest, VenueOrder
from bot.domain.quote import Candle, Quote
from bot.domain.symbol import base_of
from tests.simulation.clock import WorldClock
from tests.simulation.venue import INSTRUMENTS, LOOKUP_LAG_SECONDS, REQUEST_EXPIRY_SECONDS, WeakVenue

QUEUE_SECONDS = 4.0


class SimulatedBroker(BaseBroker):
    """`crash_here` may end the process at the named place; `meanwhile` lets other threads run during a call."""

    settle_seconds = QUEUE_SECONDS + REQUEST_EXPIRY_SECONDS + LOOKUP_LAG_SECONDS + 2

    def __init__(
        self,
        account: AccountRef,
        venue: WeakVenue,
        clock: WorldClock,
        *,
        crash_here: Callable[[], None],
        meanwhile: Callable[[AccountRef], None],
    ) -> None:
        super().__init__(account, BalanceBook(clock))
        self._venue = venue
        self._clock = clock
        self._dice = venue.dice
        self._crash_here = crash_here
        self._meanwhile = meanwhile
        self.connected = True

    def connect(self) -> bool:
        return True

    def close(self) -> None:
        self.connected = False

    @contextmanager
    def urgent(self, urgency: Urgency) -> Iterator[None]:
        yield

    # -- orders -----------------------------------------------------------------------------------------------------
    def place_order(self, request: OrderRequest) -> OrderAck:
        rates = self._venue.rates
        if self._dice.chance(rates.late_request):
            self._clock.advance(self._dice.between(0, QUEUE_SECONDS))
        self._crash_here()
        self._meanwhile(self.account)
        if self._dice.chance(rates.refused):
            raise self._dice.pick([OrderRefused("not now"), CredentialsRejected("permission denied")])
        if self._dice.chance(rates.rate_limited):
            raise RetryLater("too many requests")
        if self._dice.chance(rates.lost_request):
            self._time_out("reset before it arrived")
        if self._dice.chance(rates.late_request):
            self._venue.accept_later(self.account.label, request)
            self._time_out("no reply in time")
        order = self._venue.accept(self.account.label, request, sent_at=self._clock.seconds)
        self._crash_here()
        self._meanwhile(self.account)
        if self._dice.chance(rates.lost_reply):
            self._time_out("503 after it was accepted")
        return OrderAck(client_order_id=request.client_order_id, venue_order_id=order.venue_order_id)

    def cancel_order(self, venue_order_id: str) -> bool:
        self._read()
        return self._venue.cancel(venue_order_id)

    def find_order(self, client_order_id: str, *, symbol: str, sent_at: datetime) -> VenueOrder | None:
        self._read()
        for order in self._venue.visible_orders(self.account.label):
            if order.request.client_order_id == client_order_id:
                return self._venue.view(order)
        return None

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        self._read()
        for order in self._venue.visible_orders(self.account.label):
            if order.venue_order_id == venue_order_id:
                return self._venue.view(order)
        return None

    def get_open_orders(self) -> Sequence[VenueOrder]:
        self._read()
        orders = self._venue.visible_orders(self.account.label)
        return [self._venue.view(order) for order in orders if not order.status.ended]

    def get_order_fills(self, venue_order_id: str, *, since: datetime) -> Sequence[Fill]:
        self._read()
        fills = self._venue.visible_fills(self.account.label)
        return [fill for fill in fills if fill.venue_order_id == venue_order_id and fill.executed_at >= since]

    def get_fills_since(self, since: datetime) -> Sequence[Fill]:
        self._read()
        return [fill for fill in self._venue.visible_fills(self.account.label) if fill.executed_at >= since]

    # -- readings ---------------------------------------------------------------------------------------------------
    def fetch_holdings(self) -> Holdings:
        self._read()
        label, venue = self.account.label, self._venue
        held_cash = venue.cash_held(label)
        assets = {"USD": AssetBalance(venue.cash[label] - held_cash, held_cash)}
        for symbol in INSTRUMENTS:
            available = venue.available(label, symbol)
            assets[base_of(symbol)] = AssetBalance(available, venue.coins[label, symbol] - available)
        return Holdings(assets, self._clock.now())

    def get_trading_pairs(self) -> Mapping[str, Instrument]:
        return INSTRUMENTS

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        return []

    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self._read()
        prices = self._venue.prices
        return {symbol: Quote(symbol, prices[symbol], prices[symbol], self._clock.now()) for symbol in symbols}

    # -- inside -----------------------------------------------------------------------------------------------------
    def _read(self) -> None:
        """What every call but placing suffers."""
        self._clock.advance(0.05)
        self._crash_here()
        self._meanwhile(self.account)
        if self._dice.chance(self._venue.rates.failed_read):
            raise self._dice.pick([UnreadableReply("not JSON"), RetryLater("too many requests")])

    def _time_out(self, reason: str) -> None:
        self._clock.advance(self._dice.between(0, 5))
        raise OutcomeUnknown(reason)
