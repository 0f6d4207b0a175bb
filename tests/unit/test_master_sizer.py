"""How large a master's entry is: what it may lose, what it may cost, and which number decided it."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.instrument import Instrument
from bot.domain.veto import VetoRule
from bot.master_sizer import (
    PRICE_RESERVE_PERCENT,
    EntryFacts,
    MasterSize,
    NoMasterSize,
    Sizing,
    SizingRules,
    size_master_entry,
)

BTC = Instrument(
    symbol="BTC/USD",
    venue_symbol="BTCUSD",
    lot_step=Decimal("0.0001"),
    tick_size=Decimal("0.1"),
    minimum_quantity=Decimal("0.0001"),
    minimum_notional=Decimal(1),
)
FACTS = EntryFacts(
    price=Decimal(100),
    cash=Decimal(10_000),
    instrument=BTC,
    taker_fee_percent=Decimal("0.4"),
    equity=Decimal(20_000),
    stop_loss_percent=Decimal(2),
    daily_move_percent=Decimal(4),
)
BY_RISK = SizingRules(mode=Sizing.RISK_PER_TRADE)
BY_MOVES = SizingRules(mode=Sizing.VOLATILITY_TARGET)

AMOUNT = st.decimals(min_value="0.01", max_value="1000000", places=2)
PERCENT = st.decimals(min_value="0.05", max_value="99", places=2)
FEE = st.decimals(min_value="0", max_value="3", places=2)
ALL_RULES = st.builds(
    SizingRules,
    mode=st.sampled_from(Sizing),
    percent_of_cash=PERCENT,
    risk_per_trade_percent=PERCENT,
    target_volatility_percent=PERCENT,
    max_percent_of_worth=st.none() | PERCENT,
)
ALL_FACTS = st.builds(
    EntryFacts,
    price=AMOUNT,
    cash=AMOUNT,
    instrument=st.just(BTC),
    taker_fee_percent=FEE,
    equity=AMOUNT,
    stop_loss_percent=PERCENT,
    daily_move_percent=PERCENT,
    caps=st.dictionaries(st.sampled_from(["max_order_notional_usd", "max_account_notional_usd"]), AMOUNT),
)


def sized(rules: SizingRules, facts: EntryFacts) -> MasterSize:
    size = size_master_entry(rules, facts)
    assert isinstance(size, MasterSize), size
    return size


def refused(rules: SizingRules, facts: EntryFacts) -> NoMasterSize:
    size = size_master_entry(rules, facts)
    assert isinstance(size, NoMasterSize), size
    return size


def test_a_fixed_fraction_is_that_part_of_the_cash_at_this_price() -> None:
    size = sized(SizingRules(percent_of_cash=Decimal(5)), FACTS)
    assert size.quantity == Decimal(5)
    assert (size.set_by, size.numbers["wanted_quote"]) == ("fixed_fraction", "500")


def test_risk_per_trade_loses_that_part_of_the_account_when_the_stop_is_hit_fees_included() -> None:
    # By hand: 200 of 20,000 may be lost; one unit of notional loses 0.02 + 0.004 + 0.004 x 0.98 = 0.02792.
    size = sized(BY_RISK, FACTS)
    assert size.quantity == Decimal("71.6332")
    assert size.numbers["at_risk_quote"] == "200"
    assert size.numbers["loss_at_stop_percent"] == "2.792"
    wider = sized(BY_RISK, replace(FACTS, stop_loss_percent=Decimal(8)))
    assert wider.quantity < size.quantity / 3


def test_the_volatility_target_is_what_a_usual_day_moves() -> None:
    # By hand: 1 % of 20,000 is 200, and a day moves 4 % of what is held: 5,000 of it.
    assert sized(BY_MOVES, FACTS).quantity == Decimal(50)


@pytest.mark.parametrize(
    ("rules", "missing", "rule"),
    [
        (BY_RISK, {"stop_loss_percent": None}, VetoRule.NO_STOP),
        (BY_RISK, {"equity": None}, VetoRule.EQUITY_UNKNOWN),
        (BY_MOVES, {"equity": None}, VetoRule.EQUITY_UNKNOWN),
        (BY_MOVES, {"daily_move_percent": None}, VetoRule.VOLATILITY_UNKNOWN),
        (BY_MOVES, {"daily_move_percent": Decimal(0)}, VetoRule.VOLATILITY_UNKNOWN),
        (SizingRules(), {"cash": Decimal(0)}, VetoRule.BELOW_MINIMUM),
        (BY_RISK, {"caps": {"max_account_notional_usd": Decimal(0)}}, VetoRule.BELOW_MINIMUM),
    ],
)
def test_what_a_size_needs_and_is_not_known_is_never_guessed(
    rules: SizingRules, missing: dict[str, None], rule: VetoRule
) -> None:
    assert refused(rules, replace(FACTS, **missing)).rule is rule


def test_the_smallest_bound_decides_and_is_named() -> None:
    capped = replace(FACTS, caps={"max_order_notional_usd": Decimal(3000), "max_total_notional_usd": Decimal(900)})
    assert (sized(BY_RISK, capped).quantity, sized(BY_RISK, capped).set_by) == (Decimal(9), "max_total_notional_usd")
    poor = replace(FACTS, cash=Decimal(1009))
    assert (sized(BY_RISK, poor).quantity, sized(BY_RISK, poor).set_by) == (Decimal(10), "cash")


def test_a_stop_that_is_near_does_not_put_the_whole_account_into_one_market() -> None:
    near = replace(FACTS, cash=Decimal(20_000), stop_loss_percent=Decimal("0.1"), taker_fee_percent=Decimal(0))
    whole = sized(BY_RISK, near)
    assert whole.set_by == "cash"
    quarter = sized(replace(BY_RISK, max_percent_of_worth=Decimal(25)), near)
    assert (quarter.quantity, quarter.set_by) == (Decimal(50), "max_order_worth_percent")


@given(rules=ALL_RULES, facts=ALL_FACTS)
def test_no_size_is_ever_more_than_cash_with_its_reserve_a_cap_or_the_risk(
    rules: SizingRules, facts: EntryFacts
) -> None:
    size = size_master_entry(rules, facts)
    if isinstance(size, NoMasterSize):
        return
    notional = size.quantity * facts.price
    assert size.quantity % BTC.lot_step == 0
    assert BTC.below_minimum(size.quantity, facts.price) is None
    # To the last digits of a division.
    almost = Decimal("1.0000000000000000000001")
    assert notional * (100 + facts.taker_fee_percent + PRICE_RESERVE_PERCENT) <= 100 * facts.cash * almost
    assert all(notional <= cap for cap in facts.caps.values())
    assert facts.equity is not None
    if rules.mode is not Sizing.FIXED_FRACTION and rules.max_percent_of_worth is not None:
        assert notional * 100 <= facts.equity * rules.max_percent_of_worth
    if rules.mode is Sizing.RISK_PER_TRADE:
        assert facts.stop_loss_percent is not None
        bought = notional * (1 + facts.taker_fee_percent / 100)
        at_stop = notional * (1 - facts.stop_loss_percent / 100)
        lost = bought - at_stop * (1 - facts.taker_fee_percent / 100)
        assert lost <= facts.equity * rules.risk_per_trade_percent / 100 * almost
    if rules.mode is Sizing.VOLATILITY_TARGET:
        assert facts.daily_move_percent is not None
        assert notional * facts.daily_move_percent <= facts.equity * rules.target_volatility_percent * almost


@given(rules=ALL_RULES, facts=ALL_FACTS, factor=st.decimals(min_value="1", max_value="20", places=2))
def test_more_means_never_make_a_smaller_size_and_more_danger_never_a_larger_one(
    rules: SizingRules, facts: EntryFacts, factor: Decimal
) -> None:
    def quantity(changed: EntryFacts) -> Decimal:
        size = size_master_entry(rules, changed)
        return Decimal(0) if isinstance(size, NoMasterSize) else size.quantity

    assert facts.equity and facts.stop_loss_percent and facts.daily_move_percent
    now = quantity(facts)
    assert quantity(replace(facts, cash=facts.cash * factor, equity=facts.equity * factor)) >= now
    assert quantity(replace(facts, daily_move_percent=facts.daily_move_percent * factor)) <= now
    assert quantity(replace(facts, taker_fee_percent=facts.taker_fee_percent + factor)) <= now
    assert quantity(replace(facts, caps={**facts.caps, "another": factor})) <= now
    stop = facts.stop_loss_percent * factor
    assume(stop < 100)
    assert quantity(replace(facts, stop_loss_percent=stop)) <= now
