"""The exit rules, against every plan and price hypothesis can think of."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.position import ExitPlan, Position
from bot.domain.quote import Quote
from bot.strategies.exits import ExitRule, decide_exit, with_highest_bid
from bot.strategies.interface import ExitIntent
from bot.strategies.percent import Percent

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PLAN = ExitPlan(stop_loss_percent=Decimal(2), take_profit_percent=Decimal(3), trailing_stop_percent=Decimal("2.5"))
PRICE = st.decimals(min_value="0.00000001", max_value="1000000", places=8)
STOP = st.decimals(min_value="0.05", max_value="99.99", places=2)
TARGET = st.decimals(min_value="0.05", max_value="9999.99", places=2)
PLANS = st.builds(
    ExitPlan,
    stop_loss_percent=st.none() | STOP,
    take_profit_percent=st.none() | TARGET,
    trailing_stop_percent=st.none() | STOP,
)


def position(entry: Decimal | str = "100", *, highest: Decimal | str | None = None, plan: ExitPlan = PLAN) -> Position:
    return Position(
        account_id="kraken",
        symbol="BTC/USD",
        quantity=Decimal("0.5"),
        average_entry_price=Decimal(entry),
        opened_at=NOW,
        highest_price=Decimal(entry if highest is None else highest),
        exit_plan=plan,
    )


def quote(bid: Decimal | str, *, symbol: str = "BTC/USD") -> Quote:
    return Quote(symbol, Decimal(bid), Decimal(bid) * 2, NOW)


@pytest.mark.parametrize(
    ("bid", "highest", "rule"),
    [
        ("98.00000001", "100", None),
        ("98", "100", ExitRule.HARD_STOP),
        ("50", "100", ExitRule.HARD_STOP),
        ("102.99999999", "100", None),
        ("103", "100", ExitRule.TARGET),
        ("99.45", "102", ExitRule.TRAILING_STOP),
        ("99.45000001", "102", None),
        ("97", "102", ExitRule.HARD_STOP),
        ("107.25", "110", ExitRule.TRAILING_STOP),
    ],
)
def test_each_rule_fires_at_its_level_and_not_a_tick_before(bid: str, highest: str, rule: ExitRule | None) -> None:
    assert decide_exit(position(highest=highest), quote(bid)).rule is rule


def test_the_decision_carries_level_reason_and_every_distance() -> None:
    decision = decide_exit(position(highest="104"), quote("102"))
    assert decision.rule is None and not decision.sells and decision.level is None
    assert decision.states[ExitRule.HARD_STOP].level == 98
    assert decision.states[ExitRule.TRAILING_STOP].level == Decimal("101.4")
    assert decision.states[ExitRule.TARGET].level == 103
    assert round(decision.distance_percent[ExitRule.TARGET], 4) == Decimal("0.9804")
    sold = decide_exit(position(), quote("97.5"))
    assert (sold.level, sold.reason) == (98, "bid 97.5 is at or below the hard stop 98")
    assert sold.distance_percent[ExitRule.HARD_STOP] < 0


@settings(deadline=None)
@given(PRICE, PRICE, PRICE, PLANS)
def test_a_rule_fires_exactly_when_the_bid_has_touched_its_level(
    entry: Decimal, highest: Decimal, bid: Decimal, plan: ExitPlan
) -> None:
    held = position(entry, highest=max(entry, highest), plan=plan)
    top = max(held.highest_price, bid)
    expected = None
    if plan.stop_loss_percent is not None and bid * 100 <= entry * (100 - plan.stop_loss_percent):
        expected = ExitRule.HARD_STOP
    elif plan.trailing_stop_percent is not None and bid * 100 <= top * (100 - plan.trailing_stop_percent):
        expected = ExitRule.TRAILING_STOP
    elif plan.take_profit_percent is not None and bid * 100 >= entry * (100 + plan.take_profit_percent):
        expected = ExitRule.TARGET
    decision = decide_exit(held, quote(bid))
    assert decision.rule is expected
    assert not decision.faults


@settings(deadline=None)
@given(PRICE, PRICE, PRICE, PLANS)
def test_a_lower_bid_never_takes_a_stop_away(entry: Decimal, first: Decimal, second: Decimal, plan: ExitPlan) -> None:
    low, high = sorted((first, second))
    stops = (ExitRule.HARD_STOP, ExitRule.TRAILING_STOP)
    held = position(entry, plan=plan)
    if decide_exit(held, quote(high)).rule in stops:
        assert decide_exit(held, quote(low)).rule in stops


@settings(deadline=None)
@given(st.lists(PRICE, min_size=1, max_size=12), PLANS)
def test_the_trailing_level_never_falls(bids: list[Decimal], plan: ExitPlan) -> None:
    held = position(bids[0], plan=replace(plan, trailing_stop_percent=Decimal(5)))
    levels = []
    for bid in bids:
        held = with_highest_bid(held, quote(bid))
        levels.append(decide_exit(held, quote(bid)).states[ExitRule.TRAILING_STOP].level)
    assert levels == sorted(levels)
    assert held.highest_price == max(bids)


@settings(deadline=None)
@given(PRICE, PRICE, PLANS, st.decimals(min_value="0.001", max_value="1000", places=3))
def test_decisions_do_not_depend_on_the_unit_of_price(
    entry: Decimal, bid: Decimal, plan: ExitPlan, scale: Decimal
) -> None:
    here = decide_exit(position(entry, plan=plan), quote(bid))
    there = decide_exit(position(entry * scale, plan=plan), quote(bid * scale))
    assert here.rule is there.rule


def test_the_strategys_wish_sells_when_no_price_rule_is_met_and_yields_to_one_that_is() -> None:
    wish = ExitIntent("BTC/USD", "the trend has turned")
    decision = decide_exit(position(), quote("100"), signal=wish)
    assert (decision.rule, decision.reason, decision.level) == (ExitRule.SIGNAL, "the trend has turned", None)
    assert decide_exit(position(), quote("90"), signal=wish).rule is ExitRule.HARD_STOP


def test_a_losing_position_is_sold_by_a_signal_too() -> None:
    assert decide_exit(position(plan=ExitPlan()), quote("50"), signal=ExitIntent("BTC/USD", "turned")).sells


def test_a_position_without_price_exits_says_so() -> None:
    assert "no usable price exit" in decide_exit(position(plan=ExitPlan()), quote("50")).reason


@pytest.mark.parametrize("bad", ["0", "-2", "0.02", "100", "NaN", "Infinity"])
def test_a_broken_stop_is_named_and_the_other_exits_still_run(bad: str) -> None:
    plan = replace(PLAN, stop_loss_percent=Decimal(bad))
    decision = decide_exit(position(plan=plan), quote("97"))
    assert decision.rule is ExitRule.TRAILING_STOP
    assert ExitRule.HARD_STOP not in decision.states
    assert decision.faults and decision.faults[0].startswith("hard_stop: ")


def test_an_unknown_entry_price_is_no_target_met() -> None:
    decision = decide_exit(position("0", highest="100"), quote("99"))
    assert decision.rule is None
    assert len(decision.faults) == 2
    assert decision.states[ExitRule.TRAILING_STOP].level == Decimal("97.5")


def test_a_quote_or_a_wish_of_another_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be judged by ETH/USD"):
        decide_exit(position(), quote("100", symbol="ETH/USD"))
    with pytest.raises(ValueError, match="cannot be judged by ETH/USD"):
        decide_exit(position(), quote("100"), signal=ExitIntent("ETH/USD", "turned"))


def test_percent_meets_a_price_only_through_its_own_methods() -> None:
    two = Percent.of_stop(Decimal(2))
    assert (two.below(Decimal(50)), two.above(Decimal(50))) == (49, 51)
    assert str(two) == "2.00 %"
    with pytest.raises(TypeError):
        Decimal(50) * two  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"write 2 for 2 %, not 0\.02"):
        Percent.of_stop(Decimal("0.02"))
    with pytest.raises(ValueError, match="no finite Decimal"):
        Percent(0.02)  # type: ignore[arg-type]
