"""Candles for tests, from closing prices."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.domain.quote import Candle

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def candles_of(closes: Iterable[float | str | Decimal], *, start: datetime = START, minutes: int = 1) -> list[Candle]:
    """One candle a close, each opening at the close before."""
    prices = [Decimal(str(close)).quantize(Decimal("0.0001")) for close in closes]
    opens = prices[:1] + prices[:-1]
    return [
        Candle(start + timedelta(minutes=minutes * i), o, max(o, c), min(o, c), c, Decimal(1))
        for i, (o, c) in enumerate(zip(opens, prices, strict=True))
    ]


def waves(count: int, *, drift: float, swing: float = 0.4, price: float = 100.0) -> list[float]:
    """A price that drifts (percent a candle) and swings about its path every twelve candles."""
    path = [price * (1 + drift / 100) ** i for i in range(count)]
    steps: Sequence[float] = (0, 0.5, 0.9, 1, 0.9, 0.5, 0, -0.5, -0.9, -1, -0.9, -0.5)
    return [value * (1 + swing / 100 * steps[i % 12]) for i, value in enumerate(path)]
