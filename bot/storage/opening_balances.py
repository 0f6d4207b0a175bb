"""Rows of opening balances: what was there before everything that the books know of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, insert, select, update

from bot.domain.cash_event import CashEvent
from bot.storage.schema import opening_balance

_ALL = select(opening_balance).where(opening_balance.c.account_id == bindparam("account_id"))
_ADD = insert(opening_balance)
_CHANGE = update(opening_balance).where(
    opening_balance.c.account_id == bindparam("the_account"), opening_balance.c.asset == bindparam("the_asset")
)


@dataclass(frozen=True)
class OpeningBalances:
    """Units by asset, and when the venue said them. What was booked by then is not in them: it is replayed on top.

    The account's own currency is always among them, so that one who had nothing at all has a row too.
    """

    at: datetime
    units: Mapping[str, Decimal]


def find_opening(connection: Connection, account_id: str) -> OpeningBalances | None:
    """None = the books of this account have not begun: no settled reading was made yet."""
    rows = connection.execute(_ALL, {"account_id": account_id}).all()
    if not rows:
        return None
    return OpeningBalances(rows[0].at, {row.asset: row.units for row in rows})


def save_opening(connection: Connection, account_id: str, opening: OpeningBalances) -> None:
    """Once for each account: books begin once."""
    if not opening.units:
        raise ValueError(f"{account_id}: the units of its own currency are missing, even if there are none")
    for asset, quantity in opening.units.items():
        connection.execute(_ADD, {"account_id": account_id, "asset": asset, "units": quantity, "at": opening.at})


def take_out(connection: Connection, account_id: str, events: Iterable[CashEvent]) -> None:
    """These were told after the books began: what was before that is in the balances already, and must not count twice.

    Nothing happens while the books have not begun.
    """
    opening = find_opening(connection, account_id)
    for event in events:
        if opening is None or event.at >= opening.at:
            continue
        left = opening.units.get(event.asset)
        units = (left or Decimal(0)) - event.change
        keys = {"the_account": account_id, "the_asset": event.asset}
        if left is None:
            values = {"account_id": account_id, "asset": event.asset, "units": units, "at": opening.at}
            connection.execute(_ADD, values)
        else:
            connection.execute(_CHANGE, keys | {"units": units})
        opening = OpeningBalances(opening.at, {**opening.units, event.asset: units})
