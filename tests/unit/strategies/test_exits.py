"""The exit rules, against every plan and price hypothesis can think of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
    break_even_percent=st.none() | TARGET,
    max_hold_minutes=st.none() | st.integers(1, 100_000),
)
# Anything that a row could say, usable or not.
ANY_PERCENT = st.none() | st.decimals(min_value=-10, max_value=200, places=3)
ANY_PLANS = st.builds(
    ExitPlan,
    stop_loss_percent=ANY_PERCENT,
    take_profit_percent=ANY_PERCENT,
    trailing_stop_percent=ANY_PERCENT,
    break_even_percent=ANY_PERCENT,
    max_hold_minutes=st.none() | st.integers(-10, 10**12),
)
FEES = st.none() | st.decimals(min_value=0, max_value=3, places=2).map(Percent)


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
    elif (
        plan.break_even_percent is not None
        and top * 100 >= entry * (100 + plan.break_even_percent)
        and top > entry >= bid
    ):
        expected = ExitRule.BREAK_EVEN
    decision = decide_exit(held, quote(bid), now=NOW)
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


# -- break-even -----------------------------------------------------------------------------------------------------
BREAK_EVEN = ExitPlan(stop_loss_percent=Decimal(5), break_even_percent=Decimal(1))
FEE = Percent(Decimal("0.4"))


@pytest.mark.parametrize(
    ("highest", "bid", "fee", "sells"),
    [
        ("100.99", "100", None, False),
        ("101", "100.01", None, False),
        ("101", "100", None, True),
        ("101", "97", None, True),
        ("101", "100.4", FEE, True),
        ("101", "100.41", FEE, False),
        # Fees wider than the distance that arms it: it waits for a price that has been above both.
        ("101", "101", Percent(Decimal(2)), False),
        ("102", "101.5", Percent(Decimal(2)), False),
        ("102.5", "102", Percent(Decimal(2)), True),
    ],
)
def test_after_a_rise_it_is_sold_where_it_is_no_gain_any_more(
    highest: str, bid: str, fee: Percent | None, sells: bool
) -> None:
    decision = decide_exit(position(highest=highest, plan=BREAK_EVEN), quote(bid), round_trip_fee=fee)
    assert decision.rule is (ExitRule.BREAK_EVEN if sells else None)
    assert not decision.faults


def test_a_break_even_that_is_not_armed_is_shown_as_such() -> None:
    decision = decide_exit(position(plan=BREAK_EVEN), quote("99"))
    assert not decision.states[ExitRule.BREAK_EVEN].armed
    assert "break-even" in decision.reason and "(not armed)" in decision.reason
    assert decision.stop_level == 95
    assert decide_exit(position(highest="103", plan=BREAK_EVEN), quote("102")).stop_level == 100


@settings(deadline=None)
@given(PRICE, st.lists(PRICE, min_size=1, max_size=10), TARGET, FEES)
def test_a_break_even_is_never_disarmed_and_never_below_the_entry(
    entry: Decimal, bids: list[Decimal], distance: Decimal, fee: Percent | None
) -> None:
    held = position(entry, plan=ExitPlan(break_even_percent=distance))
    armed = False
    for bid in bids:
        held = with_highest_bid(held, quote(bid))
        decision = decide_exit(held, quote(bid), round_trip_fee=fee)
        state = decision.states[ExitRule.BREAK_EVEN]
        assert state.level >= entry
        assert state.armed or not armed
        assert decision.sells == (state.armed and bid <= state.level)
        armed = state.armed


# -- time -----------------------------------------------------------------------------------------------------------
TIMED = ExitPlan(stop_loss_percent=Decimal(5), max_hold_minutes=90)


@pytest.mark.parametrize(("minutes", "rule"), [(89, None), (90, ExitRule.TIME), (10_000, ExitRule.TIME)])
def test_what_was_held_for_its_time_is_sold(minutes: int, rule: ExitRule | None) -> None:
    decision = decide_exit(position(plan=TIMED), quote("100"), now=NOW + timedelta(minutes=minutes))
    assert decision.rule is rule
    assert decision.level is None


def test_without_the_venues_time_the_rule_of_time_waits_and_the_others_do_not() -> None:
    assert decide_exit(position(plan=TIMED), quote("100")).rule is None
    assert decide_exit(position(plan=TIMED), quote("95")).rule is ExitRule.HARD_STOP


@settings(deadline=None)
@given(PRICE, PRICE, PRICE, ANY_PLANS, FEES, st.booleans(), st.booleans())
def test_of_several_rules_that_are_met_the_first_in_rank_gives_its_name(
    entry: Decimal, highest: Decimal, bid: Decimal, plan: ExitPlan, fee: Percent | None, wished: bool, late: bool
) -> None:
    wish = ExitIntent("BTC/USD", "turned") if wished else None
    now = NOW + timedelta(days=400_000 if late else 0)
    decision = decide_exit(
        position(entry, highest=highest, plan=plan), quote(bid), signal=wish, now=now, round_trip_fee=fee
    )
    met = {rule for rule, state in decision.states.items() if state.met}
    met |= {ExitRule.TIME} if decision.time is not None and decision.time.met else set()
    met |= {ExitRule.SIGNAL} if wished else set()
    assert decision.rule is next((rule for rule in ExitRule if rule in met), None)


# -- no position without a stop -------------------------------------------------------------------------------------
@settings(deadline=None)
@given(st.just(Decimal(0)) | PRICE, PRICE, PRICE, ANY_PLANS, FEES)
def test_whatever_its_plan_says_a_position_has_a_stop(
    entry: Decimal, highest: Decimal, bid: Decimal, plan: ExitPlan, fee: Percent | None
) -> None:
    held = with_highest_bid(position(entry, highest=highest, plan=plan), quote(bid))
    decision = decide_exit(held, quote(bid), round_trip_fee=fee, default_stop_percent=Decimal(2))
    assert decision.guarded and decision.stop_level is not None
    far_below = quote(decision.stop_level / 1000)
    assert decide_exit(held, far_below, round_trip_fee=fee, default_stop_percent=Decimal(2)).sells


@pytest.mark.parametrize(
    "plan", [ExitPlan(), ExitPlan(stop_loss_percent=Decimal("0.02")), ExitPlan(take_profit_percent=Decimal(3))]
)
def test_the_accounts_stop_stands_in_for_one_that_is_missing_or_broken_and_says_so(plan: ExitPlan) -> None:
    decision = decide_exit(position(plan=plan), quote("97"), default_stop_percent=Decimal(3))
    assert (decision.rule, decision.level) == (ExitRule.HARD_STOP, 97)
    assert "the account's, 3 %, guards it" in decision.faults[-1]
    assert not decide_exit(position(plan=plan), quote("97")).guarded


@settings(deadline=None)
@given(PRICE, PRICE, PLANS)
def test_a_users_levels_are_the_masters_percents_of_the_users_own_entry(
    masters: Decimal, users: Decimal, plan: ExitPlan
) -> None:
    one = decide_exit(position(masters, plan=plan), quote(masters))
    other = decide_exit(position(users, plan=plan), quote(users))
    assert one.states.keys() == other.states.keys()
    for rule, state in one.states.items():
        assert abs(state.level / masters - other.states[rule].level / users) < Decimal("1e-15")
