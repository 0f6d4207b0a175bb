from __future__ import annotations

import pytest

from paper_exchange.rate_counters import RateCounters, cancel_cost

SECOND = 1_000_000_000


def allowed(counters: RateCounters, calls: int, *, at: float, tier: str = "starter") -> list[bool]:
    return [counters.call_allowed("key", tier, 1.0, round(at * SECOND)) for _ in range(calls)]


@pytest.mark.parametrize(("tier", "limit"), [("starter", 15), ("intermediate", 20), ("pro", 20)])
def test_a_key_may_make_as_many_calls_at_once_as_its_tier_allows(tier: str, limit: int) -> None:
    assert allowed(RateCounters(), limit + 1, at=0, tier=tier) == [True] * limit + [False]


def test_the_counter_falls_with_time() -> None:
    counters = RateCounters()
    allowed(counters, 15, at=0)
    assert allowed(counters, 2, at=3.1) == [True, False]


def test_calling_on_while_limited_extends_it() -> None:
    patient, stubborn = RateCounters(), RateCounters()
    allowed(patient, 15, at=0)
    allowed(stubborn, 25, at=0)
    assert allowed(patient, 1, at=4) == [True]
    assert allowed(stubborn, 1, at=4) == [False]


def test_keys_do_not_share_a_counter() -> None:
    counters = RateCounters()
    allowed(counters, 16, at=0)
    assert counters.call_allowed("other", "starter", 1.0, 0)


def test_order_traffic_counts_per_pair() -> None:
    counters = RateCounters()
    first = [counters.order_allowed("kraken:master", "BTC/USD", "starter", 1.0, 0) for _ in range(61)]
    assert first == [True] * 60 + [False]
    assert counters.order_allowed("kraken:master", "ETH/USD", "starter", 1.0, 0)


@pytest.mark.parametrize(
    ("age", "cost"), [(0, 8), (4.9, 8), (5, 6), (9, 6), (14, 5), (44, 4), (89, 2), (299, 1), (300, 0)]
)
def test_the_younger_an_order_the_dearer_its_cancel(age: float, cost: float) -> None:
    assert cancel_cost(round(age * SECOND)) == cost
