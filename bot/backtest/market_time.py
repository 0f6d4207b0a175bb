"""What each symbol's price is at a moment, and how much can be traded there."""

from collections.abc import Mapping
from decimal import Decimal

from bot.backtest.candle_market import CandleMarket
from bot.backtest.candle_table import CandleTable
from bot.backtest.costs import Costs
from bot.domain.money import percent_to_fraction

_ZERO = Decimal(0)


class MarketTime:
    """Shows the market the price of a moment: on the line from a candle's open to its close, or another inside it."""

    def __init__(self, tables: Mapping[str, CandleTable], market: CandleMarket, costs: Costs) -> None:
        self._tables = tables
        self._market = market
        self._share = percent_to_fraction(costs.participation_percent)
        self.now = 0.0
        # How much of a candle's volume its orders have left, by symbol: (candle, room).
        self._room: dict[str, tuple[int, Decimal]] = {}
        # The last price of each symbol, and from when until when it is that.
        self._last: dict[str, tuple[float, float, Decimal]] = {}

    def show(self, symbol: str, at: float, *, price: Decimal | None = None, candle_of: float | None = None) -> None:
        """The price at `at` (seconds since 1970), or this one; its volume is that of the candle at `candle_of`."""
        self.now = max(self.now, at)
        table = self._tables[symbol]
        number = self._candle(table, at if candle_of is None else candle_of)
        self._keep_room(symbol)
        if number is None:
            # Nobody has traded: nothing is offered until somebody does.
            self._market.show(symbol, self.last_price(symbol), _ZERO)
            return
        candle = table[number]
        if price is None:
            part = Decimal(repr((at - int(table.opened_at[number])) / table.interval_seconds))
            price = candle.open + (candle.close - candle.open) * min(Decimal(1), max(_ZERO, part))
        known, room = self._room.get(symbol, (-1, _ZERO))
        if known != number:
            room = candle.volume * self._share
        self._room[symbol] = (number, room)
        self._market.show(symbol, price, room)

    def close_at(self, symbol: str, at: float) -> Decimal:
        """The close of the candle that `at` lies in."""
        number = self._candle(self._tables[symbol], at)
        return self.last_price(symbol) if number is None else self._tables[symbol][number].close

    def last_price(self, symbol: str) -> Decimal:
        """The close of the last candle that has closed by now; before the first, its open."""
        begin, end, price = self._last.get(symbol, (1.0, 0.0, _ZERO))
        if not begin <= self.now < end:
            begin, end, price = self._last[symbol] = self._lasting(self._tables[symbol])
        return price

    def _lasting(self, table: CandleTable) -> tuple[float, float, Decimal]:
        """From when until when the last price is this one."""
        number = int(table.closed_at.searchsorted(self.now, side="right")) - 1
        end = float(table.closed_at[number + 1]) if number + 1 < len(table) else float("inf")
        if number < 0:
            return float("-inf"), end, table[0].open
        return float(table.closed_at[number]), end, table.price(int(table.prices[number, 3]))

    def _keep_room(self, symbol: str) -> None:
        if symbol in self._room:
            self._room[symbol] = (self._room[symbol][0], self._market.room(symbol))

    def _candle(self, table: CandleTable, at: float) -> int | None:
        number = int(table.opened_at.searchsorted(at, side="right")) - 1
        inside = number >= 0 and at < int(table.opened_at[number]) + table.interval_seconds
        return number if inside else None
