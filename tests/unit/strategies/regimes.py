"""Markets of one kind each, minute by minute, from the paper exchange's own generator with its regime held."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.domain.quote import Candle
from paper_exchange.tape import (
    RANGE_PULL,
    TREND_STRENGTH,
    Bar,
    CommonFactor,
    MinuteGenerator,
    Temper,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
TICK = Decimal("0.01")
TEMPER = Temper(start_ticks=100_000.0, minute_volatility=0.0015, factor_share=0.5, minute_volume_lots=9000.0)
DRIFTS = {"up": 2.0 * TREND_STRENGTH, "down": -2.0 * TREND_STRENGTH, "range": 0.0}


class HeldRegime(MinuteGenerator):
    """The generator, in one regime for good."""

    def __init__(self, regime: str, seed: int) -> None:
        super().__init__(seed, regime, TEMPER, CommonFactor(seed))
        self._drift = DRIFTS[regime]
        self._pull = 0.0 if self._drift else 3 * RANGE_PULL

    def _change_regime(self, whether: float, which: float) -> None:
        """Never."""


def market(regime: str, seed: int, count: int = 400) -> list[Candle]:
    """So many minutes of an upward or downward trend (twice the usual strength) or of a range."""
    generator = HeldRegime(regime, seed)
    return candles_of(generator.next_bar(place, place) for place in range(count))


def crash(seed: int, calm: int = 250, falls: int = 6, after: int = 60) -> list[Candle]:
    """A range, then minutes that each lose three percent, then a range down there."""
    generator = HeldRegime("range", seed)
    bars = [generator.next_bar(place, place) for place in range(calm)]
    for place in range(calm, calm + falls):
        last = bars[-1].close
        low = round(last * 0.97)
        bars.append(Bar(place, 1, last, last, low - 5, low, 90_000, 4.0))
    generator.restart_at(bars[-1].close)
    bars += [generator.next_bar(place, place) for place in range(calm + falls, calm + falls + after)]
    return candles_of(bars)


def gap(seed: int, *, percent: float, before: int = 250, after: int = 60) -> list[Candle]:
    """A range, a jump between two candles, and a range up or down there."""
    generator = HeldRegime("range", seed)
    bars = [generator.next_bar(place, place) for place in range(before)]
    generator.restart_at(round(bars[-1].close * (1 + percent / 100)))
    return candles_of(bars + [generator.next_bar(place, place) for place in range(before, before + after)])


def thin(seed: int, count: int = 400) -> list[Candle]:
    """A trend up in which nobody traded during every third minute: those have no candle."""
    return [candle for place, candle in enumerate(market("up", seed, count)) if place % 3]


def candles_of(bars: Iterable[Bar]) -> list[Candle]:
    """Bars in ticks and lots as the bot's candles."""
    return [
        Candle(
            START + timedelta(minutes=bar.start), bar.open * TICK, bar.high * TICK, bar.low * TICK, bar.close * TICK,
            bar.volume * TICK,
        )
        for bar in bars
    ]  # fmt: skip
