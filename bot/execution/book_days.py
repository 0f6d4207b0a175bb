"""Closes the days of one account that are over, and computes days anew for which something was booked late."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from sqlalchemy import Connection

from bot.books.book_text import from_json
from bot.books.days import DayBoundary
from bot.books.equity import Mark
from bot.execution.day_closing import DayEnd, DayMaker, DayStart, added, entry_in_words, units_moved
from bot.execution.running_books import apply_all, base_of_books, opened_books
from bot.execution.settled_reading import SettledReading
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage.book_entries import (
    BookedEntry,
    book_entries,
    booked_until,
    first_trade_at,
    late_entries,
    moment_of,
)
from bot.storage.day_closes import DayClose, DayStatus, close_before, closes_of, last_close, save_close
from bot.storage.equity_points import first_point, points_of
from bot.storage.opening_balances import OpeningBalances, find_opening
from bot.storage.store import Store

log = logging.getLogger(__name__)

# A reading later than this after a day's end is not the reading of that end any more.
NEAR = timedelta(hours=1)
LEDGER_UNREAD = "the brokerage's ledger could not be read"
# Late entries named one by one in a day's row.
NAMED_ENTRIES = 3


@dataclass(frozen=True)
class _Due:
    """A day that is over."""

    day: str
    at: datetime


class BookDays:
    """One account's, in that account's thread. What the venue's units are at a day's end follows from a later reading:
    what was booked since is in the books as well, so that the venue has more or less than they at both moments alike.
    """

    def __init__(
        self,
        *,
        account_id: str,
        currency: str,
        store: Store,
        clock: Clock,
        fence: Callable[[Connection], None],
        boundary: DayBoundary,
        price_max_age_seconds: float,
    ) -> None:
        self._account_id = account_id
        self._currency = currency
        self._store = store
        self._clock = clock
        self._fence = fence
        self._boundary = boundary
        self._max_age = timedelta(seconds=price_max_age_seconds)
        self._maker = DayMaker(account_id=account_id, max_price_age_seconds=price_max_age_seconds)

    def next_end(self, moment: datetime) -> datetime:
        """When the day that this moment belongs to ends."""
        return self._boundary.bounds(self._boundary.day_of(moment))[1]

    def close_due(
        self, reading: SettledReading, more: Mapping[str, Decimal], marks: Mapping[str, Mark]
    ) -> Sequence[DayClose]:
        """Close what is over. `more` is what the venue has more than the books by this reading, `marks` its prices.

        Raises `Fenced` and `StoreUnavailable`.
        """
        closes: list[DayClose] = []
        with self._store.read() as connection:
            base = base_of_books(connection, self._account_id)
            if base is None or base.opening.at > reading.at:
                return []
            # A ledger that cannot be read may be readable soon; after that the day is closed without it.
            until = reading.at - NEAR if reading.cash_problem else reading.at
            due = self._due(base.close, base.opening, until)
            if not due:
                return []
            start, since = self._start_after(connection, base.close, base.opening)
            for number, one in enumerate(due):
                end = DayEnd(
                    day=one.day,
                    at=one.at,
                    marks=self._marks_near(connection, one.at, marks),
                    booked=booked_until(connection, self._account_id),
                    venue_units=partial(added, more=more if number == 0 else {}),
                    unproven=_why_unproven(reading, one.at),
                )
                entries = book_entries(connection, self._account_id, since=since, until=one.at)
                close, start = self._maker.close(start, entries, end, written_at=self._clock.now())
                closes.append(close)
                since = one.at
        self._save(closes)
        return closes

    def restate(self) -> Sequence[DayClose]:
        """Compute anew the days for which something was booked late, and all after them. Raises as `close_due` does."""
        with self._store.read() as connection:
            last, opening = last_close(connection, self._account_id), find_opening(connection, self._account_id)
            if last is None or opening is None:
                return []
            late = late_entries(connection, self._account_id, last.booked, before=last.closes_at)
            if not late:
                return []
            closes = self._restated(connection, opening, late)
        self._save(closes)
        return closes

    # -- inside -----------------------------------------------------------------------------------------------------
    def _due(self, last: DayClose | None, opening: OpeningBalances, until: datetime) -> list[_Due]:
        """The days that are over and not closed, oldest first. No day is closed twice when the boundary was changed."""
        begins = opening.at if last is None else last.closes_at
        day, found = self._boundary.day_of(begins), []
        while (ends := self._boundary.bounds(day)[1]) <= until:
            if last is None or day.isoformat() > last.day:
                found.append(_Due(day.isoformat(), ends))
            day += timedelta(days=1)
        return found

    def _start_after(
        self, connection: Connection, last: DayClose | None, opening: OpeningBalances
    ) -> tuple[DayStart, datetime]:
        return start_after(
            connection,
            self._account_id,
            self._currency,
            last,
            opening,
            boundary=self._boundary,
            max_price_age_seconds=self._max_age.total_seconds(),
        )

    def _marks_near(self, connection: Connection, moment: datetime, also: Mapping[str, Mark]) -> dict[str, Mark]:
        """Of each asset the price that was taken nearest to a moment."""
        points = points_of(connection, self._account_id, since=moment - self._max_age, until=moment + self._max_age)
        nearest: dict[str, Mark] = {}
        for marks in (also, *(point.marks for point in points)):
            for asset, mark in marks.items():
                if asset not in nearest or abs(mark.at - moment) < abs(nearest[asset].at - moment):
                    nearest[asset] = mark
        return _fresh(nearest, moment, self._max_age)

    def _restated(
        self, connection: Connection, opening: OpeningBalances, late: Sequence[BookedEntry]
    ) -> list[DayClose]:
        earliest = moment_of(late[0])
        rows = [row for row in closes_of(connection, self._account_id) if row.closes_at > earliest]
        before = close_before(connection, self._account_id, rows[0].day)
        start, since = self._start_after(connection, before, opening)
        closes = []
        for row in rows:
            known_late = late_entries(connection, self._account_id, row.booked, before=row.closes_at)
            end = DayEnd(
                day=row.day,
                at=row.closes_at,
                marks=self._marks_near(connection, row.closes_at, row.marks),
                booked=booked_until(connection, self._account_id),
                venue_units=partial(_units_then, row.units, units_moved(known_late, self._currency)),
                unproven=_still_unproven(row),
                restated=_restated_in_words(known_late, self._clock.now()),
            )
            entries = book_entries(connection, self._account_id, since=since, until=row.closes_at)
            close, start = self._maker.close(start, entries, end, written_at=self._clock.now())
            closes.append(close)
            since = row.closes_at
        return closes

    def _save(self, closes: Sequence[DayClose]) -> None:
        if not closes:
            return

        def work(connection: Connection) -> None:
            self._fence(connection)
            for close in closes:
                save_close(connection, close)

        failpoint("day_closing")
        self._store.write(work)
        failpoint("day_closed")
        for close in closes:
            level = logging.INFO if close.status in (DayStatus.OK, DayStatus.UNPRICED) else logging.WARNING
            because = f": {close.problem}" if close.problem else ""
            log.log(level, "%s: the books of %s are closed, %s%s", self._account_id, close.day, close.status, because)


def start_after(
    connection: Connection,
    account_id: str,
    currency: str,
    last: DayClose | None,
    opening: OpeningBalances,
    *,
    boundary: DayBoundary,
    max_price_age_seconds: float,
) -> tuple[DayStart, datetime]:
    """Where the day after this one begins (None = the first day), and from when on entries are its own.

    What was traded on the first day before balances could be read is that day's all the same: it begins with the first
    trade of the day on which the books began, and money that came before that trade was there at the beginning. What
    was held then is valued at the first prices that were read.
    """
    if last is not None:
        return DayStart(books=from_json(last.books_json), units=last.units, marks=last.marks), last.closes_at
    begins = _first_of_the_day(connection, account_id, opening, boundary)
    books = opened_books(opening, currency)
    apply_all(books, book_entries(connection, account_id, until=begins))
    first = first_point(connection, account_id)
    max_age = timedelta(seconds=max_price_age_seconds)
    marks = {} if first is None else _fresh(first.marks, opening.at, max_age)
    return DayStart(books=books, units=books.units(), marks=marks), begins


def _first_of_the_day(
    connection: Connection, account_id: str, opening: OpeningBalances, boundary: DayBoundary
) -> datetime:
    morning = boundary.bounds(boundary.day_of(opening.at))[0]
    return first_trade_at(connection, account_id, since=morning, until=opening.at) or opening.at


def _fresh(marks: Mapping[str, Mark], moment: datetime, max_age: timedelta) -> dict[str, Mark]:
    return {asset: mark for asset, mark in marks.items() if abs(mark.at - moment) <= max_age}


def _units_then(
    told: Mapping[str, Decimal], moved: Mapping[str, Decimal], books: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """The venue's units at a day's end, now that something of that time was booked late.

    Either the balances that were read had it already, and only the ledger was behind; or the venue took it later, and
    dated it back. Whichever agrees with the books is what happened.
    """
    units = dict(told)
    for asset, change in moved.items():
        as_told, booked = told.get(asset, Decimal(0)), books.get(asset, Decimal(0))
        if abs(as_told + change - booked) < abs(as_told - booked):
            units[asset] = as_told + change
    return units


def _why_unproven(reading: SettledReading, ended_at: datetime) -> str:
    if reading.cash_problem:
        return f"{LEDGER_UNREAD}: {reading.cash_problem}"
    late = reading.at - ended_at
    return f"no settled reading was made until {late.total_seconds() / 3600:.1f} h after its end" if late > NEAR else ""


def _still_unproven(row: DayClose) -> str:
    """That nobody looked in time stays true; that the ledger could not be read does not, once it tells of the day."""
    reason = row.problem.split("; ")[0] if row.status is DayStatus.UNPROVEN else ""
    return "" if reason.startswith(LEDGER_UNREAD) else reason


def _restated_in_words(late: Sequence[BookedEntry], now: datetime) -> str:
    named = ", ".join(entry_in_words(entry) for entry in late[:NAMED_ENTRIES])
    more = f" and {len(late) - NAMED_ENTRIES} more" if len(late) > NAMED_ENTRIES else ""
    what = f"with what was booked late: {named}{more}" if late else "with the day before"
    return f"computed anew at {now:%F %H:%M} UTC {what}"
