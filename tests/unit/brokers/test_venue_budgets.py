"""How many calls each brokerage is sent: never more than it allows within its window, and none that can never go."""

from pathlib import Path

import pytest

from bot.brokers.base import Urgency
from bot.brokers.ending import Ending
from bot.brokers.rate_budget import RateBudget
from bot.brokers.venue_budgets import VenueBudgets, venue_budgets
from bot.domain.account import BrokerType
from bot.settings import load_settings
from tests.memory_broker import TestClock

COUNTED = [broker for broker in BrokerType if broker is not BrokerType.KRAKEN]


def budgets(tmp_path: Path, clock: TestClock, broker: BrokerType, **overrides: str) -> VenueBudgets:
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    settings = load_settings(environ={}, config_dir=tmp_path, overrides=named)
    return venue_budgets(settings, clock, Ending())[broker]


def sent_within(budget: RateBudget, clock: TestClock, seconds: float) -> int:
    """How many calls of cost 1 leave in that time, sent as soon as there is room for the most urgent."""
    sent, end = 0, clock.monotonic() + seconds
    while clock.monotonic() < end:
        if budget.has_room(1.0, Urgency.EXIT):
            with budget.spend(1.0, Urgency.EXIT, within_seconds=1.0) as spending:
                spending.leaving()
            sent += 1
        else:
            clock.seconds += 0.01
    return sent


@pytest.mark.parametrize(
    ("broker", "window_seconds", "allowed"),
    [
        (BrokerType.COINBASE, 1.0, 30),
        (BrokerType.OKX, 2.0, 10),
        (BrokerType.BINANCE, 10.0, 50),
        (BrokerType.ALPACA, 60.0, 200),
    ],
)
def test_with_real_money_no_window_sees_more_calls_of_a_key_than_the_venue_allows(
    tmp_path: Path, broker: BrokerType, window_seconds: float, allowed: int
) -> None:
    clock = TestClock()
    budget = budgets(tmp_path, clock, broker, trading_mode="live").keys.for_key("key", label="master")
    sent = sent_within(budget, clock, window_seconds)
    assert 0.8 * allowed < sent <= allowed


@pytest.mark.parametrize("broker", COUNTED)
def test_on_paper_nothing_is_counted_unless_the_settings_say_so(tmp_path: Path, broker: BrokerType) -> None:
    clock = TestClock()
    assert budgets(tmp_path, clock, broker).public.limit is None
    slow = budgets(tmp_path, clock, broker, **{f"{broker}__public_calls_per_second": "0.01"}).public
    # Even so little lets a call go, and then the next one only much later.
    assert sent_within(slow, clock, 50.0) == 1


@pytest.mark.parametrize("broker", COUNTED)
def test_keys_are_counted_apart(tmp_path: Path, broker: BrokerType) -> None:
    made = budgets(tmp_path, TestClock(), broker, trading_mode="live")
    assert made.keys.for_key("one", label="a") is not made.keys.for_key("two", label="b")
    assert made.keys.for_key("one", label="a") is made.keys.for_key("one", label="a")
    assert made.data.for_key("one", label="a") is not made.keys.for_key("one", label="a")
