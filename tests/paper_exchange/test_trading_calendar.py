"""New York's trading days against the exchanges' published calendars."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from paper_exchange.trading_calendar import (
    easter,
    holidays,
    new_york_time,
    session_after,
    session_at_or_after,
    trading_day,
    trading_days,
)

PUBLISHED_HOLIDAYS = {
    2021: "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24",
    2022: "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26",
    2023: "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25",
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    2025: "01-01 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
    2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
}
PUBLISHED_SHORT_DAYS = {
    2021: "11-26",
    2022: "11-25",
    2023: "07-03 11-24",
    2024: "07-03 11-29 12-24",
    2025: "07-03 11-28 12-24",
    2026: "11-27 12-24",
    2027: "11-26",
}


def _days(year: int, text: str) -> set[date]:
    return {date.fromisoformat(f"{year}-{day}") for day in text.split()}


def _ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000


@pytest.mark.parametrize("year", PUBLISHED_HOLIDAYS)
def test_holidays_are_those_that_the_exchanges_published(year: int) -> None:
    assert holidays(year) == _days(year, PUBLISHED_HOLIDAYS[year])
    assert all(trading_day(day) is None for day in holidays(year))


@pytest.mark.parametrize("year", PUBLISHED_SHORT_DAYS)
def test_short_days_are_those_that_the_exchanges_published(year: int) -> None:
    days = trading_days(date(year, 1, 1), date(year, 12, 31))
    assert {day.day for day in days if day.closes == time(13)} == _days(year, PUBLISHED_SHORT_DAYS[year])


def test_a_year_has_about_250_trading_days_and_none_on_a_weekend() -> None:
    for year in range(2020, 2035):
        days = list(trading_days(date(year, 1, 1), date(year, 12, 31)))
        assert 249 <= len(days) <= 253
        assert all(day.day.weekday() < 5 for day in days)


def test_a_day_of_mourning_is_no_trading_day() -> None:
    assert trading_day(date(2025, 1, 9)) is None and trading_day(date(2025, 1, 8)) is not None


def test_easter_falls_where_it_fell() -> None:
    assert [easter(year) for year in (2000, 2008, 2019, 2025, 2038)] == [
        date(2000, 4, 23), date(2008, 3, 23), date(2019, 4, 21), date(2025, 4, 20), date(2038, 4, 25),
    ]  # fmt: skip


def test_hours_are_new_yorks_in_summer_and_in_winter() -> None:
    summer, winter = trading_day(date(2026, 7, 1)), trading_day(date(2026, 12, 1))
    assert summer is not None and winter is not None
    assert (summer.open_ns, summer.close_ns) == (_ns("2026-07-01T13:30:00Z"), _ns("2026-07-01T20:00:00Z"))
    assert (winter.open_ns, winter.close_ns) == (_ns("2026-12-01T14:30:00Z"), _ns("2026-12-01T21:00:00Z"))


def test_the_session_at_a_time_lasts_until_before_its_close() -> None:
    friday = session_at_or_after(_ns("2026-11-20T20:59:59Z"))
    assert friday.day == date(2026, 11, 20)
    assert session_at_or_after(_ns("2026-11-20T21:00:00Z")).day == date(2026, 11, 23)
    assert session_after(friday).day == date(2026, 11, 23)
    assert session_at_or_after(_ns("2026-11-26T15:00:00Z")).day == date(2026, 11, 27)


def test_times_are_shown_with_new_yorks_offset() -> None:
    shown = new_york_time(_ns("2026-07-01T13:30:00Z") + 123_456_789)
    assert shown.isoformat() == "2026-07-01T09:30:00.123456-04:00"
    assert shown.astimezone(UTC).hour == 13
