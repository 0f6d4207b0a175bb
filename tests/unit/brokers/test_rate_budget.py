"""The mirrored counter: never above what the venue allows, exits first, and it believes the venue's word."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.base import Urgency
from bot.brokers.rate_budget import SHARES, RateBudget
from bot.domain.errors import RetryLater
from bot.seams.clock import SystemClock
from paper_exchange.rate_counters import DecayingCounter
from tests.exchange_process import wait_until
from tests.unit.brokers.clocks import TurnedClock

STARTER = (15.0, 0.33)


def budget_of(clock: TurnedClock, limit: float | None = 15.0, decay: float = 0.33) -> RateBudget:
    return RateBudget(clock, name="the key's calls", limit=limit, decay_per_second=decay)


def call(budget: RateBudget, urgency: Urgency, *, cost: float = 1.0, within: float = 0.0) -> None:
    with budget.spend(cost, urgency, within_seconds=within) as spending:
        spending.leaving()


def calls_at_once(budget: RateBudget, urgency: Urgency) -> int:
    for count in range(1000):
        try:
            call(budget, urgency)
        except RetryLater:
            return count
    raise AssertionError("no end")


@pytest.mark.parametrize("urgency", list(Urgency))
def test_each_urgency_uses_its_share_and_no_more(urgency: Urgency) -> None:
    assert calls_at_once(budget_of(TurnedClock(), limit=100), urgency) == round(100 * SHARES[urgency])


def test_an_exit_finds_room_where_everything_below_it_has_used_up_its_own() -> None:
    budget = budget_of(TurnedClock())
    for urgency in sorted(Urgency, reverse=True)[:-1]:
        calls_at_once(budget, urgency)
    call(budget, Urgency.EXIT)


def test_what_others_use_up_of_the_address_leaves_the_rest_to_exits() -> None:
    budget = budget_of(TurnedClock(), limit=60, decay=5.0)
    budget.told_used(0.5)
    assert budget.used == 0, "what the venue counts by the minute is no news while there is room"
    budget.told_used(0.9)
    for urgency in (Urgency.POLL, Urgency.ENTRY):
        with pytest.raises(RetryLater):
            call(budget, urgency)
    call(budget, Urgency.EXIT)
    budget.told_used(7.0)
    assert budget.used <= 61


def test_a_caller_without_room_waits_as_long_as_that_takes() -> None:
    clock = TurnedClock()
    budget = budget_of(clock)
    calls_at_once(budget, Urgency.POLL)
    started = clock.monotonic()
    call(budget, Urgency.POLL, within=10)
    assert clock.monotonic() - started == pytest.approx(1 / 0.33, rel=0.01)


def test_a_caller_that_would_wait_too_long_is_told_at_once_how_long() -> None:
    clock = TurnedClock()
    budget = budget_of(clock)
    calls_at_once(budget, Urgency.POLL)
    started = clock.monotonic()
    with pytest.raises(RetryLater, match=r"not sent: the key's calls.*poll") as refused:
        call(budget, Urgency.POLL, within=3)
    assert clock.monotonic() == started
    assert refused.value.retry_after_seconds == pytest.approx(1 / 0.33, rel=0.01)


def test_a_call_that_never_left_costs_nothing() -> None:
    budget = budget_of(TurnedClock())
    for _ in range(50):
        with budget.spend(4, Urgency.POLL, within_seconds=0):
            pass
    assert budget.used == 0


def test_a_call_under_way_falls_only_after_its_answer() -> None:
    clock = TurnedClock()
    budget = budget_of(clock)
    with budget.spend(9, Urgency.POLL, within_seconds=0) as spending:
        spending.leaving()
        clock.advance(60)
        assert budget.used == 9
    clock.advance(3)
    assert budget.used == pytest.approx(9 - 3 * 0.33, rel=0.01)


def test_a_call_dearer_than_its_share_is_made_when_nothing_else_is_counted() -> None:
    clock = TurnedClock()
    budget = budget_of(clock, limit=5)
    call(budget, Urgency.POLL, cost=4)
    with pytest.raises(RetryLater):
        call(budget, Urgency.POLL, cost=4)
    clock.advance(4 / 0.33 + 0.1)
    call(budget, Urgency.POLL, cost=4)


def test_a_refusal_fills_the_counter_and_halves_the_pace_which_comes_back_slowly() -> None:
    clock = TurnedClock()
    budget = budget_of(clock, decay=1.0)
    call(budget, Urgency.POLL)
    budget.refused()
    for _ in range(5):
        budget.refused()  # those that were under way with it
    with pytest.raises(RetryLater) as told:
        call(budget, Urgency.EXIT)
    assert told.value.retry_after_seconds == pytest.approx(2, rel=0.01), "one call at half the pace"
    clock.advance(700)
    budget.refused()
    with pytest.raises(RetryLater) as told:
        call(budget, Urgency.EXIT)
    assert told.value.retry_after_seconds == pytest.approx(2, rel=0.01), "it had recovered meanwhile"


@pytest.mark.parametrize(("asked", "kept"), [(7.0, 7.0), (1e9, 600.0), (-5.0, 0.0), (None, 0.0)])
@pytest.mark.parametrize("limit", [None, 1000.0])
def test_the_venues_wish_to_wait_is_kept_up_to_ten_minutes(
    limit: float | None, asked: float | None, kept: float
) -> None:
    clock = TurnedClock()
    budget = budget_of(clock, limit=limit, decay=1000.0)
    budget.refused(asked)
    clock.advance(kept - 0.5 if kept else 0.1)
    if kept:
        with pytest.raises(RetryLater):
            call(budget, Urgency.EXIT)
    clock.advance(1)
    call(budget, Urgency.EXIT)


def test_those_who_wait_go_by_urgency_and_then_by_arrival() -> None:
    budget = RateBudget(SystemClock(), name="calls", limit=1, decay_per_second=1000)
    order: list[tuple[Urgency, int]] = []
    written = threading.Lock()

    def wait(urgency: Urgency, number: int) -> None:
        with budget.spend(1, urgency, within_seconds=30) as spending, written:
            spending.leaving()
            order.append((urgency, number))

    urgencies = [Urgency.POLL, Urgency.ENTRY, Urgency.EXIT, Urgency.POLL, Urgency.CANCEL, Urgency.EXIT]
    with ThreadPoolExecutor(len(urgencies)) as pool, ExitStack() as first:
        first.enter_context(budget.spend(1, Urgency.EXIT, within_seconds=0)).leaving()
        futures = []
        for number, urgency in enumerate(urgencies):
            futures.append(pool.submit(wait, urgency, number))
            wait_until(lambda expected=number + 1: budget.waiting == expected)
        first.close()
        for future in futures:
            future.result(30)
    assert order == sorted(order)


def test_who_gives_up_leaves_nothing_behind() -> None:
    budget = RateBudget(SystemClock(), name="calls", limit=1, decay_per_second=1)
    with budget.spend(1, Urgency.EXIT, within_seconds=0):
        with pytest.raises(RetryLater, match="not sent"):
            call(budget, Urgency.POLL, within=0.05)
        assert budget.waiting == 0
    call(budget, Urgency.POLL)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    tier=st.sampled_from([STARTER, (20.0, 0.5), (20.0, 1.0), (60.0, 1.0), (180.0, 3.75)]),
    eagerness=st.floats(0.1, 20),
)
def test_whatever_is_called_when_and_however_late_it_arrives_the_venue_never_refuses(
    seed: int, tier: tuple[float, float], eagerness: float
) -> None:
    """The venue counts each call at some moment between its leaving and its answer, in any order."""
    dice, clock = random.Random(seed), TurnedClock()
    budget, venue = budget_of(clock, *tier), DecayingCounter(*tier)
    under_way: list[tuple[ExitStack, float, bool]] = []
    accepted = 0
    for _ in range(300):
        clock.advance(dice.expovariate(eagerness))
        dice.shuffle(under_way)
        for _ in range(dice.randrange(3)):
            if not under_way:
                break
            stack, cost, arrived = under_way.pop()
            if not arrived:
                assert venue.add(cost, round(clock.monotonic() * 1e9)), "the venue refuses a call"
                accepted += 1
            clock.advance(dice.choice([0.0, 0.3]))
            stack.close()
        stack, cost = ExitStack(), dice.choice([1.0, 1.0, 1.0, 2.0, 4.0])
        try:
            spending = stack.enter_context(
                budget.spend(cost, dice.choice(list(Urgency)), within_seconds=dice.choice([0, 2, 20]))
            )
        except RetryLater:
            continue
        spending.leaving()
        arrived = dice.random() < 0.5
        if arrived:
            assert venue.add(cost, round(clock.monotonic() * 1e9)), "the venue refuses a call"
            accepted += 1
        under_way.append((stack, cost, arrived))
    assert accepted > 5
