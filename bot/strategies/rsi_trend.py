"""The default strategy: momentum that has just turned up, inside an upward trend, on closed candles."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry
from bot.strategies.parameters import Parameter, ParameterValues

if TYPE_CHECKING:
    from bot.market.candle_arrays import CandleArrays, Mask
    from bot.strategies.rsi_trend_screens import RsiTrendScreens

# A recursive average started n periods ago still carries e^-2n of where it was started: 2 % after two periods.
_WARM_UP_PERIODS = 2
_CONFIDENCE_STEP = Decimal("0.0001")


class RsiTrend:
    """Buys when the fast RSI has crossed above the slow one within the last few candles, and

    - the trend is up: the last close is above the slow EMA and the fast EMA is rising;
    - it is not overbought: the fast RSI is below a ceiling;
    - the history has few holes.

    Wants out when the trend has turned: close below the slow EMA, fast EMA falling, fast RSI below the slow one. The
    two exclude each other: it never buys what it would sell. Stops and targets are left to the account's settings.
    """

    name = "rsi_trend"
    parameters = (
        Parameter("rsi_fast", 9, 2, 100, "candles", "length of the fast RSI"),
        Parameter("rsi_slow", 14, 3, 200, "candles", "length of the slow RSI; longer than the fast one"),
        Parameter("ema_fast", 9, 2, 200, "candles", "length of the EMA that must rise"),
        Parameter("ema_slow", 50, 3, 300, "candles", "length of the EMA the close must be above"),
        Parameter(
            "fresh_candles", 5, 1, 20, "candles", "how long ago the RSIs may have crossed; 1 = by the last candle"
        ),
        Parameter("overbought", Decimal(75), Decimal(50), Decimal(100), "RSI points", "no entry at or above"),
        Parameter("missing_candles", Decimal(20), Decimal(0), Decimal(90), "percent", "no entry with more holes"),
    )

    def __init__(self, values: ParameterValues) -> None:
        """Raises ValueError when a fast length is not shorter than its slow one."""
        self._values = values
        for kind in ("rsi", "ema"):
            fast, slow = values.integer(f"{kind}_fast"), values.integer(f"{kind}_slow")
            if fast >= slow:
                raise ValueError(f"{kind}_fast is {fast} and must be shorter than {kind}_slow, {slow}")
        longest = max(values.integer("rsi_slow"), values.integer("ema_slow"))
        self.candles_needed = (_WARM_UP_PERIODS + 1) * longest + values.integer("fresh_candles") + 1

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        """See the class. The rules are asked in a fixed order and the first that says no is the answer."""
        missing = view.missing(self.candles_needed)
        if missing * 100 > self._values.decimal("missing_candles") * self.candles_needed:
            return NoEntry(f"{missing} of {self.candles_needed} candles are missing", rule="candles_missing")
        reading = _Reading(view, self._values, self.candles_needed)
        if not reading.trend_up:
            return NoEntry(f"the trend is not up: {reading.trend_text}", rule="trend_not_up")
        if reading.candles_since_cross is None:
            return NoEntry(f"no fresh cross of the RSIs: {reading.rsi_text}", rule="no_fresh_cross")
        if reading.rsi_fast >= float(self._values.decimal("overbought")):
            return NoEntry(f"overbought: {reading.rsi_text}", rule="overbought")
        ago = reading.candles_since_cross
        reason = f"{reading.rsi_text}, crossed up {ago} candles ago; {reading.trend_text}"
        return EntryIntent(view.symbol, _confidence(reading), reason)

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        """Sell when trend and momentum have both turned; see the class."""
        reading = _Reading(view, self._values, self.candles_needed)
        if reading.trend_down and reading.rsi_fast < reading.rsi_slow:
            return ExitIntent(view.symbol, f"the trend has turned: {reading.trend_text}, {reading.rsi_text}")
        return None

    def screen(self, arrays: "CandleArrays") -> "Mask":
        """See `bot/strategies/screening.py`."""
        return self._screens(arrays).entry()

    def screen_exit(self, arrays: "CandleArrays") -> "Mask":
        """See `bot/strategies/screening.py`."""
        return self._screens(arrays).exit()

    def _screens(self, arrays: "CandleArrays") -> "RsiTrendScreens":
        # The bot itself asks candle by candle: only a backtest loads what reads columns of numbers.
        from bot.strategies.rsi_trend_screens import RsiTrendScreens

        return RsiTrendScreens(self._values, self.candles_needed, arrays)


class _Reading:
    """The indicators at the last closed candle, each when it is first asked for."""

    def __init__(self, view: MarketView, values: ParameterValues, over: int) -> None:
        self._view = view
        self._values = values
        self._over = over

    @property
    def close(self) -> float:
        return self._view.indicators.closes(over=self._over)[-1]

    @property
    def slow_average(self) -> float:
        return self._average("ema_slow")[-1]

    @property
    def slope(self) -> float:
        fast = self._average("ema_fast")
        return fast[-1] - fast[-2]

    @property
    def rsi_fast(self) -> float:
        return self._strength("rsi_fast")[-1]

    @property
    def rsi_slow(self) -> float:
        return self._strength("rsi_slow")[-1]

    @property
    def candles_since_cross(self) -> int | None:
        fresh = self._values.integer("fresh_candles")
        return candles_since_cross(self._strength("rsi_fast"), self._strength("rsi_slow"), within=fresh)

    def _average(self, name: str) -> list[float]:
        return self._view.indicators.ema(self._values.integer(name), over=self._over)

    def _strength(self, name: str) -> list[float]:
        return self._view.indicators.rsi(self._values.integer(name), over=self._over)

    @property
    def trend_up(self) -> bool:
        return self.close > self.slow_average and self.slope > 0

    @property
    def trend_down(self) -> bool:
        return self.close < self.slow_average and self.slope < 0

    @property
    def trend_text(self) -> str:
        above = (self.close / self.slow_average - 1) * 100
        direction = "rising" if self.slope > 0 else "falling" if self.slope < 0 else "level"
        return f"close {above:+.2f} % from the slow average, fast average {direction}"

    @property
    def rsi_text(self) -> str:
        return f"RSI {self.rsi_fast:.1f} against {self.rsi_slow:.1f}"


def candles_since_cross(fast: Sequence[float], slow: Sequence[float], *, within: int) -> int | None:
    """Candles since `fast` rose above `slow` and stayed there: 0 = by the last one; None if not in the last `within`.

    Both series end at the same candle.
    """
    for ago in range(within):
        here = -1 - ago
        if fast[here] <= slow[here]:
            return None
        if fast[here - 1] <= slow[here - 1]:
            return ago
    return None


def _confidence(reading: _Reading) -> Decimal:
    """From 0.5 up: more for a wider gap of the RSIs (10 points = full) and for a newer cross; only to rank wishes."""
    gap = min(max(reading.rsi_fast - reading.rsi_slow, 0.0) / 10.0, 1.0)
    newness = 1.0 / (1 + (reading.candles_since_cross or 0))
    return Decimal(0.5 + 0.3 * gap + 0.2 * newness).quantize(_CONFIDENCE_STEP)
