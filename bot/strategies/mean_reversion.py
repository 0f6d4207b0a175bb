"""A dip below the usual band of a market that goes nowhere, bought for the way back to the middle."""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry
from bot.strategies.parameters import Parameter, ParameterValues
from bot.strategies.percent import SMALLEST_DISTANCE

if TYPE_CHECKING:
    from bot.market.candle_arrays import CandleArrays, Mask

# A Wilder average started n periods ago still carries about e^-n of where it was started: 5 % after three.
_WARM_UP_PERIODS = 3
_CONFIDENCE_STEP = Decimal("0.0001")
_PERCENT_STEP = Decimal("0.0001")


class MeanReversion:
    """Buys when the last candle closes below the lower Bollinger band and the RSI is oversold, provided that

    - the market goes nowhere: the average directional index was below a ceiling before the dip;
    - it is a dip and no crash: the close is not more than `largest_fall_atr` average true ranges below the middle;
    - the history has few holes.

    Wants out when the close is back at the middle of the band, or when a trend has begun against it: below the middle
    and the directional index above its second ceiling. The stop is asked for with the entry, `stop_atr` average true
    ranges below the close; targets are left to the account's settings. It never buys what it would sell.
    """

    name = "mean_reversion"
    parameters = (
        Parameter("band", 20, 5, 300, "candles", "length of the Bollinger band"),
        Parameter("deviations", Decimal(2), Decimal("0.5"), Decimal(5), "standard deviations", "half the band's width"),
        Parameter("rsi_period", 14, 2, 100, "candles", "length of the RSI"),
        Parameter("oversold", Decimal(40), Decimal(5), Decimal(50), "RSI points", "no entry at or above"),
        Parameter("adx_period", 14, 2, 50, "candles", "length of the ADX and of the average true range"),
        Parameter("adx_ceiling", Decimal(20), Decimal(5), Decimal(60), "ADX points", "no entry at or above: a trend"),
        Parameter("adx_trend", Decimal(40), Decimal(10), Decimal(100), "ADX points", "out above; above adx_ceiling"),
        Parameter("largest_fall_atr", Decimal(6), Decimal(1), Decimal(50), "ATR", "no entry further below the middle"),
        Parameter("stop_atr", Decimal(3), Decimal("0.5"), Decimal(20), "ATR", "distance of the stop"),
        Parameter("largest_stop", Decimal(8), Decimal("0.1"), Decimal(50), "percent", "no entry with a wider stop"),
        Parameter("missing_candles", Decimal(20), Decimal(0), Decimal(90), "percent", "no entry with more holes"),
    )

    def __init__(self, values: ParameterValues) -> None:
        """Raises ValueError when the two ceilings of the ADX are the wrong way round."""
        self._values = values
        ceiling, trend = values.decimal("adx_ceiling"), values.decimal("adx_trend")
        if ceiling >= trend:
            raise ValueError(f"adx_ceiling is {ceiling} and must be below adx_trend, {trend}")
        self._band, self._deviations = values.integer("band"), float(values.decimal("deviations"))
        self._rsi_period, self._adx_period = values.integer("rsi_period"), values.integer("adx_period")
        recursive = max(self._rsi_period, 2 * self._adx_period)
        self.candles_needed = max(self._band, _WARM_UP_PERIODS * recursive) + 2

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        """See the class. The rules are asked in a fixed order and the first that says no is the answer."""
        missing = view.missing(self.candles_needed)
        if missing * 100 > self._values.decimal("missing_candles") * self.candles_needed:
            return NoEntry(f"{missing} of {self.candles_needed} candles are missing", rule="candles_missing")
        reading = self._read_band(view)
        if not reading.close < reading.lower:
            return NoEntry(f"not below the band: {reading.text}", rule="inside_band")
        strength = view.indicators.rsi(self._rsi_period, over=self.candles_needed)[-1]
        if strength >= float(self._values.decimal("oversold")):
            return NoEntry(f"RSI {strength:.1f} is not oversold; {reading.text}", rule="not_oversold")
        trend = self._adx(view)[-2]
        if trend >= float(self._values.decimal("adx_ceiling")):
            return NoEntry(f"ADX {trend:.1f}: the market has a trend; {reading.text}", rule="trending")
        return self._dip(view, reading, f"RSI {strength:.1f}, ADX {trend:.1f}, {reading.text}")

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        """Sell when the way back is done, or when a trend has begun against it; see the class."""
        reading = self._read_band(view)
        if reading.close >= reading.middle:
            return ExitIntent(view.symbol, f"back at the middle: {reading.text}")
        trend = self._adx(view)[-2:]
        if min(trend) > float(self._values.decimal("adx_trend")):
            return ExitIntent(view.symbol, f"a trend has begun below the middle: ADX {trend[-1]:.1f}, {reading.text}")
        return None

    def screen(self, arrays: "CandleArrays") -> "Mask":
        """See `bot/strategies/screening.py`."""
        from bot.strategies.windowed import ROUNDING, ROUNDING_POINTS, mean_and_deviation, rsi_at

        mean, deviation = mean_and_deviation(arrays.close, self._band)
        below = arrays.close < mean - self._deviations * deviation + ROUNDING * arrays.close
        strength = rsi_at(arrays.close, self._rsi_period, self.candles_needed)
        return below & (strength < float(self._values.decimal("oversold")) + ROUNDING_POINTS)

    def _dip(self, view: MarketView, reading: "_Band", text: str) -> EntryIntent | NoEntry:
        """The size of the fall and of the stop, in ranges that were usual before it."""
        usual = view.indicators.atr(self._adx_period, over=self.candles_needed)[-2]
        fall = reading.middle - reading.close
        if fall > usual * float(self._values.decimal("largest_fall_atr")):
            return NoEntry(f"a fall of {fall / usual if usual else 0:.1f} ATR is no dip: {text}", rule="crash")
        stop = max(SMALLEST_DISTANCE, self._stop_percent(usual, reading.close))
        if stop > self._values.decimal("largest_stop"):
            return NoEntry(f"the stop would be {stop:.2f} % away: {text}", rule="stop_too_far")
        confidence = Decimal(0.5 + 0.5 * min(fall / (usual * 6.0) if usual else 0.0, 1.0)).quantize(_CONFIDENCE_STEP)
        return EntryIntent(view.symbol, confidence, f"dip: {text}", stop_loss_percent=stop)

    def _stop_percent(self, usual_range: float, close: float) -> Decimal:
        """Rounded away from the price."""
        distance = Decimal(usual_range / close) * 100 * self._values.decimal("stop_atr")
        return distance.quantize(_PERCENT_STEP, rounding=ROUND_UP)

    def _read_band(self, view: MarketView) -> "_Band":
        close = view.indicators.closes(over=self._band)[-1]
        bands = view.indicators.bollinger(self._band, self._deviations, over=self._band)[-1]
        return _Band(close, bands.middle, bands.lower)

    def _adx(self, view: MarketView) -> list[float]:
        return view.indicators.adx(self._adx_period, over=self.candles_needed)


@dataclass(frozen=True)
class _Band:
    """The last close and where the band is, in quote."""

    close: float
    middle: float
    lower: float

    @property
    def text(self) -> str:
        return f"close {self.close:.10g}, band from {self.lower:.10g} with its middle at {self.middle:.10g}"
