"""A price that leaves its channel upwards, with a stop as far away as the market is used to moving."""

from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

from bot.domain.position import Position
from bot.market.indicators import Channel
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry
from bot.strategies.parameters import Parameter, ParameterValues
from bot.strategies.percent import SMALLEST_DISTANCE

if TYPE_CHECKING:
    from bot.market.candle_arrays import CandleArrays, Mask

# A Wilder average started n periods ago still carries about e^-n of where it was started: 5 % after three.
_WARM_UP_PERIODS = 3
_CONFIDENCE_STEP = Decimal("0.0001")
_PERCENT_STEP = Decimal("0.0001")


class Breakout:
    """Buys when the last candle closes above the channel of the candles before it (Donchian: their highest high)

    - by a margin, in average true ranges: a touch is no break;
    - freshly: the candle before did not close above its own channel by as much;
    - with a stop that makes sense: `stop_atr` average true ranges below the close, and not further than a ceiling.

    Wants out when a candle closes below the lowest low of the candles before it, over a shorter channel. The two
    exclude each other. The stop is asked for with the entry; targets are left to the account's settings.
    """

    name = "breakout"
    parameters = (
        Parameter("channel", 20, 2, 300, "candles", "length of the channel that is left upwards"),
        Parameter("exit_channel", 10, 1, 300, "candles", "length of the channel left downwards; not above channel"),
        Parameter("atr_period", 14, 2, 100, "candles", "length of the average true range"),
        Parameter("margin_atr", Decimal("0.25"), Decimal(0), Decimal(5), "ATR", "how far above the channel is a break"),
        Parameter("stop_atr", Decimal("2.5"), Decimal("0.5"), Decimal(20), "ATR", "distance of the stop"),
        Parameter("largest_stop", Decimal(8), Decimal("0.1"), Decimal(50), "percent", "no entry with a wider stop"),
        Parameter("missing_candles", Decimal(20), Decimal(0), Decimal(90), "percent", "no entry with more holes"),
    )

    def __init__(self, values: ParameterValues) -> None:
        """Raises ValueError when the exit's channel is longer than the entry's."""
        self._values = values
        self._channel, self._exit_channel = values.integer("channel"), values.integer("exit_channel")
        if self._exit_channel > self._channel:
            raise ValueError(f"exit_channel is {self._exit_channel} and must not be above channel, {self._channel}")
        self._atr_period = values.integer("atr_period")
        # Two candles have a channel before them each; the true range needs the close before it.
        self.candles_needed = max(self._channel + 2, _WARM_UP_PERIODS * self._atr_period + 2)

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        """See the class. The rules are asked in a fixed order and the first that says no is the answer."""
        missing = view.missing(self.candles_needed)
        if missing * 100 > self._values.decimal("missing_candles") * self.candles_needed:
            return NoEntry(f"{missing} of {self.candles_needed} candles are missing", rule="candles_missing")
        close_before, close = view.indicators.closes(over=self.candles_needed)[-2:]
        ceiling_before, ceiling = (channel.high for channel in self._channels(view, self._channel)[-3:-1])
        # As wide as the range was before the break: a break widens it.
        usual = view.indicators.atr(self._atr_period, over=self.candles_needed)[-2]
        margin = usual * float(self._values.decimal("margin_atr"))
        where = f"close {close:.10g}, channel up to {ceiling:.10g}, ATR {usual:.6g}"
        if not close > ceiling + margin:
            return NoEntry(f"inside the channel: {where}", rule="no_break")
        if close_before > ceiling_before + margin:
            return NoEntry(f"the break is older than the last candle: {where}", rule="not_fresh")
        stop = self._stop_percent(usual, close)
        if stop > self._values.decimal("largest_stop"):
            return NoEntry(f"the stop would be {stop:.2f} % away: {where}", rule="stop_too_far")
        return EntryIntent(
            view.symbol, _confidence(close - ceiling, usual), f"left the channel: {where}", stop_loss_percent=stop
        )

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        """Sell when the shorter channel is left downwards; see the class."""
        close = view.indicators.closes(over=self.candles_needed)[-1]
        floor = self._channels(view, self._exit_channel)[-2].low
        if close < floor:
            return ExitIntent(view.symbol, f"left the channel downwards: close {close:.10g} below {floor:.10g}")
        return None

    def screen(self, arrays: "CandleArrays") -> "Mask":
        """See `bot/strategies/screening.py`."""
        from bot.strategies.windowed import highest_before

        return arrays.close > highest_before(arrays.high, self._channel)

    def screen_exit(self, arrays: "CandleArrays") -> "Mask":
        """See `bot/strategies/screening.py`."""
        from bot.strategies.windowed import lowest_before

        return arrays.close < lowest_before(arrays.low, self._exit_channel)

    def _channels(self, view: MarketView, period: int) -> list[Channel]:
        return view.indicators.donchian(period, over=self.candles_needed)

    def _stop_percent(self, usual_range: float, close: float) -> Decimal:
        """Rounded away from the price, and never inside the spread."""
        distance = Decimal(usual_range / close) * 100 * self._values.decimal("stop_atr")
        return max(SMALLEST_DISTANCE, distance.quantize(_PERCENT_STEP, rounding=ROUND_UP))


def _confidence(above: float, usual_range: float) -> Decimal:
    """From 0.5 up: full when the close is two usual ranges above the channel; only to rank wishes."""
    ranges = above / usual_range if usual_range > 0 else 2.0
    return Decimal(0.5 + 0.25 * min(ranges, 2.0)).quantize(_CONFIDENCE_STEP)
