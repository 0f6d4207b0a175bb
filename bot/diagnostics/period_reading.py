"""Reads figures of the books from the store: the closed days, and the running one up to the last settled reading."""

import difflib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from bot.diagnostics.chosen_days import ChosenDays, boundary_of
from bot.diagnostics.period_figures import AccountPeriod, Beginning, ListedAccount
from bot.diagnostics.running_day import day_start, last_reading, running_day
from bot.domain.account import BrokerType
from bot.settings import Settings
from bot.storage.accounts import states
from bot.storage.day_closes import DayClose, closes_of
from bot.storage.equity_points import newest_point
from bot.storage.opening_balances import find_opening


class UnknownName(Exception):
    """There is no such account or user. The message says which there are."""


def listed_accounts(connection: Connection, settings: Settings, only: str | None = None) -> Sequence[ListedAccount]:
    """Every account ever seen, masters first; or the one with this label. Raises `UnknownName`."""
    known = [_listed(row, settings) for row in states(connection)]
    if only is None:
        return known
    found = [account for account in known if account.account_id == only]
    if not found:
        raise UnknownName(_no_such("account", only, [account.account_id for account in known]))
    return found


def accounts_of_user(connection: Connection, settings: Settings, user_id: str) -> Sequence[ListedAccount]:
    """A user's accounts, one per brokerage. Raises `UnknownName`."""
    known = listed_accounts(connection, settings)
    found = [account for account in known if account.user_id == user_id]
    if not found:
        users = sorted({account.user_id for account in known if account.user_id})
        raise UnknownName(_no_such("user", user_id, users))
    return found


def _listed(row: Row[Any], settings: Settings) -> ListedAccount:
    return ListedAccount(
        account_id=row.account_id,
        name=row.name,
        broker=row.broker,
        user_id=row.user_id,
        currency=row.quote_currency or settings.quote_currency_of(BrokerType(row.broker)),
    )


def _no_such(what: str, wanted: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"There is no {what} {wanted!r}. There are: {', '.join(known) or 'none yet'}.{meant}"


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
