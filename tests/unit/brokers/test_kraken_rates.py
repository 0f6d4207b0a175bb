"""Kraken's counters of one key, against the paper exchange's own: what is mirrored, and what a refusal changes."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.base import Urgency
from bot.brokers.kraken.errors import throttled_seconds
from bot.brokers.kraken.rates import CALL_COSTS, TIERS, KrakenRates, cancel_cost
from bot.domain.errors import RetryLater
from paper_exchange import rate_counters
from tests.unit.brokers.clocks import TurnedClock

SECOND = 1_000_000_000


@pytest.mark.parametrize("tier", sorted(TIERS))
def test_the_limits_are_those_of_the_exchange(tier: str) -> None:
    ours, theirs = TIERS[tier], rate_counters.TIERS[tier]
    assert (ours.calls, ours.call_decay) == (theirs.calls, theirs.call_decay)
    assert (ours.orders, ours.order_decay) == (theirs.orders, theirs.order_decay)


@pytest.mark.parametrize("age", [0, 4.99, 5, 9.99, 10, 15, 44, 45, 89, 90, 299, 300, 10_000])
def test_a_cancel_costs_what_it_costs_at_the_exchange(age: float) -> None:
    assert cancel_cost(age) == rate_counters.cancel_cost(round(age * SECOND))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), tier=st.sampled_from(sorted(TIERS)))
def test_orders_and_cancels_of_many_pairs_never_meet_the_exchanges_limit(seed: int, tier: str) -> None:
    dice, clock = random.Random(seed), TurnedClock()
    rates, venue = KrakenRates(clock, name="u", tier=TIERS[tier]), rate_counters.RateCounters()
    resting: list[tuple[str, str, float]] = []
    for number in range(400):
        clock.advance(dice.choice([0.0, 0.05, 0.5, 3.0]))
        now_ns = round(clock.monotonic() * SECOND)
        urgency = dice.choice(list(Urgency))
        try:
            if resting and dice.random() < 0.5:
                order_id, pair, placed_at = resting.pop(dice.randrange(len(resting)))
                with rates.cancelling(order_id, urgency, within_seconds=0) as spending:
                    spending.leaving()
                    cost = rate_counters.cancel_cost(now_ns - round(placed_at * SECOND))
                    assert venue.order_allowed("u", pair, tier, cost, now_ns)
            else:
                pair = dice.choice(["XXBTZUSD", "SOLUSD"])
                with rates.adding(pair, urgency, within_seconds=0) as spending:
                    spending.leaving()
                    assert venue.order_allowed("u", pair, tier, rate_counters.ADD_COST, now_ns)
                rates.placed(f"O{number}", pair)
                resting.append((f"O{number}", pair, clock.monotonic()))
        except RetryLater:
            continue


def calls_left(rates: KrakenRates, method: str, urgency: Urgency = Urgency.EXIT) -> int:
    for count in range(1000):
        try:
            with rates.call(method, urgency, within_seconds=0) as spending:
                spending.leaving()
        except RetryLater:
            return count
    return 1000


@pytest.mark.parametrize(("method", "calls"), [("BalanceEx", 15), ("TradesHistory", 3), ("ClosedOrders", 7)])
def test_histories_cost_more_than_other_readings(method: str, calls: int) -> None:
    assert calls_left(KrakenRates(TurnedClock(), name="u", tier=TIERS["starter"]), method) == calls


def test_what_a_reading_costs_is_never_less_than_at_the_exchange() -> None:
    from paper_exchange.kraken.front import PRIVATE

    changing = {"AddOrder", "CancelOrder"}
    used = set(CALL_COSTS) | {"BalanceEx", "OpenOrders", "QueryOrders", "GetApiKeyInfo", "GetWebSocketsToken"}
    for method in (used & set(PRIVATE)) - changing:
        assert CALL_COSTS.get(method, 1.0) >= PRIVATE[method].cost, method


def test_orders_and_readings_do_not_use_up_each_others_counter() -> None:
    rates = KrakenRates(TurnedClock(), name="u", tier=TIERS["starter"])
    assert calls_left(rates, "BalanceEx") == 15
    for _ in range(60):
        with rates.adding("XXBTZUSD", Urgency.EXIT, within_seconds=0) as spending:
            spending.leaving()
    with pytest.raises(RetryLater, match="order counter of XXBTZUSD"):
        rates.adding("XXBTZUSD", Urgency.EXIT, within_seconds=0).__enter__()
    with rates.adding("SOLUSD", Urgency.EXIT, within_seconds=0):
        pass


def test_a_refusal_of_one_pair_backs_off_that_pair_alone() -> None:
    rates = KrakenRates(TurnedClock(), name="u", tier=TIERS["starter"])
    rates.placed("O1", "XXBTZUSD")
    rates.refused("EOrder:Rate limit exceeded", venue_order_id="O1")
    with pytest.raises(RetryLater) as told:
        rates.adding("XXBTZUSD", Urgency.EXIT, within_seconds=0).__enter__()
    assert told.value.retry_after_seconds == pytest.approx(2, rel=0.01)
    with rates.adding("SOLUSD", Urgency.POLL, within_seconds=0):
        pass
    assert calls_left(rates, "BalanceEx", Urgency.POLL) == 9


@pytest.mark.parametrize("text", ["EAPI:Rate limit exceeded", "EAuth:Rate limit exceeded", "EAuth:Too many requests"])
def test_a_refusal_of_the_key_leaves_no_room_for_any_reading(text: str) -> None:
    rates = KrakenRates(TurnedClock(), name="u", tier=TIERS["starter"])
    rates.refused(text)
    assert calls_left(rates, "BalanceEx") == 0


def test_other_texts_change_nothing() -> None:
    rates = KrakenRates(TurnedClock(), name="u", tier=TIERS["starter"])
    for text in ("EOrder:Insufficient funds", "EAPI:Invalid key", "EGeneral:Too many requests"):
        rates.refused(text, pair="XXBTZUSD")
    assert calls_left(rates, "BalanceEx", Urgency.POLL) == 9


@pytest.mark.parametrize("tier", [None, TIERS["pro"]])
def test_a_throttled_key_sends_neither_orders_nor_readings_until_then(tier: rate_counters.TierLimits | None) -> None:
    clock = TurnedClock()
    rates = KrakenRates(clock, name="u", tier=tier)  # type: ignore[arg-type]
    rates.refused("EService:Throttled:1", seconds=40)
    clock.advance(39)
    for attempt in (
        lambda: rates.adding("XXBTZUSD", Urgency.EXIT, within_seconds=0).__enter__(),
        lambda: rates.cancelling("O1", Urgency.EXIT, within_seconds=0).__enter__(),
        lambda: rates.call("BalanceEx", Urgency.EXIT, within_seconds=0).__enter__(),
    ):
        with pytest.raises(RetryLater, match="not sent"):
            attempt()
    clock.advance(2)
    with rates.adding("XXBTZUSD", Urgency.EXIT, within_seconds=0):
        pass


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("EService:Throttled:1767225640", 40.0),
        ("EService:Throttled: 1767225640", 40.0),
        ("EService:Throttled:1767225600", 5.0),
        ("EService:Throttled", 5.0),
        ("EService:Throttled:soon", 5.0),
        ("EService:Throttled:99999999999999999999", 5.0),
        ("EService:Busy", None),
    ],
)
def test_the_end_of_a_throttling_is_read_from_its_text(text: str, seconds: float | None) -> None:
    assert throttled_seconds(text, datetime(2026, 1, 1, tzinfo=UTC)) == seconds
