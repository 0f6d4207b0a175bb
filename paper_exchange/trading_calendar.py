"""When the New York stock exchanges trade: weekdays from 9:30 to 16:00 local time, but for holidays and short days.

Holidays follow from their rules, so that every year is known; what was decreed for one day only is listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from paper_exchange.clock import NANOSECONDS_PER_SECOND

NEW_YORK = ZoneInfo("America/New_York")
OPENS, CLOSES, CLOSES_EARLY = time(9, 30), time(16, 0), time(13, 0)
ONE_DAY = timedelta(days=1)
MONDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = 0, 3, 4, 5, 6
DAYS_OF_MOURNING = frozenset({date(2018, 12, 5), date(2025, 1, 9)})
FIRST_JUNETEENTH = 2022


@dataclass(frozen=True, slots=True)
class TradingDay:
    """One day's session, from ``open_ns`` until before ``close_ns`` (nanoseconds since 1970)."""

    day: date
    opens: time
    closes: time

    @property
    def open_ns(self) -> int:
        return at_new_york(self.day, self.opens)

    @property
    def close_ns(self) -> int:
        return at_new_york(self.day, self.closes)


def trading_day(day: date) -> TradingDay | None:
    """The session of a day; None on weekends and holidays."""
    if day.weekday() >= SATURDAY or day in DAYS_OF_MOURNING or day in holidays(day.year):
        return None
    return TradingDay(day, OPENS, CLOSES_EARLY if day in _short_days(day.year) else CLOSES)


def trading_days(first: date, last: date) -> Iterator[TradingDay]:
    """The sessions from one day to another, both included."""
    day = first
    while day <= last:
        found = trading_day(day)
        if found is not None:
            yield found
        day += ONE_DAY


def session_at_or_after(time_ns: int) -> TradingDay:
    """The session that runs at a time, or else the next one."""
    day = new_york_date(time_ns)
    while True:
        found = trading_day(day)
        if found is not None and time_ns < found.close_ns:
            return found
        day += ONE_DAY


def session_after(session: TradingDay) -> TradingDay:
    return session_at_or_after(session.close_ns)


def new_york_date(time_ns: int) -> date:
    return new_york_time(time_ns).date()


def new_york_time(time_ns: int) -> datetime:
    """The local time, to the microsecond."""
    seconds, rest = divmod(time_ns, NANOSECONDS_PER_SECOND)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=rest // 1000).astimezone(NEW_YORK)


def at_new_york(day: date, at: time) -> int:
    """Nanoseconds since 1970 of a local time."""
    return int(datetime.combine(day, at, tzinfo=NEW_YORK).timestamp()) * NANOSECONDS_PER_SECOND


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """The days of a year on which the exchanges are closed by rule."""
    days = {
        _nth(year, 1, MONDAY, 3),  # Martin Luther King Jr.
        _nth(year, 2, MONDAY, 3),  # Washington's Birthday
        easter(year) - 2 * ONE_DAY,  # Good Friday
        _nth(year, 6, MONDAY, 1) - 7 * ONE_DAY,  # Memorial Day, the last Monday of May
        _observed(date(year, 7, 4)),
        _nth(year, 9, MONDAY, 1),  # Labor Day
        _nth(year, 11, THURSDAY, 4),  # Thanksgiving
        _observed(date(year, 12, 25)),
    }
    # On a Saturday it is not made up for: the Friday before belongs to the old year.
    if date(year, 1, 1).weekday() != SATURDAY:
        days.add(_observed(date(year, 1, 1)))
    if year >= FIRST_JUNETEENTH:
        days.add(_observed(date(year, 6, 19)))
    return frozenset(days)


@lru_cache(maxsize=64)
def _short_days(year: int) -> frozenset[date]:
    """The eves of Independence Day and of Christmas, if these fall on a weekday, and the day after Thanksgiving."""
    eves = (date(year, 7, 4), date(year, 12, 25))
    short = {eve - ONE_DAY for eve in eves if MONDAY < eve.weekday() < SATURDAY}
    return frozenset(short | {_nth(year, 11, THURSDAY, 4) + ONE_DAY})


def _observed(day: date) -> date:
    """A holiday on a Saturday is kept on Friday, one on a Sunday on Monday."""
    return day + {SATURDAY: -ONE_DAY, SUNDAY: ONE_DAY}.get(day.weekday(), timedelta())


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def easter(year: int) -> date:
    """Easter Sunday by the Gregorian computus (Meeus)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    offset = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * offset) // 451
    month, day = divmod(h + offset - 7 * m + 114, 31)
    return date(year, month, day + 1)
