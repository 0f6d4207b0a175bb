"""A strategy's view of past candles that makes what the strategy looks at, and nothing else.

It is a `MarketView` like any other: the same candles, the same indicators to the last bit. A candle becomes an object
when somebody takes hold of it; indicators read the table's columns of floats, which are what `float` makes of the
candles' decimals. What lies after the view's last candle can be had from neither.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

from bot.backtest.candle_table import CandleTable
from bot.domain.quote import Candle
from bot.market.cached_indicators import CachedIndicators
from bot.strategies.interface import AccountFacts, MarketView


class TableView(MarketView):
    """Made by `view_of`. A changed copy of it (`dataclasses.replace`) is a plain view with candles of its own."""

    _count: int
    _newest: Callable[[int], Sequence[Candle]]
    _spanned: Callable[[int], int]
    _column: Callable[[str, int], list[float]]

    @cached_property
    def candles(self) -> Sequence[Candle]:
        """A tuple of their own, as in `MarketView`."""
        return tuple(self._newest(self._count))

    @property
    def count(self) -> int:
        """See `MarketView`."""
        return self._count if self._is_lazy else super().count

    @cached_property
    def indicators(self) -> CachedIndicators:
        """See `MarketView`."""
        return _ColumnIndicators(self._column) if self._is_lazy else CachedIndicators(self.candles)

    def last(self, count: int) -> Sequence[Candle]:
        """See `MarketView`."""
        if not self._is_lazy or "candles" in self.__dict__:
            return super().last(count)
        return tuple(self._newest(min(count, self._count))) if count > 0 else ()

    def missing(self, count: int) -> int:
        """See `MarketView`."""
        if not self._is_lazy:
            return super().missing(count)
        looked_at = min(count, self._count)
        return 0 if looked_at < 2 else max(0, self._spanned(looked_at) - looked_at)

    @property
    def _is_lazy(self) -> bool:
        return "_count" in self.__dict__


class _ColumnIndicators(CachedIndicators):
    def __init__(self, column: Callable[[str, int], list[float]]) -> None:
        super().__init__(())
        self._read = column

    def _column(self, name: str, over: int) -> list[float]:
        return self._read(name, over)


def view_of(table: CandleTable, begin: int, end: int, account: AccountFacts | None) -> MarketView:
    """The view of candles `begin` to (without) `end`; a plain one where floats of the columns are not the candles'."""
    if not table.floats_are_exact:
        return MarketView(table.symbol, table[begin:end], table.interval_minutes, account)

    def newest(count: int) -> Sequence[Candle]:
        return table[end - count : end]

    def spanned(count: int) -> int:
        """Intervals from the first to the last of the newest so many candles, both included."""
        return int(table.opened_at[end - 1] - table.opened_at[end - count]) // table.interval_seconds + 1

    def column(name: str, over: int) -> list[float]:
        values: list[float] = getattr(table.arrays, name)[max(begin, end - over) : end].tolist() if over > 0 else []
        return values

    view = object.__new__(TableView)
    view.__dict__.update(
        symbol=table.symbol, interval_minutes=table.interval_minutes, account=account,
        _count=end - begin, _newest=newest, _spanned=spanned, _column=column,
    )  # fmt: skip
    return view
