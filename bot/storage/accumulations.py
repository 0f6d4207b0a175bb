"""Rows of accumulation: a user's shares of entries that were too small to be bought, kept until they are enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from bot.storage.schema import accumulation

_OF_SYMBOL = select(accumulation).where(accumulation.c.symbol == bindparam("the_symbol"))
_IS = (accumulation.c.account_id == bindparam("the_account"), accumulation.c.symbol == bindparam("the_symbol"))
_REMOVE = delete(accumulation).where(*_IS)
_CHANGE = update(accumulation).where(*_IS)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept of one market for one user: base units; zero = nothing any more."""

    account_id: str
    symbol: str
    quantity: Decimal
    since: datetime
    expires_at: datetime


def kept_of(connection: Connection, symbol: str) -> Mapping[str, Kept]:
    """What is kept of this market, by account, whether or not its time is over."""
    rows = connection.execute(_OF_SYMBOL, {"the_symbol": symbol})
    return {row.account_id: Kept(**row._mapping) for row in rows}


def keep(connection: Connection, items: Sequence[Kept]) -> None:
    """Write each over what was kept before."""
    for item in items:
        key = {"the_account": item.account_id, "the_symbol": item.symbol}
        if item.quantity <= 0:
            connection.execute(_REMOVE, key)
            continue
        values = {"quantity": item.quantity, "since": item.since, "expires_at": item.expires_at}
        if not connection.execute(_CHANGE, key | values).rowcount:
            row = {"account_id": item.account_id, "symbol": item.symbol, **values}
            connection.execute(insert(accumulation), row)
