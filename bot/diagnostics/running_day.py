"""The day that has not ended: computed as the account's thread will close it, with its last reading for an end."""

from datetime import datetime

from sqlalchemy import Connection

from bot.books.days import DayBoundary
from bot.execution.book_days import start_after
from bot.execution.day_closing import DayEnd, DayMaker, DayStart
from bot.storage.book_entries import book_entries, booked_until
from bot.storage.day_closes import DayClose, close_before, last_close
from bot.storage.equity_points import EquityPoint, newest_point
from bot.storage.opening_balances import find_opening

_AFTER_ALL_DAYS = "9999-99-99"
UNSETTLED = "orders were under way at the last reading, so its balances prove nothing yet"


def last_reading(connection: Connection, account_id: str) -> EquityPoint | None:
    """The reading that the running day ends with for now: the last settled one after the last closed day.

    If there is none, the last one after it; None when there is none at all.
    """
    last = last_close(connection, account_id)
    for settled in (True, False):
        point = newest_point(connection, account_id, settled=settled)
        if point is not None and (last is None or point.at > last.closes_at):
            return point
    return None


def running_day(
    connection: Connection, account_id: str, boundary: DayBoundary, *, max_price_age_seconds: float
) -> DayClose | None:
    """What has been made since the last closed day, in a row like its rows; None when nothing was read since."""
    point = last_reading(connection, account_id)
    if point is None:
        return None
    begun = day_start(connection, account_id, point.currency, boundary, max_price_age_seconds=max_price_age_seconds)
    if begun is None or begun[1] > point.at:
        return None
    start, since = begun
    end = DayEnd(
        day=boundary.day_of(point.at).isoformat(),
        at=point.at,
        marks=point.marks,
        booked=booked_until(connection, account_id),
        venue_units=lambda books: point.units if point.settled else books,
        unproven="" if point.settled else UNSETTLED,
    )
    maker = DayMaker(account_id=account_id, max_price_age_seconds=max_price_age_seconds)
    entries = book_entries(connection, account_id, since=since, until=point.at)
    return maker.close(start, entries, end, written_at=point.at)[0]


def day_start(
    connection: Connection,
    account_id: str,
    currency: str,
    boundary: DayBoundary,
    *,
    max_price_age_seconds: float,
    day: str = _AFTER_ALL_DAYS,
) -> tuple[DayStart, datetime] | None:
    """Where a day (or the running one) begins, and from when on its entries count; None = the books have not begun."""
    opening = find_opening(connection, account_id)
    if opening is None:
        return None
    before = close_before(connection, account_id, day)
    return start_after(
        connection,
        account_id,
        currency,
        before,
        opening,
        boundary=boundary,
        max_price_age_seconds=max_price_age_seconds,
    )
