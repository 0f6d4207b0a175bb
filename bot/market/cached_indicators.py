"""The indicators of one run of candles, each computed once however often it is asked for."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar, cast

from bot.domain.quote import Candle
from bot.market import indicators
from bot.market.indicators import Bands, Channel, Columns

_Series = TypeVar("_Series")


class CachedIndicators:
    """Every method takes `over`: only the newest so many candles are read, the values are a list, oldest first.

    An indicator that is started further back differs a little: a strategy says how far back it starts, so that its
    answer does not depend on how long the history is. The lists are shared: do not change them.
    """

    def __init__(self, candles: Sequence[Candle]) -> None:
        self._candles = candles
        self._known: dict[Hashable, object] = {}
        self._by_over: dict[int, Columns] = {}

    def closes(self, *, over: int) -> list[float]:
        """Closing prices."""
        return self._once(("closes", over), lambda: self._column("close", over))

    def volumes(self, *, over: int) -> list[float]:
        """Volumes in base."""
        return self._once(("volumes", over), lambda: self._column("volume", over))

    def ema(self, period: int, *, over: int) -> list[float]:
        """Exponential moving average of the closes."""
        return self._once(("ema", period, over), lambda: indicators.ema(self.closes(over=over), period))

    def rsi(self, period: int, *, over: int) -> list[float]:
        """Relative strength index of the closes, 0 to 100."""
        return self._once(("rsi", period, over), lambda: indicators.rsi(self.closes(over=over), period))

    def atr(self, period: int, *, over: int) -> list[float]:
        """Average true range, in quote."""
        return self._once(("atr", period, over), lambda: indicators.atr_of(self._columns(over), period))

    def adx(self, period: int, *, over: int) -> list[float]:
        """Average directional index, 0 to 100."""
        return self._once(("adx", period, over), lambda: indicators.adx_of(self._columns(over), period))

    def bollinger(self, period: int, deviations: float, *, over: int) -> list[Bands]:
        """Mean and bands of the closes, in quote."""
        return self._once(
            ("bollinger", period, deviations, over),
            lambda: indicators.bollinger(self.closes(over=over), period, deviations),
        )

    def donchian(self, period: int, *, over: int) -> list[Channel]:
        """Highest high and lowest low of each `period` candles, in quote."""
        return self._once(("donchian", period, over), lambda: indicators.donchian_of(self._columns(over), period))

    def asked(self) -> Mapping[tuple[Hashable, ...], Sequence[object]]:
        """What was asked for until now, by name and arguments (the last one is `over`): for drawing it."""
        return {key: cast(Sequence[object], series) for key, series in self._known.items() if isinstance(key, tuple)}

    def _columns(self, over: int) -> Columns:
        """Not in `_known`, whose every series can be drawn."""
        found = self._by_over.get(over)
        if found is None:
            high, low = self._column("high", over), self._column("low", over)
            found = self._by_over[over] = Columns(high, low, self.closes(over=over))
        return found

    def _column(self, name: str, over: int) -> list[float]:
        """The newest so many values of one field of a candle."""
        return [float(getattr(candle, name)) for candle in self._candles[-over:]] if over > 0 else []

    def _once(self, key: Hashable, compute: Callable[[], _Series]) -> _Series:
        if key not in self._known:
            self._known[key] = compute()
        return cast(_Series, self._known[key])
