"""The rule of resting orders: bounded in price, bounded in tries, exits to the end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.instrument import Instrument
from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.quote import Quote
from bot.execution.repositioner import (
    Cancel,
    Chain,
    Escalate,
    GiveUp,
    Keep,
    OrderRules,
    Policy,
    Reprice,
    Standing,
    judge,
    opening,
    policy_of,
    price_of,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULES = OrderRules(entry=Policy.RESTING, exit=Policy.RESTING)
D = Decimal

sides = st.sampled_from(Side)
prices = st.decimals(min_value="0.0001", max_value="100000", places=4)
ticks = st.sampled_from([D("0.0001"), D("0.01"), D("0.5"), D(1), D(7)])
quotes = st.builds(lambda bid, gap: Quote("X/USD", bid, bid + gap, NOW), prices, prices)
rules = st.builds(
    lambda step, cross, tries: replace(RULES, reprice_step_bps=step, max_cross_bps=cross, max_reprices=tries),
    st.decimals(min_value=0, max_value=1000, places=1),
    st.decimals(min_value=0, max_value=1000, places=1),
    st.integers(0, 20),
)
chains = st.builds(
    lambda kind, filled, step, order_type, standing, age, hurried: Chain(
        side=Side.BUY if kind is OrderKind.ENTRY else Side.SELL,
        kind=kind,
        ordered=D(1),
        filled=filled,
        step=step,
        order_type=order_type,
        standing=standing,
        placed_at=NOW - timedelta(seconds=age),
        hurried=hurried and kind is OrderKind.EXIT,
    ),
    st.sampled_from(OrderKind),
    st.decimals(min_value=0, max_value=1, places=2),
    st.integers(0, 25),
    st.sampled_from(OrderType),
    st.sampled_from(Standing),
    st.integers(0, 200),
    st.booleans(),
)


def market(tick: Decimal) -> Instrument:
    return Instrument("X/USD", "XUSD", D("0.001"), tick, D(0), D(0))


@given(side=sides, step=st.integers(0, 30), quote=quotes, tick=ticks, rules=rules)
@settings(deadline=None)
def test_no_price_is_off_the_tick_or_further_across_than_the_bound(
    side: Side, step: int, quote: Quote, tick: Decimal, rules: OrderRules
) -> None:
    price = price_of(OrderType.LIMIT_GTC, side, step, quote, market(tick), rules)
    if price is None:
        return
    cross = rules.max_cross_bps / 10_000
    assert price > 0 and price % tick == 0
    assert price <= quote.ask * (1 + cross) if side is Side.BUY else price >= quote.bid * (1 - cross)


@given(chain=chains, quote=st.one_of(st.none(), quotes), tick=ticks, rules=rules)
@settings(deadline=None)
def test_every_state_has_one_answer_of_its_kind(
    chain: Chain, quote: Quote | None, tick: Decimal, rules: OrderRules
) -> None:
    verdict = judge(chain, quote, instrument=market(tick), rules=rules, now=NOW)
    if chain.remaining == 0:
        assert isinstance(verdict, GiveUp)
    elif chain.standing is Standing.LIVE:
        assert isinstance(verdict, Keep | Cancel | GiveUp)
    else:
        assert isinstance(verdict, Reprice | Escalate | GiveUp)
    if chain.kind is OrderKind.EXIT and chain.remaining > 0:
        assert not isinstance(verdict, GiveUp), "an exit is never given up"
    if chain.kind is OrderKind.ENTRY:
        assert not isinstance(verdict, Escalate), "an entry never pays any price"
    if isinstance(verdict, Reprice):
        assert chain.step < rules.max_reprices


def _chain(kind: OrderKind, **changes: object) -> Chain:
    chain = Chain(
        side=Side.BUY if kind is OrderKind.ENTRY else Side.SELL,
        kind=kind,
        ordered=D(1),
        filled=D(0),
        step=0,
        order_type=OrderType.LIMIT_GTC,
        standing=Standing.LIVE,
        placed_at=NOW,
    )
    return replace(chain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "seconds"), [(OrderKind.ENTRY, 60), (OrderKind.EXIT, 30)])
def test_an_order_rests_for_its_time_and_no_longer(kind: OrderKind, seconds: int) -> None:
    quote, tick = Quote("X/USD", D(100), D("100.1"), NOW), market(D("0.01"))
    early, late = NOW + timedelta(seconds=seconds - 1), NOW + timedelta(seconds=seconds)
    assert isinstance(judge(_chain(kind), quote, instrument=tick, rules=RULES, now=early), Keep)
    assert isinstance(judge(_chain(kind), quote, instrument=tick, rules=RULES, now=late), Cancel)


def test_a_step_is_a_tick_at_least_and_never_beyond_its_bound() -> None:
    quote, coarse = Quote("X/USD", D(100), D(101), NOW), market(D("0.5"))
    found = [price_of(OrderType.LIMIT_GTC, Side.BUY, step, quote, coarse, RULES) for step in range(3)]
    assert found == [D(100), D("100.5"), D("100.5")]
    tight = Quote("X/USD", D(100), D("100.5"), NOW)
    assert price_of(OrderType.LIMIT_GTC, Side.BUY, 9, tight, coarse, RULES) == D("100.5")
    assert price_of(OrderType.LIMIT_GTC, Side.SELL, 1, quote, coarse, RULES) == D("100.5")


def test_a_stop_goes_out_at_once_whatever_the_policy() -> None:
    assert policy_of(OrderKind.EXIT, "hard_stop", RULES) is Policy.MARKET
    assert policy_of(OrderKind.EXIT, "target", RULES) is Policy.RESTING
    assert policy_of(OrderKind.EXIT, "hard_stop", OrderRules(exit=Policy.MARKETABLE)) is Policy.MARKETABLE


def test_without_a_price_an_exit_goes_at_the_market_and_an_entry_nowhere() -> None:
    sell = opening(
        side=Side.SELL, kind=OrderKind.EXIT, policy=Policy.RESTING, quote=None, instrument=market(D(1)), rules=RULES
    )
    assert sell == (OrderType.MARKET, None)
    with pytest.raises(ValueError, match="no price"):
        opening(
            side=Side.BUY, kind=OrderKind.ENTRY, policy=Policy.RESTING, quote=None, instrument=market(D(1)), rules=RULES
        )


def test_a_buy_below_the_smallest_tick_has_no_price() -> None:
    cheap = Quote("X/USD", D("0.2"), D("0.3"), NOW)
    assert price_of(OrderType.LIMIT_GTC, Side.BUY, 0, cheap, market(D(1)), RULES) is None
