"""Rows of symbols that one account does not enter: somebody traded them by hand, and has not said what follows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from bot.storage.schema import symbol_pause

_ONE = select(symbol_pause.c.reason).where(
    symbol_pause.c.account_id == bindparam("account_id"), symbol_pause.c.symbol == bindparam("symbol")
)
_OF_SYMBOL = select(symbol_pause.c.account_id, symbol_pause.c.reason).where(
    symbol_pause.c.symbol == bindparam("symbol")
)


def pause_symbol(connection: Connection, account_id: str, symbol: str, *, reason: str, now: datetime) -> bool:
    """No copied entries of this symbol from now on; False when it was paused before (the first reason stays)."""
    if pause_reason(connection, account_id, symbol):
        return False
    connection.execute(insert(symbol_pause).values(account_id=account_id, symbol=symbol, reason=reason, since=now))
    return True


def resume_symbol(connection: Connection, account_id: str, symbol: str) -> bool:
    """Entries may be copied again; False when it was not paused."""
    query = delete(symbol_pause).where(symbol_pause.c.account_id == account_id, symbol_pause.c.symbol == symbol)
    return bool(connection.execute(query).rowcount)


def pause_reason(connection: Connection, account_id: str, symbol: str) -> str:
    """Why this symbol is paused for the account, or an empty text."""
    return connection.execute(_ONE, {"account_id": account_id, "symbol": symbol}).scalar() or ""


def reasons_of(connection: Connection, symbol: str) -> Mapping[str, str]:
    """By account: why this symbol is paused for it. Who has no pause is not in it."""
    return dict(connection.execute(_OF_SYMBOL, {"symbol": symbol}).all())


def pauses(connection: Connection) -> Sequence[Row[Any]]:
    """All pauses, oldest first."""
    return connection.execute(select(symbol_pause).order_by(symbol_pause.c.since)).all()
