"""A market for the matching engine that is made of one candle at a time: a price, a spread around it, and a volume."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from bot.backtest.costs import Costs
from bot.domain.instrument import Instrument
from bot.domain.money import ceil_to_step, floor_to_step, percent_to_fraction
from paper_exchange.market import Quote, Tick
from paper_exchange.orders import Side

_ONE = Decimal(1)


@dataclass
class _Shown:
    """A symbol at this moment: the price in the middle, and how much is left for all orders of the candle."""

    price: Decimal
    room: Decimal


class CandleMarket:
    """Whoever drives it says what each symbol's price is now (`show`); the engine takes it from there.

    Bid and ask are the price less and plus half the spread, rounded to the tick away from whoever trades.
    """

    def __init__(self, instruments: dict[str, Instrument], costs: Costs) -> None:
        self._instruments = instruments
        self._half_spread = percent_to_fraction(costs.spread_percent) / 2
        self._slippage = percent_to_fraction(costs.slippage_percent)
        self._shown: dict[str, _Shown] = {}
        self.now_ns = 0

    def show(self, symbol: str, price: Decimal, room: Decimal) -> None:
        """From now on this is the symbol's price; `room` is base units that orders can take in all."""
        self._shown[symbol] = _Shown(price, room)

    def room(self, symbol: str) -> Decimal:
        """What is left for orders."""
        return self._shown[symbol].room

    def bid(self, symbol: str, price: Decimal) -> Decimal:
        """What a sale is offered when the price in the middle is this."""
        instrument = self._instruments[symbol]
        return max(instrument.tick_size, floor_to_step(price * (_ONE - self._half_spread), instrument.tick_size))

    def ask(self, symbol: str, price: Decimal) -> Decimal:
        """What a purchase is asked when the price in the middle is this."""
        return ceil_to_step(price * (_ONE + self._half_spread), self._instruments[symbol].tick_size)

    def price_for_bid(self, bid: Decimal) -> Decimal:
        """The price in the middle at which the bid is this one, before it is rounded."""
        return bid / (_ONE - self._half_spread)

    # -- what the engine asks ---------------------------------------------------------------------------------------
    def advance(self, now_ns: int) -> None:
        self.now_ns = max(self.now_ns, now_ns)

    def is_closed(self, symbol: str) -> bool:
        return False

    def last(self, symbol: str) -> Decimal:
        return self._shown[symbol].price

    def quote(self, symbol: str) -> Quote:
        shown = self._shown[symbol]
        bid, ask = self.bid(symbol, shown.price), self.ask(symbol, shown.price)
        return Quote(symbol, bid, shown.room, ask, shown.room, shown.price, shown.room, self.now_ns)

    def offers(self, symbol: str, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        """One level: the best price less what an order of any size slips."""
        shown, tick = self._shown[symbol], self._instruments[symbol].tick_size
        if shown.room <= 0:
            return
        if side is Side.SELL:
            yield ceil_to_step(shown.price * (_ONE + self._half_spread) * (_ONE + self._slippage), tick), shown.room
        else:
            bid = floor_to_step(shown.price * (_ONE - self._half_spread) * (_ONE - self._slippage), tick)
            yield max(tick, bid), shown.room

    def offered_at(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        return sum((quantity for offered, quantity in self.offers(symbol, side) if offered == price), Decimal(0))

    def take(self, symbol: str, side: Side, price: Decimal, quantity: Decimal) -> None:
        self._shown[symbol].room -= quantity

    def ticks_between(self, symbol: str, after_ns: int, until_ns: int) -> Iterator[Tick]:
        """Nothing rests here, so nobody looks between two moments."""
        return iter(())
