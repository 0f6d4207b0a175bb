"""Which days a command speaks of, in the time zone of the books."""

import argparse
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bot.books.days import DayBoundary
from bot.settings import Settings

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True)
class ChosenDays:
    """From the first day to the last, both with them; None = from the beginning, or until now."""

    first: date | None = None
    last: date | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"{self.first} comes after {self.last}")

    def holds(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    @property
    def first_text(self) -> str:
        """Sorts before every day when there is no first one."""
        return "0000-00-00" if self.first is None else self.first.isoformat()

    @property
    def last_text(self) -> str:
        return "9999-99-99" if self.last is None else self.last.isoformat()

    @property
    def words(self) -> str:
        """`2026-11-01 to 2026-11-30`, `since 2026-11-01`, `all days`."""
        if self.first is not None and self.first == self.last:
            return self.first.isoformat()
        if self.first is not None and self.last is not None:
            return f"{self.first} to {self.last}"
        if self.first is not None:
            return f"since {self.first}"
        return "all days" if self.last is None else f"until {self.last}"

    def moments(self, boundary: DayBoundary) -> tuple[datetime | None, datetime | None]:
        """The first moment, and the first one after it; None = no bound."""
        since = None if self.first is None else boundary.starts(self.first)
        until = None if self.last is None else boundary.bounds(self.last)[1]
        return since, until


def boundary_of(settings: Settings) -> DayBoundary:
    """When the days of the books begin, by the settings."""
    return DayBoundary.of(settings.books.time_zone, settings.books.day_starts_at)


def last_days(today: date, number: int) -> ChosenDays:
    """So many days, the running one among them."""
    return ChosenDays(today - timedelta(days=number - 1), today)


def month_of(text: str) -> ChosenDays:
    """`2026-11`, as a word of the command line."""
    found = _MONTH.fullmatch(text.strip())
    if found is None or not 1 <= int(found[2]) <= 12 or int(found[1]) < 1970:
        raise argparse.ArgumentTypeError(f"{text!r} is not a month; write it as 2026-11")
    first = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC).date()
    following = (first + timedelta(days=31)).replace(day=1)
    return ChosenDays(first, following - timedelta(days=1))


def day_of_text(text: str) -> date:
    """`2026-11-30`, as a word of the command line."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day; write it as 2026-11-30") from error


def add_days(made: argparse.ArgumentParser) -> None:
    """The options `--from` and `--to`; the parser needs `refuse` among its defaults."""
    made.add_argument("--from", dest="first", type=day_of_text, metavar="DAY", help="the first day, as 2026-11-01")
    made.add_argument("--to", dest="last", type=day_of_text, metavar="DAY", help="the last day, as 2026-11-30")


def days_of(words: argparse.Namespace) -> ChosenDays:
    """What they chose; what cannot be meant ends the program."""
    if words.first is not None and words.last is not None and words.first > words.last:
        words.refuse(f"{words.first} comes after {words.last}")
    return ChosenDays(words.first, words.last)
