from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.position import ExitPlan, Position
from bot.domain.quote import Candle
from bot.market.indicators import ema
from bot.strategies.asking import ask_entry, ask_exit
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Strategy
from bot.strategies.loading import load_strategy
from bot.strategies.rsi_trend import candles_since_cross
from tests.unit.candles import candles_of, waves

STRATEGY = load_strategy("rsi_trend", {})
POSITION = Position(
    account_id="kraken",
    symbol="BTC/USD",
    quantity=Decimal(1),
    average_entry_price=Decimal(100),
    opened_at=datetime(2026, 3, 2, tzinfo=UTC),
    highest_price=Decimal(100),
    exit_plan=ExitPlan(),
)


def view_of(candles: list[Candle]) -> MarketView:
    return MarketView("BTC/USD", candles)


def entries(closes: list[float], strategy: Strategy = STRATEGY) -> list[EntryIntent]:
    """What it would have bought, asked after every candle."""
    candles = candles_of(closes)
    answers = [ask_entry(strategy, view_of(candles[:end])) for end in range(1, len(candles) + 1)]
    return [answer for answer in answers if isinstance(answer, EntryIntent)]


def exits(closes: list[float]) -> list[ExitIntent]:
    candles = candles_of(closes)
    answers = [ask_exit(STRATEGY, view_of(candles[:end]), POSITION) for end in range(1, len(candles) + 1)]
    return [answer for answer in answers if isinstance(answer, ExitIntent)]


def refusals(closes: list[float], strategy: Strategy = STRATEGY) -> set[str]:
    candles = candles_of(closes)
    answers = [ask_entry(strategy, view_of(candles[:end])) for end in range(1, len(candles) + 1)]
    return {answer.rule for answer in answers if isinstance(answer, NoEntry)}


def test_in_an_upward_trend_it_buys_the_turns_up() -> None:
    found = entries(waves(240, drift=0.03))
    assert len(found) >= 5
    assert all(entry.symbol == "BTC/USD" and 0 < entry.confidence <= 1 and "RSI" in entry.reason for entry in found)


def test_in_a_downward_trend_it_buys_nothing_and_wants_out() -> None:
    assert entries(waves(240, drift=-0.1)) == []
    assert len(exits(waves(240, drift=-0.1))) >= 5


def test_in_an_upward_trend_it_does_not_want_out() -> None:
    assert exits(waves(240, drift=0.1)) == []


def test_a_price_that_stands_still_is_neither_bought_nor_sold() -> None:
    assert entries([100.0] * 240) == []
    assert exits([100.0] * 240) == []


def test_a_price_that_only_rises_is_overbought_not_bought() -> None:
    straight = [100 * 1.001**i for i in range(240)]
    assert entries(straight) == []
    rebound = [*waves(200, drift=0.02), *(105.0 * 1.004**i for i in range(12))]
    assert "overbought" in refusals(rebound)


def test_too_few_candles_are_a_reason_not_a_signal() -> None:
    candles = candles_of(waves(STRATEGY.candles_needed - 1, drift=0.03))
    answer = ask_entry(STRATEGY, view_of(candles))
    assert isinstance(answer, NoEntry) and answer.rule == "too_few_candles"
    assert ask_exit(STRATEGY, view_of(candles), POSITION) is None
    assert ask_exit(STRATEGY, view_of([]), POSITION) is None


def test_a_history_full_of_holes_is_not_traded_and_a_few_holes_are() -> None:
    candles = candles_of(waves(600, drift=0.03))
    half = candles[::2]
    answer = ask_entry(STRATEGY, view_of(half))
    assert isinstance(answer, NoEntry) and answer.rule == "candles_missing"
    few = [candle for i, candle in enumerate(candles) if i % 10]
    answers = [ask_entry(STRATEGY, view_of(few[:end])) for end in range(STRATEGY.candles_needed, len(few))]
    assert any(isinstance(answer, EntryIntent) for answer in answers)


PRICES = st.lists(st.integers(min_value=-80, max_value=80), min_size=40, max_size=90).map(
    lambda moves: [100 * (1 + sum(moves[: i + 1]) / 10_000) for i in range(len(moves))]
)
SMALL = load_strategy("rsi_trend", {"ema_slow": 12, "rsi_slow": 6, "rsi_fast": 3, "ema_fast": 4})


@settings(max_examples=60, deadline=None)
@given(PRICES, PRICES)
def test_candles_that_come_later_change_no_earlier_decision(past: list[float], future: list[float]) -> None:
    candles = candles_of(past + future)
    asked_then = ask_entry(SMALL, view_of(candles[: len(past)]))
    for end in range(len(past), len(candles)):
        ask_entry(SMALL, view_of(candles[:end]))
    assert ask_entry(SMALL, view_of(candles[: len(past)])) == asked_then
    other_future = candles_of(past + future[::-1])
    assert ask_entry(SMALL, view_of(other_future[: len(past)])) == asked_then


@settings(max_examples=60, deadline=None)
@given(PRICES, PRICES)
def test_history_older_than_it_needs_changes_no_decision(older: list[float], recent: list[float]) -> None:
    long = candles_of(older + recent)
    short = long[-SMALL.candles_needed :]
    assert ask_entry(SMALL, view_of(long)) == ask_entry(SMALL, view_of(short))
    assert ask_exit(SMALL, view_of(long), POSITION) == ask_exit(SMALL, view_of(short), POSITION)


@settings(max_examples=100, deadline=None)
@given(PRICES)
def test_it_never_buys_what_it_would_sell(prices: list[float]) -> None:
    view = view_of(candles_of(prices))
    if isinstance(ask_entry(SMALL, view), EntryIntent):
        assert ask_exit(SMALL, view, POSITION) is None


def test_every_entry_has_the_trend_with_it() -> None:
    random = Random(5)
    closes = [100.0]
    while len(closes) < 800:
        closes.append(closes[-1] * (1 + random.gauss(0, 0.002)))
    bought = refused = 0
    for end in range(60, len(closes)):
        window = [float(candle.close) for candle in candles_of(closes[end - SMALL.candles_needed : end])]
        trend_up = window[-1] > ema(window, 12)[-1] and ema(window, 4)[-1] > ema(window, 4)[-2]
        answer = ask_entry(SMALL, view_of(candles_of(closes[end - 60 : end])))
        bought += isinstance(answer, EntryIntent)
        refused += isinstance(answer, NoEntry) and answer.rule == "trend_not_up"
        assert trend_up is not (isinstance(answer, NoEntry) and answer.rule == "trend_not_up")
    assert bought > 50 and refused > 50


def test_symbols_do_not_share_anything() -> None:
    rising, falling = candles_of(waves(200, drift=0.03)), candles_of(waves(200, drift=-0.1))
    alone = [ask_entry(STRATEGY, MarketView("UP/USD", rising[:end])) for end in range(160, 200)]
    mixed = []
    for end in range(160, 200):
        ask_entry(STRATEGY, MarketView("DOWN/USD", falling[:end]))
        mixed.append(ask_entry(STRATEGY, MarketView("UP/USD", rising[:end])))
    assert mixed == alone


@pytest.mark.parametrize(
    ("fast", "slow", "since"),
    [
        ([1, 2, 4], [3, 3, 3], 0),
        ([1, 4, 4], [3, 3, 3], 1),
        ([1, 4, 4, 4, 4], [3] * 5, None),
        ([4, 4, 1], [3, 3, 3], None),
        ([1, 4, 2], [3, 3, 3], None),
        ([4, 3, 4], [3, 3, 3], 0),
    ],
)
def test_a_cross_counts_from_the_candle_that_made_it(fast: list[float], slow: list[float], since: int | None) -> None:
    assert candles_since_cross(fast, slow, within=3 if len(fast) > 3 else 2) == since


def test_the_account_keeps_its_own_distances_where_the_strategy_asks_none() -> None:
    account = ExitPlan(stop_loss_percent=Decimal(2), take_profit_percent=Decimal(3))
    wish = EntryIntent("BTC/USD", Decimal("0.5"), "because", stop_loss_percent=Decimal(4))
    assert wish.exit_plan(account) == replace(account, stop_loss_percent=Decimal(4))
    with pytest.raises(ValueError, match=r"not 0\.02"):
        EntryIntent("BTC/USD", Decimal("0.5"), "because", stop_loss_percent=Decimal("0.02"))
    with pytest.raises(ValueError, match="confidence"):
        EntryIntent("BTC/USD", Decimal(2), "because")


def test_a_view_refuses_candles_out_of_order() -> None:
    with pytest.raises(ValueError, match="oldest first"):
        view_of(candles_of([1, 2, 3])[::-1])
