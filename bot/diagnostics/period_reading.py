"""Reads figures of the books from the store: the closed days, and the running one up to the last settled reading."""

from sqlalchemy import Connection

from bot.diagnostics.chosen_days import ChosenDays, boundary_of
from bot.diagnostics.listed_accounts import ListedAccount
from bot.diagnostics.listed_accounts import UnknownName as UnknownName
from bot.diagnostics.listed_accounts import accounts_of_user as accounts_of_user
from bot.diagnostics.listed_accounts import listed_accounts as listed_accounts
from bot.diagnostics.period_figures import AccountPeriod, Beginning
from bot.diagnostics.running_day import day_start, last_reading, running_day
from bot.settings import Settings
from bot.storage.day_closes import DayClose, closes_of
from bot.storage.equity_points import newest_point
from bot.storage.opening_balances import find_opening


def read_period(
    connection: Connection, account: ListedAccount, chosen: ChosenDays, settings: Settings
) -> AccountPeriod:
    """The account's figures of the chosen days."""
    days = list(closes_of(connection, account.account_id, chosen.first_text, chosen.last_text))
    running = _running(connection, account.account_id, chosen, settings)
    if running is not None:
        days.append(running)
    if not days:
        return AccountPeriod(account=account, days=(), missing=_why_nothing(connection, account, chosen))
    opening = _beginning(connection, account, days[0].day, settings)
    return AccountPeriod(account=account, days=days, opening=opening, running=running is not None)


def _running(connection: Connection, account_id: str, chosen: ChosenDays, settings: Settings) -> DayClose | None:
    boundary = boundary_of(settings)
    point = last_reading(connection, account_id)
    if point is None or not chosen.holds(boundary.day_of(point.at)):
        return None
    return running_day(connection, account_id, boundary, max_price_age_seconds=settings.books.price_max_age_seconds)


def _beginning(connection: Connection, account: ListedAccount, day: str, settings: Settings) -> Beginning | None:
    """The end of the day before; of the first day, its first trade or the reading with which the books began."""
    begun = day_start(
        connection,
        account.account_id,
        account.currency,
        boundary_of(settings),
        max_price_age_seconds=settings.books.price_max_age_seconds,
        day=day,
    )
    return None if begun is None else Beginning(begun[1], begun[0].units, begun[0].marks)


def _why_nothing(connection: Connection, account: ListedAccount, chosen: ChosenDays) -> str:
    opening = find_opening(connection, account.account_id)
    if opening is None:
        return "its books have not begun: its balances have not been read yet while nothing was under way"
    point = newest_point(connection, account.account_id)
    until = "" if point is None else f" and it was last read at {point.at:%Y-%m-%d %H:%M} UTC"
    return f"nothing is known of {chosen.words}: its books began at {opening.at:%Y-%m-%d %H:%M} UTC{until}"
