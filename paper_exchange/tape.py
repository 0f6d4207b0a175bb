"""The tape: one bar a minute per symbol, generated on demand, the same for ever for the same seed.

How a symbol moves: a common factor and the symbol's own noise, both with clustered volatility (GARCH-like); regimes
(trend up, trend down, range) that last about forty minutes; a jump now and then; volume and spread follow volatility.
Only additions, multiplications and square roots are used, which IEEE 754 rounds exactly, so that a tape is the same on
every machine and Python version; normal numbers are approximated by the sum of four uniform ones. The stream of a
symbol depends on nothing but (version, seed, symbol): not on other symbols, nor on when or in which order one asks.

Time is a minute's index relative to the exchange's first start: bar 0 is the first live minute. Before the minute bars,
coarser bars (up to an hour, then a day) walk backwards from the first one.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import NamedTuple

TAPE_VERSION = 1
HISTORY_MINUTES = 1440  # minute bars that exist at the first start; a strategy may ask for 720
KEPT_MINUTES = 5 * 1440  # minute bars in memory; older ones are folded into hours
DEEP_HOURS = 30 * 24
DEEP_DAYS = 720
HALF_RANGE = sqrt(3.0)  # scales the sum of four uniforms to variance 1

REGIME_SWITCH_CHANCE = 1 / 40  # a minute
TREND_STRENGTH = 0.15  # of a minute's volatility, each minute
RANGE_PULL = 0.035  # back to the regime's anchor, each minute
JUMP_CHANCE = 1 / 900
JUMP_SIZE = 7.0  # in minute volatilities, at most
GARCH_KEEP, GARCH_SHOCK = 0.92, 0.06  # the rest is the long-run mean
VARIANCE_BOUNDS = (0.25, 6.0)  # of the long-run variance
VOLATILITY_BOUNDS = (0.3, 4.0)  # of a bar, for spread and depth


class Bar(NamedTuple):
    """`minutes` long, from `start` (minute index). Prices are in tick sizes, volume in lots."""

    start: int
    minutes: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    volatility: float  # relative to the symbol's mean


@dataclass(frozen=True)
class Temper:
    """How a symbol moves: volatility is the mean absolute size of a minute's return, as a fraction."""

    start_ticks: float
    minute_volatility: float
    factor_share: float  # correlation with the common factor, 0..1
    minute_volume_lots: float
    spread: float = 0.0002  # ask - bid, as a fraction of the price, in calm times
    top_lots: float = 1e8  # quantity at the best price, in lots
    pegged: bool = False  # a currency or stablecoin: returns to its start price


def stream(seed: int, name: str, purpose: str) -> Random:
    """A random stream of its own for every (version, seed, name, purpose)."""
    return Random(stream_key(seed, name, purpose))


def stream_key(seed: int, name: str, purpose: str) -> int:
    digest = hashlib.sha256(f"{TAPE_VERSION}:{seed}:{name}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:16], "big")


class CommonFactor:
    """What moves all symbols together: a standardised return a minute."""

    def __init__(self, seed: int) -> None:
        self._draw = stream(seed, "common factor", "minutes").random
        self._returns = array("d")
        self._variance = 1.0

    def at(self, position: int) -> float:
        """The return of the `position`-th generated minute (0 is the first minute of history)."""
        while len(self._returns) <= position:
            self._extend()
        return self._returns[position]

    def _extend(self) -> None:
        draw = self._draw
        shock = sqrt(self._variance) * (draw() + draw() + draw() + draw() - 2.0) * HALF_RANGE
        self._variance = next_variance(self._variance, shock)
        self._returns.append(shock)


def next_variance(variance: float, shock: float) -> float:
    """GARCH(1,1) around a long-run variance of 1, bounded so that no storm grows without end."""
    value = (1.0 - GARCH_KEEP - GARCH_SHOCK) + GARCH_KEEP * variance + GARCH_SHOCK * shock * shock
    low, high = VARIANCE_BOUNDS
    return low if value < low else high if value > high else value


class MinuteGenerator:
    """Makes one minute bar after another for a symbol."""

    def __init__(self, seed: int, symbol: str, temper: Temper, factor: CommonFactor) -> None:
        self._draw = stream(seed, symbol, "minutes").random
        self._temper = temper
        self._factor = factor
        self._own_share = sqrt(1.0 - temper.factor_share * temper.factor_share)
        self._variance = 1.0
        self._drift = 0.0
        self._pull = RANGE_PULL
        self.price = temper.start_ticks * (0.85 + 0.3 * self._draw()) if not temper.pegged else temper.start_ticks
        self._anchor = self.price
        self._close = max(1, round(self.price))

    def restart_at(self, close: int) -> None:
        """Go on from another price, as after the last row of a replayed file."""
        self.price = self._anchor = float(close)
        self._close = close

    def next_bar(self, start: int, position: int) -> Bar:
        draw, temper = self._draw, self._temper
        self._change_regime(draw(), draw())
        noise = (draw() + draw() + draw() + draw() - 2.0) * HALF_RANGE
        shock = sqrt(self._variance) * noise
        self._variance = next_variance(self._variance, shock)
        move = temper.factor_share * self._factor.at(position) + self._own_share * shock + self._drift
        move += self._jump(draw())
        size = temper.minute_volatility
        change = size * move - self._pull * (self.price / self._anchor - 1.0)
        self.price = max(2.0, self.price * (1.0 + max(-0.2, min(0.2, change))))
        return self._bar(start, abs(move), draw(), draw(), draw())

    def _change_regime(self, whether: float, which: float) -> None:
        if whether >= REGIME_SWITCH_CHANCE or self._temper.pegged:
            return
        self._anchor = self.price
        self._drift = TREND_STRENGTH if which < 0.3 else -TREND_STRENGTH if which < 0.6 else 0.0
        self._pull = 0.0 if self._drift else RANGE_PULL

    def _jump(self, uniform: float) -> float:
        if uniform >= JUMP_CHANCE:
            return 0.0
        return (uniform / JUMP_CHANCE - 0.5) * 2.0 * JUMP_SIZE

    def _bar(self, start: int, activity: float, up: float, down: float, amount: float) -> Bar:
        opened, self._close = self._close, max(1, round(self.price))
        wick = self._temper.minute_volatility * self.price * sqrt(self._variance)
        high = max(opened, self._close) + int(wick * up * up * 1.2)
        low = max(1, min(opened, self._close) - int(wick * down * down * 1.2))
        low_bound, high_bound = VOLATILITY_BOUNDS
        volatility = max(low_bound, min(high_bound, 0.6 * sqrt(self._variance) + 0.4 * activity))
        volume = int(self._temper.minute_volume_lots * volatility * (0.2 + 2.4 * amount * amount)) + 60
        return Bar(start, 1, opened, high, low, self._close, volume, volatility)


def bars_backwards(seed: int, symbol: str, temper: Temper, first: Bar, spans: list[tuple[int, int]]) -> list[Bar]:
    """Coarse bars that end where `first` opens, oldest first. `spans` are (start, minutes), newest first."""
    draw = stream(seed, symbol, "deep").random
    bars: list[Bar] = []
    close = first.open
    anchor = float(close)
    for start, minutes in spans:
        size = temper.minute_volatility * sqrt(minutes)
        noise = (draw() + draw() + draw() + draw() - 2.0) * HALF_RANGE
        # A weak pull keeps two years of backward steps within the order of magnitude.
        change = max(-0.3, min(0.3, size * noise - 0.02 * (close / anchor - 1.0)))
        opened = max(1, round(close * (1.0 + change)))
        high = max(opened, close) + int(size * close * draw() * 0.6)
        low = max(1, min(opened, close) - int(min(size, 0.5) * close * draw() * 0.6))
        volume = int(temper.minute_volume_lots * minutes * (0.5 + draw())) + 60 * minutes
        bars.append(Bar(start, minutes, opened, high, low, close, volume, 1.0))
        close = opened
    bars.reverse()
    return bars


class SymbolTape:
    """All bars of one symbol: coarse ones, then minute bars, extended as far as is asked."""

    def __init__(
        self,
        seed: int,
        symbol: str,
        temper: Temper,
        factor: CommonFactor,
        *,
        epoch_minute: int,
        rows: list[Bar] | None = None,
    ) -> None:
        """`epoch_minute` is the UTC minute of index 0; it aligns coarse bars to hours and days.

        `rows` are replayed minute bars, contiguous, the first before index 0; the generator goes on after them.
        """
        self._seed, self._symbol, self._temper = seed, symbol, temper
        self._generator = MinuteGenerator(seed, symbol, temper, factor)
        self._bars: list[Bar] = list(rows or ())
        self.first_minute = self._bars[0].start if rows else -HISTORY_MINUTES
        if self._bars:
            self._generator.restart_at(self._bars[-1].close)
        self._epoch_minute = epoch_minute
        self._deep: list[Bar] | None = None

    def bar(self, minute: int) -> Bar:
        """The minute bar at an index not before `first_minute`."""
        bars = self._bars
        while self.first_minute + len(bars) <= minute:
            start = self.first_minute + len(bars)
            bars.append(self._generator.next_bar(start, max(0, start + HISTORY_MINUTES)))
            if len(bars) > KEPT_MINUTES:
                self._fold_oldest_day()
        return bars[minute - self.first_minute]

    def _fold_oldest_day(self) -> None:
        """Keep old minutes as bars of an hour, so that memory does not grow with every minute of uptime."""
        deep, bars = self.deep_bars(), self._bars
        end = self.first_minute + 1440
        while self.first_minute < end:
            minutes = 60 - (self.first_minute + self._epoch_minute) % 60
            part = bars[:minutes]
            high, low = max(bar.high for bar in part), min(bar.low for bar in part)
            volume, volatility = sum(bar.volume for bar in part), sum(bar.volatility for bar in part) / minutes
            deep.append(Bar(part[0].start, minutes, part[0].open, high, low, part[-1].close, volume, volatility))
            del bars[:minutes]
            self.first_minute += minutes

    def deep_bars(self) -> list[Bar]:
        """Bars of up to an hour (thirty days), then of a day (two years), before the minute bars; oldest first."""
        if self._deep is None:
            first = self.bar(self.first_minute)
            self._deep = bars_backwards(self._seed, self._symbol, self._temper, first, self._spans())
        return self._deep

    def _spans(self) -> list[tuple[int, int]]:
        end = self.first_minute
        spans: list[tuple[int, int]] = []
        hours = 0
        while hours < DEEP_HOURS or (end + self._epoch_minute) % 1440:
            minutes = (end + self._epoch_minute) % 60 or 60
            end -= minutes
            hours += 1
            spans.append((end, minutes))
        for _ in range(DEEP_DAYS):
            end -= 1440
            spans.append((end, 1440))
        return spans
