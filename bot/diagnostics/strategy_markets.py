"""Made markets to try a strategy on: each moves in one way a real one does, the same every time and everywhere."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from math import sqrt

from bot.domain.quote import Candle

START = datetime(2026, 1, 5, tzinfo=UTC)
_TICK = Decimal("0.01")
_PRICE = 100.0
# A crash falls for so many candles, by so much each.
_CRASH_CANDLES, _CRASH_FALL = 8, 0.02
_GAP_EVERY, _GAP_SIZE = 60, 0.02
_THIN_KEPT = 0.4
# Scales the sum of four uniform numbers to a deviation of 1.
_DEVIATION = sqrt(3.0)


def made_markets(count: int) -> Mapping[str, tuple[Candle, ...]]:
    """Candles of one minute, at least `count` of each market: a trend up and down, a range, a crash, gaps, and still.

    The thin one leaves out most of its minutes, as a venue does where nobody trades.
    """
    return {
        "trend up": _candles("trend up", _trend("trend up", count, 0.0003)),
        "trend down": _candles("trend down", _trend("trend down", count, -0.0003)),
        "range": _candles("range", _range("range", count)),
        "crash": _candles("crash", _crash("crash", count)),
        "gaps": _candles("gaps", _gaps("gaps", count)),
        "thin": _thinned(_candles("thin", _range("thin", int(count / _THIN_KEPT) + 10)), count),
        "still": _candles("still", [_PRICE] * count),
    }


def other_future(candles: tuple[Candle, ...], end: int) -> tuple[Candle, ...]:
    """The same candles up to `end`, and quite others after it: as many as there were, up to a tenth away each."""
    draws = chances(f"future {end}")
    return candles[:end] + tuple(_scaled(candle, Decimal(0.9 + 0.2 * next(draws))) for candle in candles[end:])


def chances(name: str) -> Iterator[float]:
    """Numbers from 0 to 1 without end, always the same for a name."""
    block = 0
    while True:
        digest = sha256(f"{name}:{block}".encode()).digest()
        yield from (int.from_bytes(digest[i : i + 4], "big") / 2**32 for i in range(0, 32, 4))
        block += 1


def _noise(draws: Iterator[float]) -> float:
    """About normal, of deviation 1: the sum of four uniform numbers."""
    return (next(draws) + next(draws) + next(draws) + next(draws) - 2.0) * _DEVIATION


def _trend(name: str, count: int, drift: float) -> list[float]:
    draws, price, closes = chances(name), _PRICE, []
    for _ in range(count):
        price *= 1.0 + drift + 0.0008 * _noise(draws)
        closes.append(price)
    return closes


def _range(name: str, count: int) -> list[float]:
    """Pulled back to where it came from."""
    draws, price, closes = chances(name), _PRICE, []
    for _ in range(count):
        price *= 1.0 + 0.001 * _noise(draws) - 0.05 * (price / _PRICE - 1.0)
        closes.append(price)
    return closes


def _crash(name: str, count: int) -> list[float]:
    calm = _range(name, count)
    begins = count * 2 // 3
    return [
        close * (1.0 - _CRASH_FALL) ** min(max(0, place - begins), _CRASH_CANDLES) for place, close in enumerate(calm)
    ]


def _gaps(name: str, count: int) -> list[float]:
    """A jump between two candles, up and down by turns."""
    turns = (place // _GAP_EVERY % 2 for place in range(count))
    return [close * (1.0 + _GAP_SIZE * turn) for close, turn in zip(_range(name, count), turns, strict=True)]


def _candles(name: str, closes: list[float]) -> tuple[Candle, ...]:
    """Each opens at the close before, but for the jumps of a market with gaps."""
    draws, made, before = chances(f"{name} candles"), [], closes[0]
    for place, close in enumerate(closes):
        opened = close if name == "gaps" and abs(close / before - 1) > _GAP_SIZE / 2 else before
        wick = abs(close - opened) * 0.5 + close * 0.0002
        high, low = max(opened, close) + wick * next(draws), min(opened, close) - wick * next(draws)
        prices = (_price(opened), _price(high), _price(low), _price(close))
        if name == "still":
            prices = (_price(close),) * 4
        volume = Decimal(1 + 9 * next(draws)).quantize(_TICK)
        made.append(Candle(START + timedelta(minutes=place), *prices, volume))
        before = close
    return tuple(made)


def _price(value: float) -> Decimal:
    return Decimal(value).quantize(_TICK)


def _scaled(candle: Candle, factor: Decimal) -> Candle:
    opened, high, low, close = (
        (price * factor).quantize(_TICK) for price in (candle.open, candle.high, candle.low, candle.close)
    )
    return Candle(candle.opened_at, opened, high, low, close, candle.volume)


def _thinned(candles: tuple[Candle, ...], count: int) -> tuple[Candle, ...]:
    draws = chances("thin kept")
    kept = tuple(candle for candle in candles if next(draws) < _THIN_KEPT)
    # Chance may have left too few: the newest are whole then.
    return kept if len(kept) >= count else candles[-count:]
