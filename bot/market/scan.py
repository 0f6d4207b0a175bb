"""Indicators of a whole venue: 1,500 markets moved on by one closed candle each, in a fraction of a millisecond.

A full recomputation over a window of history does the same work again for each candle; here every candle is taken in
once. A market may join at any time, miss candles, or be left; each market's indicators are those of its own candles,
whatever the others do. After a restart the state is built anew from history, with the same results.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from bot.domain.quote import Candle
from bot.market.scan_averages import Counts, Floats, Mask
from bot.market.scan_indicators import Adx, Atr, Bollinger, CandleStep, Ema, Macd, Rsi

INDICATORS = (
    "rsi_9", "rsi_14", "ema_20", "ema_50", "atr_14", "adx_14", "macd", "macd_signal", "macd_histogram",
    "bollinger_upper", "bollinger_middle", "bollinger_lower",
)  # fmt: skip
# Kraken lists about 1,500 pairs.
DEFAULT_CAPACITY = 2048


@dataclass(frozen=True)
class Ranked:
    """One market that is worth a look. `strength` ranks and has no unit; `adx`, `rsi` are 0–100."""

    symbol: str
    strength: float
    adx: float
    rsi: float
    above_ema_percent: float


class IndicatorTable:
    """The numbers alone: arrays with one element a market. `values` holds the latest by name, NaN while warming up."""

    def __init__(self, markets: int) -> None:
        self.markets = markets
        self.seen: Counts = np.zeros(markets, dtype=np.int64)
        self._high, self._low, self._close = (np.zeros(markets) for _ in range(3))
        self._rsi_9, self._rsi_14 = Rsi(9, markets), Rsi(14, markets)
        self._ema_20, self._ema_50 = Ema(20, markets), Ema(50, markets)
        self._atr_14, self._adx_14 = Atr(14, markets), Adx(14, markets)
        self._macd = Macd(12, 26, 9, markets)
        self._bollinger = Bollinger(20, 2.0, markets)
        self.values: dict[str, Floats] = {name: np.full(markets, np.nan) for name in INDICATORS}

    @property
    def close(self) -> Floats:
        """The last close of each market, 0 for one without any."""
        return self._close

    def step(self, high: Floats, low: Floats, close: Floats, present: Mask) -> None:
        """Take in one closed candle of each present market; prices of the others are not looked at."""
        self.seen += present
        before = CandleStep(high, low, close, self._high, self._low, self._close, self.seen, present)
        with np.errstate(invalid="ignore", over="ignore"):
            self._say(before)
        for kept, new in ((self._high, high), (self._low, low), (self._close, close)):
            np.copyto(kept, new, where=present)

    def forget(self, column: int) -> None:
        """Nothing is known of this market any more; its next candle is a first one."""
        self.seen[column] = 0
        self._close[column] = 0.0
        for values in self.values.values():
            values[column] = np.nan

    def _say(self, candle: CandleStep) -> None:
        line, signal, histogram = self._macd.step(candle)
        upper, middle, lower = self._bollinger.step(candle)
        said = (
            self._rsi_9.step(candle), self._rsi_14.step(candle), self._ema_20.step(candle), self._ema_50.step(candle),
            self._atr_14.step(candle), self._adx_14.step(candle), line, signal, histogram, upper, middle, lower,
        )  # fmt: skip
        # A market that sent nothing keeps what was said of its last candle.
        for name, values in zip(INDICATORS, said, strict=True):
            np.copyto(self.values[name], values, where=candle.present)


class MarketScan:
    """The indicators of named markets. Used by one thread."""

    def __init__(self, symbols: Iterable[str] = (), *, capacity: int = DEFAULT_CAPACITY) -> None:
        """`capacity` is how many markets there can be at once. Raises ValueError when there are more."""
        self._column: dict[str, int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self._newest: list[datetime | None] = [None] * capacity
        self.table = IndicatorTable(capacity)
        for symbol in symbols:
            self.join(symbol)

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._column)

    def join(self, symbol: str) -> None:
        """Scan this market too, from its next candle on. Raises ValueError when there is no room."""
        if symbol in self._column:
            return
        if not self._free:
            raise ValueError(f"{len(self._column)} markets are scanned already: no room for {symbol}")
        self._column[symbol] = self._free.pop()

    def leave(self, symbol: str) -> None:
        """Forget a market; one that comes back starts anew."""
        column = self._column.pop(symbol, None)
        if column is not None:
            self._newest[column] = None
            self.table.forget(column)
            self._free.append(column)

    def close_candles(self, candles: Mapping[str, Candle]) -> int:
        """Take in the candles that have just closed, one a market; returns how many were new.

        A candle that is not newer than the market's last one is not counted again. Unknown symbols are left out.
        """
        # Lists first, then arrays in one go: setting single elements of an array is what takes the time.
        columns, highs, lows, closes = list[int](), list[float](), list[float](), list[float]()
        for symbol, candle in candles.items():
            column = self._column.get(symbol)
            if column is None or not self._is_new(column, candle.opened_at):
                continue
            self._newest[column] = candle.opened_at
            columns.append(column)
            highs.append(float(candle.high))
            lows.append(float(candle.low))
            closes.append(float(candle.close))
        self._step(columns, (highs, lows, closes))
        return len(columns)

    def _step(self, columns: list[int], sent: tuple[list[float], list[float], list[float]]) -> None:
        prices = np.zeros((3, self.table.markets))
        present = np.zeros(self.table.markets, dtype=np.bool_)
        prices[:, columns] = sent
        present[columns] = True
        self.table.step(prices[0], prices[1], prices[2], present)

    def _is_new(self, column: int, opened_at: datetime) -> bool:
        newest = self._newest[column]
        return newest is None or opened_at > newest

    def take_history(self, histories: Mapping[str, Sequence[Candle]]) -> None:
        """Take in many candles a market, oldest first: at the start, or for markets that have just joined.

        Markets that are not scanned yet join.
        """
        for symbol in histories:
            self.join(symbol)
        for number in range(max(map(len, histories.values()), default=0)):
            self.close_candles({symbol: past[number] for symbol, past in histories.items() if number < len(past)})

    def columns(self) -> Iterable[tuple[str, int]]:
        """Each market and its place in the table's arrays."""
        return self._column.items()

    def reading(self, symbol: str) -> Mapping[str, float]:
        """What is known of one market by the indicator's name; those still warming up are not in it.

        Raises KeyError for a symbol that is not scanned.
        """
        column = self._column[symbol]
        known = {name: float(values[column]) for name, values in self.table.values.items()}
        return {name: value for name, value in known.items() if not np.isnan(value)}


def ranked(scan: MarketScan, *, limit: int, least_adx: float = 20.0) -> list[Ranked]:
    """The markets in an upward trend, strongest first: candidates for a closer look, not decisions to buy.

    Upward: close over the 50-candle EMA, the 20-candle one over it too, MACD over its signal, ADX at least `least_adx`.
    Strength is the ADX times how many average true ranges the close is above the slow EMA, so that a market is
    measured by its own unrest. Markets that are still warming up are left out.
    """
    table = scan.table
    said = table.values
    with np.errstate(invalid="ignore", divide="ignore"):
        rising = (table.close > said["ema_50"]) & (said["ema_20"] > said["ema_50"])
        rising &= (said["macd_histogram"] > 0) & (said["adx_14"] >= least_adx) & (said["atr_14"] > 0)
        strength = said["adx_14"] * (table.close - said["ema_50"]) / said["atr_14"]
    places = set(np.flatnonzero(rising).tolist())
    found = [(symbol, column) for symbol, column in scan.columns() if column in places]
    chosen = sorted(found, key=lambda market: (-strength[market[1]], market[0]))[:limit]
    return [
        Ranked(
            symbol=symbol,
            strength=float(strength[column]),
            adx=float(said["adx_14"][column]),
            rsi=float(said["rsi_14"][column]),
            above_ema_percent=float((table.close[column] / said["ema_50"][column] - 1) * 100),
        )
        for symbol, column in chosen
    ]
