"""In each kind of market, made by the paper exchange's generator, each shipped strategy does what its text says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import pytest

from bot.domain.quote import Candle
from bot.strategies.asking import ask_entry, ask_exit
from bot.strategies.interface import EntryIntent, MarketView
from bot.strategies.loading import SHIPPED, load_strategy
from tests.unit.strategies import regimes
from tests.unit.strategies.test_rsi_trend import POSITION

SEEDS = range(3)
# The last calm candle of a crash or before a gap; the next one is the first of the fall, or of the jump.
CALM = 250
MARKETS: Mapping[str, Sequence[Sequence[Candle]]] = MappingProxyType({
    "up": [regimes.market("up", seed) for seed in SEEDS],
    "down": [regimes.market("down", seed) for seed in SEEDS],
    "range": [regimes.market("range", seed) for seed in SEEDS],
    "crash": [regimes.crash(seed) for seed in SEEDS],
    "gap up": [regimes.gap(seed, percent=4) for seed in SEEDS],
    "gap down": [regimes.gap(seed, percent=-4) for seed in SEEDS],
    "thin": [regimes.thin(seed) for seed in SEEDS],
})  # fmt: skip


@dataclass(frozen=True)
class Conduct:
    """What a strategy said after each candle of a market: entries and wishes to sell by the candle's number."""

    entries: Mapping[int, EntryIntent]
    exits: frozenset[int]
    refusals: Mapping[str, int]
    asked: int


@cache
def conduct(name: str, regime: str) -> Sequence[Conduct]:
    """One for each seed."""
    return [_conduct(name, candles) for candles in MARKETS[regime]]


def _conduct(name: str, candles: Sequence[Candle]) -> Conduct:
    strategy = load_strategy(name, {})
    entries, exits, refusals = {}, set(), Counter[str]()
    places = range(strategy.candles_needed, len(candles) + 1)
    for end in places:
        view = MarketView(POSITION.symbol, candles[end - strategy.candles_needed : end])
        answer = ask_entry(strategy, view)
        if isinstance(answer, EntryIntent):
            entries[end] = answer
        else:
            refusals[answer.rule] += 1
        if ask_exit(strategy, view, POSITION) is not None:
            exits.add(end)
    return Conduct(entries, frozenset(exits), refusals, len(places))


def entries_in(name: str, regime: str) -> int:
    return sum(len(one.entries) for one in conduct(name, regime))


def exits_in(name: str, regime: str) -> int:
    return sum(len(one.exits) for one in conduct(name, regime))


def test_rsi_trend_buys_turns_up_of_a_rising_market_and_nothing_of_a_falling_one() -> None:
    assert entries_in("rsi_trend", "up") >= 60 and entries_in("rsi_trend", "down") == 0
    assert exits_in("rsi_trend", "down") > 5 * exits_in("rsi_trend", "up")


def test_rsi_trend_is_never_in_a_crash_for_longer_than_its_first_candle() -> None:
    for one in conduct("rsi_trend", "crash"):
        assert not any(CALM < end <= CALM + 10 for end in one.entries)
        assert {CALM + 1, CALM + 2, CALM + 3} <= one.exits


def test_rsi_trend_leaves_after_a_gap_down_and_does_not_run_after_a_gap_up() -> None:
    for down, up in zip(conduct("rsi_trend", "gap down"), conduct("rsi_trend", "gap up"), strict=True):
        assert CALM + 1 in down.exits
        assert not any(CALM < end <= CALM + 3 for end in up.entries)


def test_breakout_buys_what_leaves_its_channel_upwards_most_of_all_in_a_rising_market() -> None:
    up, ranging, down = (entries_in("breakout", regime) for regime in ("up", "range", "down"))
    assert up > 3 * ranging > 0 and down <= 3
    assert exits_in("breakout", "down") > 5 * exits_in("breakout", "up")


def test_breakout_leaves_a_crash_at_its_first_candle_and_buys_none_of_it() -> None:
    for one in conduct("breakout", "crash"):
        assert {CALM + 1, CALM + 2, CALM + 3} <= one.exits
        assert not any(CALM < end <= CALM + 6 for end in one.entries)


def test_breakout_buys_a_gap_up_with_the_stop_of_the_market_before_it_and_leaves_at_a_gap_down() -> None:
    for one in conduct("breakout", "gap up"):
        stop = one.entries[CALM + 1].stop_loss_percent
        # The gap was four percent; what the market was used to moving is less than a fifth of that a candle.
        assert stop is not None and stop < 2
    assert all(CALM + 1 in one.exits for one in conduct("breakout", "gap down"))


def test_mean_reversion_buys_dips_of_a_range_and_leaves_in_its_middle() -> None:
    assert entries_in("mean_reversion", "range") >= 10
    assert entries_in("mean_reversion", "range") > 1.5 * entries_in("mean_reversion", "down")
    assert entries_in("mean_reversion", "up") <= 2
    for one in conduct("mean_reversion", "range"):
        for bought in one.entries:
            assert any(bought < end <= bought + 60 for end in one.exits)


def test_mean_reversion_takes_a_crash_for_no_dip_and_a_trend_for_no_range() -> None:
    for one in conduct("mean_reversion", "crash"):
        assert not any(CALM < end <= CALM + 10 for end in one.entries)
        assert one.refusals["crash"] + one.refusals["trending"] >= 5
        # The way back is not waited for: a trend has begun below the middle.
        assert any(CALM + 4 <= end <= CALM + 8 for end in one.exits)
    assert sum(one.refusals["trending"] for one in conduct("mean_reversion", "down")) >= 50


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "buy_and_hold"])
def test_a_thin_market_is_left_alone_for_its_missing_candles(name: str) -> None:
    for one in conduct(name, "thin"):
        assert not one.entries and one.refusals["candles_missing"] == one.asked


@pytest.mark.parametrize("regime", MARKETS)
def test_buy_and_hold_buys_whatever_happens_and_wishes_for_no_sale(regime: str) -> None:
    for one in conduct("buy_and_hold", regime):
        assert len(one.entries) == one.asked and not one.exits


@pytest.mark.parametrize("name", SHIPPED)
def test_no_strategy_buys_what_it_would_sell(name: str) -> None:
    assert not any(one.exits & one.entries.keys() for regime in MARKETS for one in conduct(name, regime))


@pytest.mark.parametrize("name", ["breakout", "mean_reversion"])
def test_the_stop_is_as_far_away_as_the_market_is_used_to_moving(name: str) -> None:
    factors = {"breakout": 2.5, "mean_reversion": 3.0}
    for one, candles in zip(conduct(name, "range"), MARKETS["range"], strict=True):
        for end, entry in one.entries.items():
            spans = [float((candle.high - candle.low) / candle.close) for candle in candles[end - 30 : end]]
            assert entry.stop_loss_percent is not None
            in_ranges = float(entry.stop_loss_percent) / 100 / (sum(spans) / len(spans))
            assert 0.5 * factors[name] < in_ranges < 2 * factors[name]
