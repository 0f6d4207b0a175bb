"""The scan of many markets says what TA-Lib says of each of them alone."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.domain.quote import Candle
from bot.market.scan import INDICATORS, MarketScan, ranked
from tests.unit.candles import candles_of, waves

Floats = NDArray[np.float64]
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KINDS = ("random", "flat", "gappy", "tiny", "dear", "steps")
# An index is between 0 and 100 whatever the price; the others are in the price's own unit.
INDICES = {"rsi_9", "rsi_14", "adx_14"}
TOLERANCE = 1e-9


def series(kind: str, seed: int, count: int) -> Floats:
    """High, low and close of so many candles: one row each."""
    chance = np.random.default_rng(seed)
    base, step = {"tiny": (3e-8, 0.01), "dear": (95_000.0, 1e-5), "flat": (0.1, 0.0)}.get(kind, (20.0, 0.02))
    moves = chance.normal(0, step, count)
    if kind == "gappy":
        moves[chance.random(count) < 0.05] *= 20
    if kind == "steps":
        moves[chance.random(count) < 0.8] = 0.0
    close = base * np.exp(moves.cumsum())
    wicks = np.abs(chance.normal(0, step / 2, (2, count))) if kind != "steps" else np.zeros((2, count))
    return np.array([close * (1 + wicks[0]), close / (1 + wicks[1]), close])


def by_talib(prices: Floats) -> dict[str, Floats]:
    high, low, close = prices
    said = (
        talib.RSI(close, 9), talib.RSI(close, 14), talib.EMA(close, 20), talib.EMA(close, 50),
        talib.ATR(high, low, close, 14), talib.ADX(high, low, close, 14),
        *talib.MACD(close, 12, 26, 9), *talib.BBANDS(close, 20, 2, 2),
    )  # fmt: skip
    return dict(zip(INDICATORS, said, strict=True))


def candle(prices: Floats, number: int) -> Candle:
    high, low, close = (Decimal(repr(float(price))) for price in prices[:, number])
    return Candle(START + timedelta(minutes=number), close, high, low, close, Decimal(1))


def assert_equal(reading: Mapping[str, float], expected: Mapping[str, Floats], number: int, price: float) -> None:
    for name, values in expected.items():
        value = float(values[number])
        if np.isnan(value):
            assert name not in reading, f"{name} is said before TA-Lib says it"
            continue
        scale = 1.0 if name in INDICES else price
        assert reading[name] == pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE * scale), (name, number)


@settings(deadline=None, max_examples=8)
@given(
    kinds=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 2**32 - 1)), min_size=1, max_size=6),
    silence=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_market_is_told_what_talib_says_whoever_joins_late_or_misses_candles(
    kinds: Sequence[tuple[str, int]], silence: float, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    count = 120
    markets = {f"M{n}-USD": series(kind, own, count) for n, (kind, own) in enumerate(kinds)}
    expected = {symbol: by_talib(prices) for symbol, prices in markets.items()}
    joins = {symbol: int(chance.integers(0, 60)) for symbol in markets}
    done = dict.fromkeys(markets, 0)
    scan = MarketScan(capacity=len(markets))
    for minute in range(count):
        sent = {}
        for symbol, prices in markets.items():
            if minute >= joins[symbol] and chance.random() >= silence:
                scan.join(symbol)
                sent[symbol] = candle(prices, done[symbol])
                done[symbol] += 1
        assert scan.close_candles(sent) == len(sent)
        for symbol in sent:
            last = done[symbol] - 1
            assert_equal(scan.reading(symbol), expected[symbol], last, float(markets[symbol][2].max()))


@pytest.mark.parametrize("kind", KINDS)
def test_long_after_its_start_the_scan_has_not_drifted(kind: str) -> None:
    prices = series(kind, 11, 1500)
    scan = MarketScan(["A-USD"], capacity=1)
    scan.take_history({"A-USD": [candle(prices, number) for number in range(1500)]})
    assert_equal(scan.reading("A-USD"), by_talib(prices), 1499, float(prices.max()))


def test_a_restart_from_history_gives_the_same_numbers() -> None:
    histories = {f"M{n}-USD": candles_of(waves(80 + 7 * n, drift=0.1 * n)) for n in range(4)}
    lived = MarketScan(histories)
    for number in range(max(map(len, histories.values()))):
        lived.close_candles({symbol: past[number] for symbol, past in histories.items() if number < len(past)})
    restarted = MarketScan()
    restarted.take_history(histories)
    for symbol in histories:
        assert restarted.reading(symbol) == lived.reading(symbol)
        assert len(lived.reading(symbol)) == len(INDICATORS)


def test_the_same_candle_or_an_older_one_counts_once() -> None:
    past = candles_of(waves(90, drift=0.1))
    once, again = MarketScan(["A-USD"]), MarketScan(["A-USD"])
    once.take_history({"A-USD": past})
    again.take_history({"A-USD": past})
    assert again.close_candles({"A-USD": past[-1]}) == 0
    again.take_history({"A-USD": past})
    assert again.reading("A-USD") == once.reading("A-USD")


def test_a_market_without_a_candle_keeps_what_was_said_of_it() -> None:
    scan = MarketScan(["A-USD", "B-USD"])
    past = candles_of(waves(90, drift=0.1))
    scan.take_history({"A-USD": past, "B-USD": past[:60]})
    before = scan.reading("B-USD")
    scan.close_candles({"A-USD": candles_of([200], start=past[-1].opened_at + timedelta(minutes=1))[0]})
    assert scan.reading("B-USD") == before


def test_a_market_in_the_place_of_one_that_left_starts_anew() -> None:
    scan = MarketScan(["A-USD"], capacity=1)
    scan.take_history({"A-USD": candles_of(waves(90, drift=0.5, price=7.0))})
    with pytest.raises(ValueError, match="no room for B-USD"):
        scan.join("B-USD")
    scan.leave("A-USD")
    past = candles_of(waves(90, drift=-0.1))
    scan.take_history({"B-USD": past})
    fresh = MarketScan(["B-USD"])
    fresh.take_history({"B-USD": past})
    assert scan.reading("B-USD") == pytest.approx(fresh.reading("B-USD"), rel=1e-12)
    with pytest.raises(KeyError):
        scan.reading("A-USD")


def test_candles_of_unknown_markets_are_left_out() -> None:
    scan = MarketScan(["A-USD"])
    assert scan.close_candles({"NEW-USD": candles_of([5])[0]}) == 0


def test_rising_markets_are_ranked_by_their_strength_and_falling_or_new_ones_are_not() -> None:
    scan = MarketScan()
    # It rises ever faster; so the MACD stays above its signal.
    faster = [100 * 1.0001 ** (n * n / 4) for n in range(120)]
    scan.take_history(
        {
            "UP-USD": candles_of(faster),
            "WAVES-USD": candles_of([*waves(100, drift=0.0), *(100 * 1.002**n for n in range(20))]),
            "DOWN-USD": candles_of(list(reversed(faster))),
            "NEW-USD": candles_of(faster[:40]),
            "FLAT-USD": candles_of([5] * 120),
        }
    )
    found = ranked(scan, limit=5)
    assert [one.symbol for one in found] == ["UP-USD", "WAVES-USD"]
    assert found[0].strength > found[1].strength > 0
    assert found[0].above_ema_percent > 0
    assert found[0].adx > 20
    assert ranked(scan, limit=1) == found[:1]
