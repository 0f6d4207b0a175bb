"""Entries stop when the markets cannot be seen, and do not come back at the first good look."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.risk.safe_mode import NO_SAFE_MODE, SafeMode, SafeModeRules
from tests.memory_broker import TestClock

RULES = SafeModeRules(below_percent=Decimal(50), enter_after_looks=2, leave_after_looks=3, leave_after_seconds=30.0)


def made(rules: SafeModeRules = RULES) -> tuple[SafeMode, TestClock]:
    clock = TestClock()
    return SafeMode(rules, clock), clock


def test_it_begins_with_the_second_bad_look_and_says_since_when_and_why() -> None:
    safe, clock = made()
    safe.look_at_coverage(ready=10, wanted=10)
    safe.look_at_coverage(ready=4, wanted=10)
    assert not safe.is_on
    clock.seconds += 5
    safe.look_at_coverage(ready=3, wanted=10)
    assert safe.is_on
    assert "since 2026-01-01T00:00:05" in safe.sentence
    assert "3 of 10 markets (30 %) have fresh candles, 50 % are needed" in safe.sentence


def test_the_bound_itself_is_enough_and_no_market_wanted_says_nothing() -> None:
    safe, _ = made()
    for _ in range(3):
        safe.look_at_coverage(ready=5, wanted=10)
        safe.look_at_coverage(ready=0, wanted=0)
    assert not safe.is_on


def test_candles_that_are_still_being_read_after_a_start_are_not_a_fall() -> None:
    safe, _ = made()
    for ready in range(5):
        safe.look_at_coverage(ready=ready, wanted=10)
    assert not safe.is_on


def test_it_ends_only_after_enough_good_looks_over_enough_time() -> None:
    safe, clock = made()
    safe.look("the balance is stale")
    safe.look("the balance is stale")
    for _ in range(10):  # good looks that come quickly are not enough
        clock.seconds += 1
        safe.look("")
    assert safe.is_on
    clock.seconds += 25
    safe.look("the balance is stale")  # and one bad look begins it anew
    clock.seconds += 40
    safe.look("")
    clock.seconds += 40
    safe.look("")
    assert safe.is_on
    clock.seconds += 1
    safe.look("")
    assert not safe.is_on
    assert safe.sentence == ""


def test_two_markets_without_a_price_are_trouble_and_one_is_its_own() -> None:
    safe, _ = made()
    for _ in range(5):
        safe.price("A/USD", known=False)
    safe.price("B/USD", known=True)
    safe.price("C/USD", known=False)
    assert not safe.is_on
    safe.price("A/USD", known=False)
    assert "A/USD and C/USD have no fresh price" in safe.sentence


def test_without_a_bound_it_never_begins() -> None:
    safe, _ = made(NO_SAFE_MODE)
    for _ in range(5):
        safe.look("everything is wrong")
        safe.price("A/USD", known=False)
        safe.price("B/USD", known=False)
    assert not safe.is_on


@given(looks=st.lists(st.tuples(st.booleans(), st.floats(min_value=0.1, max_value=40)), max_size=60))
def test_however_a_feed_comes_and_goes_it_never_ends_without_good_looks_in_a_row_over_that_time(
    looks: list[tuple[bool, float]],
) -> None:
    safe, clock = made()
    history: list[tuple[bool, float]] = []
    for good, seconds in looks:
        clock.seconds += seconds
        was_on = safe.is_on
        safe.look("" if good else "trouble")
        history.append((good, clock.monotonic()))
        run = _good_run(history)
        if was_on and not safe.is_on:
            assert len(run) >= RULES.leave_after_looks
            assert run[-1] - run[0] >= RULES.leave_after_seconds
        elif was_on:
            assert len(run) < RULES.leave_after_looks or run[-1] - run[0] < RULES.leave_after_seconds
        else:
            assert safe.is_on == (len(history) > 1 and not history[-1][0] and not history[-2][0])


def _good_run(history: list[tuple[bool, float]]) -> list[float]:
    """Moments of the good looks since the last bad one."""
    run: list[float] = []
    for good, at in history:
        run = [*run, at] if good else []
    return run
