"""Which day a moment belongs to, also where clocks are changed."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.books.days import DayBoundary

BERLIN = DayBoundary.of("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")


def length(boundary: DayBoundary, day: date) -> timedelta:
    first, after = boundary.bounds(day)
    return after - first


def test_a_day_has_23_hours_when_the_clocks_go_forward_and_25_when_they_go_back() -> None:
    assert length(BERLIN, date(2026, 3, 29)) == timedelta(hours=23)
    assert length(BERLIN, date(2026, 10, 25)) == timedelta(hours=25)
    assert length(BERLIN, date(2026, 6, 1)) == timedelta(hours=24)


def test_the_first_moment_of_a_day_belongs_to_it_and_the_one_before_does_not() -> None:
    first, after = BERLIN.bounds(date(2026, 10, 25))
    assert first == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert BERLIN.day_of(first) == date(2026, 10, 25)
    assert BERLIN.day_of(first - timedelta(microseconds=1)) == date(2026, 10, 24)
    assert BERLIN.day_of(after - timedelta(microseconds=1)) == date(2026, 10, 25)
    assert BERLIN.day_of(after) == date(2026, 10, 26)


def test_a_start_in_the_middle_of_the_day_makes_the_night_part_of_the_day_before() -> None:
    boundary = DayBoundary.of("America/New_York", "17:00")
    assert boundary.day_of(datetime(2026, 1, 5, 21, 59, tzinfo=UTC)) == date(2026, 1, 4)
    assert boundary.day_of(datetime(2026, 1, 5, 22, 0, tzinfo=UTC)) == date(2026, 1, 5)


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 24), date(2026, 10, 25)])
def test_a_start_that_the_clocks_jump_over_or_repeat_still_parts_two_days(day: date) -> None:
    boundary = DayBoundary.of("Europe/Berlin", "02:30")
    first, after = boundary.bounds(day)
    assert timedelta(hours=22) < after - first < timedelta(hours=26)
    assert boundary.day_of(first) == day
    assert boundary.day_of(after) == day + timedelta(days=1)


def test_a_day_that_a_country_left_out_is_empty() -> None:
    boundary = DayBoundary.of("Pacific/Apia")
    assert length(boundary, date(2011, 12, 30)) == timedelta(0)
    assert boundary.day_of(boundary.starts(date(2011, 12, 31))) == date(2011, 12, 31)


@given(
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    minutes=st.integers(0, 20 * 365 * 24 * 60),
)
def test_every_moment_is_within_the_bounds_of_its_day(zone: str, hour: int, minutes: int) -> None:
    boundary = DayBoundary.of(zone, f"{hour:02}:30")
    moment = datetime(2010, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    first, after = boundary.bounds(boundary.day_of(moment))
    assert first <= moment < after


@pytest.mark.parametrize(("zone", "start", "named"), [("Mars/Base", "00:00", "Mars"), ("UTC", "25:00", "25:00")])
def test_a_zone_or_a_start_that_does_not_exist_is_named(zone: str, start: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        DayBoundary.of(zone, start)


def test_a_time_without_a_zone_belongs_to_no_day() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        BERLIN.day_of(datetime(2026, 1, 1))  # noqa: DTZ001
