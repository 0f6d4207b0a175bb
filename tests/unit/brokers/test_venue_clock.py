"""The venue's time goes on steadily, whatever happens to this machine's clock."""

from datetime import timedelta

import pytest

from bot.brokers.venue_clock import VenueClock
from tests.unit.brokers.clocks import START, TurnedClock


def test_it_is_the_machines_time_until_it_was_measured() -> None:
    clock = TurnedClock()
    venue = VenueClock(clock)
    assert venue.needs_measuring
    assert venue.now() == START and venue.ahead_of_machine() == timedelta(0)


def test_a_step_of_the_machines_clock_does_not_move_it() -> None:
    clock = TurnedClock()
    venue = VenueClock(clock)
    venue.measured(START + timedelta(hours=1))
    clock.advance(10)
    clock.set_wall(START - timedelta(days=3))
    assert venue.now() == START + timedelta(hours=1, seconds=10)
    assert venue.ahead_of_machine() == timedelta(days=3, hours=1, seconds=10)


def test_it_wants_to_be_measured_again_after_a_while() -> None:
    clock = TurnedClock()
    venue = VenueClock(clock, max_age_seconds=600)
    venue.measured(START)
    assert not venue.needs_measuring
    clock.advance(601)
    assert venue.needs_measuring


@pytest.mark.parametrize("step", [timedelta(seconds=-3), timedelta(seconds=3), timedelta(days=1)])
def test_it_wants_to_be_measured_when_the_two_clocks_of_the_machine_have_parted(step: timedelta) -> None:
    clock = TurnedClock()
    venue = VenueClock(clock)
    venue.measured(START + timedelta(hours=1))
    clock.advance(10)
    assert not venue.needs_measuring
    clock.set_wall(clock.now() + step)
    assert venue.needs_measuring
    venue.measured(START + timedelta(hours=1))
    assert not venue.needs_measuring


def test_it_wants_to_be_measured_when_the_venue_found_it_wrong() -> None:
    venue = VenueClock(TurnedClock())
    venue.measured(START)
    venue.doubt()
    assert venue.needs_measuring and venue.is_measured
    venue.measured(START)
    assert not venue.needs_measuring


def test_a_venue_that_does_not_tell_is_not_asked_again_at_once_and_the_old_measurement_goes_on() -> None:
    clock = TurnedClock()
    venue = VenueClock(clock, max_age_seconds=600)
    venue.measured(START + timedelta(hours=1))
    clock.advance(601)
    venue.postpone(60)
    assert not venue.needs_measuring and venue.is_measured
    assert venue.now() == START + timedelta(hours=1, seconds=601)
    clock.advance(60)
    assert venue.needs_measuring
