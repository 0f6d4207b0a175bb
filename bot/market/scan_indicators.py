"""The scan's indicators: numpy state of all markets, moved on by one closed candle a market.

Each gives what TA-Lib 0.8 gives at that candle for the series since the market's first one, with TA-Lib's default
unstable periods, and NaN while it is warming up. Floats: an indicator is a shape, and never becomes money.
"""

from dataclasses import dataclass

import numpy as np

from bot.market.scan_averages import Counts, ExponentialAverage, Floats, Mask, WilderAverage, WilderSum, Window


@dataclass(frozen=True)
class CandleStep:
    """One closed candle of every present market, and what the candle before was.

    `seen` counts the candles of a market including this one: 1 is its first.
    """

    high: Floats
    low: Floats
    close: Floats
    high_before: Floats
    low_before: Floats
    close_before: Floats
    seen: Counts
    present: Mask

    @property
    def moves(self) -> Counts:
        """How many times each market has gone from one candle to the next."""
        return self.seen - 1

    def true_range(self) -> Floats:
        """The candle's span, a gap from the last close included."""
        spans = np.maximum(self.high - self.low, np.abs(self.high - self.close_before))
        return np.maximum(spans, np.abs(self.low - self.close_before))


def _from_candle(values: Floats, first: int, seen: Counts) -> Floats:
    """NaN for markets that have seen fewer than `first` candles."""
    return values.copy() if (seen >= first).all() else np.where(seen >= first, values, np.nan)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """0 where the whole is nothing: TA-Lib's answer for a price that has not moved at all."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0.0)


class Ema:
    """Exponential moving average of the closes, in quote."""

    def __init__(self, period: int, markets: int) -> None:
        self._average = ExponentialAverage(period, markets)

    def step(self, candle: CandleStep) -> Floats:
        average = self._average.step(candle.close, candle.seen, candle.present)
        return _from_candle(average, self._average.period, candle.seen)


class Rsi:
    """Wilder's relative strength index, 0 to 100; 0 for a price that has never moved."""

    def __init__(self, period: int, markets: int) -> None:
        self._period = period
        self._gain, self._loss = WilderAverage(period, markets), WilderAverage(period, markets)

    def step(self, candle: CandleStep) -> Floats:
        move = candle.close - candle.close_before
        gain = self._gain.step(np.maximum(move, 0.0), candle.moves, candle.present)
        loss = self._loss.step(np.maximum(-move, 0.0), candle.moves, candle.present)
        return _from_candle(100.0 * _ratio(gain, gain + loss), self._period + 1, candle.seen)


class Atr:
    """Wilder's average true range, in quote."""

    def __init__(self, period: int, markets: int) -> None:
        self._average = WilderAverage(period, markets)

    def step(self, candle: CandleStep) -> Floats:
        average = self._average.step(candle.true_range(), candle.moves, candle.present)
        return _from_candle(average, self._average.period + 1, candle.seen)


class Adx:
    """Wilder's average directional index, 0 to 100: how one-sided the price travels, whichever way."""

    def __init__(self, period: int, markets: int) -> None:
        self._period = period
        self._range, self._up, self._down = (WilderSum(period, markets) for _ in range(3))
        self._average = WilderAverage(period, markets)

    def step(self, candle: CandleStep) -> Floats:
        rise, fall = candle.high - candle.high_before, candle.low_before - candle.low
        up = self._up.step(np.where((rise > 0) & (rise > fall), rise, 0.0), candle.moves, candle.present)
        down = self._down.step(np.where((fall > 0) & (fall > rise), fall, 0.0), candle.moves, candle.present)
        span = self._range.step(candle.true_range(), candle.moves, candle.present)
        up_share, down_share = _ratio(100.0 * up, span), _ratio(100.0 * down, span)
        total = up_share + down_share
        index = 100.0 * _ratio(np.abs(down_share - up_share), total)
        return self._averaged(index, total, candle)

    def _averaged(self, index: Floats, total: Floats, candle: CandleStep) -> Floats:
        numbers = candle.moves - (self._period - 1)
        # Where nothing has a direction there is nothing to average: the last value stands.
        silent = (total == 0.0) & (numbers > self._period)
        average = self._average.step(index, numbers, candle.present & ~silent)
        return _from_candle(average, 2 * self._period, candle.seen)


class Macd:
    """Difference of a fast and a slow EMA, in quote; the EMA of that; and how far it is above it.

    The fast average starts together with the slow one, from the closes just before, and all three are said from the
    signal line's first value on: TA-Lib's way.
    """

    def __init__(self, fast: int, slow: int, signal: int, markets: int) -> None:
        self._lead = slow - fast
        self._slow_period, self._signal_period = slow, signal
        self._fast, self._slow = ExponentialAverage(fast, markets), ExponentialAverage(slow, markets)
        self._signal = ExponentialAverage(signal, markets)

    def step(self, candle: CandleStep) -> tuple[Floats, Floats, Floats]:
        """Line, signal, histogram."""
        fast = self._fast.step(candle.close, candle.seen - self._lead, candle.present)
        slow = self._slow.step(candle.close, candle.seen, candle.present)
        line = fast - slow
        signal = self._signal.step(line, candle.seen - (self._slow_period - 1), candle.present)
        first = self._slow_period + self._signal_period - 1
        said = _from_candle(line, first, candle.seen)
        return said, _from_candle(signal, first, candle.seen), said - signal


class Bollinger:
    """Simple average of the closes and bands `deviations` standard deviations around it, in quote."""

    def __init__(self, period: int, deviations: float, markets: int) -> None:
        self._deviations = deviations
        self._window = Window(period, markets)

    def step(self, candle: CandleStep) -> tuple[Floats, Floats, Floats]:
        """Upper, middle, lower."""
        self._window.step(candle.close, candle.seen, candle.present)
        mean, deviation = self._window.mean_and_deviation()
        middle = _from_candle(mean, self._window.period, candle.seen)
        away = deviation * self._deviations
        return middle + away, middle, middle - away
