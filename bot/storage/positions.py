"""Rows of open positions: built from fills alone, gone when nothing is left."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from bot.domain.position import Position
from bot.storage.exit_plans import exit_plan_columns, exit_plan_of
from bot.storage.schema import position

_PLAIN_COLUMNS = ["account_id", "symbol", "quantity", "average_entry_price", "highest_price", "opened_at", "signal_id"]


def positions_of(connection: Connection, account_id: str) -> Sequence[Position]:
    query = select(position).where(position.c.account_id == account_id).order_by(position.c.opened_at)
    return [_position(row) for row in connection.execute(query)]


def find_position(connection: Connection, account_id: str, symbol: str) -> Position | None:
    row = connection.execute(select(position).where(*_key(account_id, symbol))).first()
    return None if row is None else _position(row)


def save_position(connection: Connection, item: Position) -> None:
    """Insert or overwrite; a position of zero is deleted."""
    if item.quantity <= 0:
        connection.execute(delete(position).where(*_key(item.account_id, item.symbol)))
        return
    values = {name: getattr(item, name) for name in _PLAIN_COLUMNS} | exit_plan_columns(item.exit_plan)
    changed = connection.execute(update(position).where(*_key(item.account_id, item.symbol)).values(values))
    if not changed.rowcount:
        connection.execute(insert(position).values(values))


def raise_highest_price(connection: Connection, account_id: str, symbol: str, price: Decimal) -> None:
    """Remember the best price seen, for the trailing stop."""
    connection.execute(update(position).where(*_key(account_id, symbol)).values(highest_price=price))


def _key(account_id: str, symbol: str) -> tuple[Any, Any]:
    return position.c.account_id == account_id, position.c.symbol == symbol


def _position(row: Row[Any]) -> Position:
    return Position(exit_plan=exit_plan_of(row), **{name: getattr(row, name) for name in _PLAIN_COLUMNS})
