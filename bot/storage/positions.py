"""Rows of open positions: built from fills alone, gone when nothing is left."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Text, bindparam, delete, insert, select, type_coerce, update

from bot.domain.account import BrokerType
from bot.domain.position import Position
from bot.storage.exit_plans import exit_plan_columns, exit_plan_of
from bot.storage.schema import account, position

_PLAIN_COLUMNS = [
    "account_id",
    "symbol",
    "quantity",
    "owed_quantity",
    "average_entry_price",
    "highest_price",
    "opened_at",
    "signal_id",
]
_ONE = select(position).where(
    position.c.account_id == bindparam("account_id"), position.c.symbol == bindparam("symbol")
)
_CHANGE = update(position).where(
    position.c.account_id == bindparam("the_account"), position.c.symbol == bindparam("the_symbol")
)
_ADD = insert(position)
# As text: a thousand accounts have thousands of positions, and a column's own conversion costs more than the reading.
_COSTS = (
    select(
        position.c.account_id,
        position.c.symbol,
        type_coerce(position.c.quantity, Text),
        type_coerce(position.c.average_entry_price, Text),
    )
    .join(account, account.c.account_id == position.c.account_id)
    .where(account.c.broker == bindparam("broker"))
)
_HOLDERS = select(position.c.account_id).where(position.c.symbol == bindparam("symbol"))
_SYMBOLS = select(position.c.symbol).where(position.c.account_id == bindparam("account_id"))
_ALL = select(position).where(position.c.account_id == bindparam("account_id")).order_by(position.c.opened_at)


def positions_of(connection: Connection, account_id: str) -> Sequence[Position]:
    return [_position(row) for row in connection.execute(_ALL, {"account_id": account_id})]


def readable_positions_of(connection: Connection, account_id: str) -> tuple[Sequence[Position], Sequence[str]]:
    """Those whose rows make sense, oldest first, and the symbols of the others: one bad row hides no other position."""
    try:
        return positions_of(connection, account_id), ()
    except (ValueError, ArithmeticError):
        found, unreadable = [], []
    for symbol in symbols_held(connection, account_id):
        try:
            one = find_position(connection, account_id, symbol)
        except (ValueError, ArithmeticError):
            unreadable.append(symbol)
        else:
            found += [] if one is None else [one]
    return sorted(found, key=lambda one: one.opened_at), unreadable


def symbols_held(connection: Connection, account_id: str) -> Sequence[str]:
    """Of every position, also of one whose row cannot be read."""
    return list(connection.execute(_SYMBOLS, {"account_id": account_id}).scalars())


def find_position(connection: Connection, account_id: str, symbol: str) -> Position | None:
    row = connection.execute(_ONE, {"account_id": account_id, "symbol": symbol}).first()
    return None if row is None else _position(row)


def costs_of_brokerage(connection: Connection, broker: BrokerType) -> Mapping[str, Mapping[str, Decimal]]:
    """What the positions of each account of the brokerage have cost, by account and symbol (quote units).

    Raises what a row that cannot be read raises.
    """
    costs: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for account_id, symbol, quantity, price in connection.execute(_COSTS, {"broker": str(broker)}).all():
        costs[account_id][symbol] = Decimal(quantity) * Decimal(price)
    return costs


def holders_of(connection: Connection, symbol: str) -> frozenset[str]:
    """Accounts that hold a position of this symbol."""
    return frozenset(connection.execute(_HOLDERS, {"symbol": symbol}).scalars())


def save_position(connection: Connection, item: Position) -> None:
    """Insert or overwrite; a position of zero is deleted."""
    if item.quantity <= 0:
        close_position(connection, item.account_id, item.symbol)
        return
    values = {name: getattr(item, name) for name in _PLAIN_COLUMNS} | exit_plan_columns(item.exit_plan)
    key = {"the_account": item.account_id, "the_symbol": item.symbol}
    if not connection.execute(_CHANGE, key | values).rowcount:
        connection.execute(_ADD, values)


def close_position(connection: Connection, account_id: str, symbol: str) -> None:
    """Nothing of it is held for us any more."""
    connection.execute(delete(position).where(*_key(account_id, symbol)))


def raise_highest_price(connection: Connection, account_id: str, symbol: str, price: Decimal) -> None:
    """Remember the best price seen, for the trailing stop."""
    connection.execute(update(position).where(*_key(account_id, symbol)).values(highest_price=price))


def owe(connection: Connection, account_id: str, symbol: str, quantity: Decimal) -> None:
    """Set what mirrored exits should have sold and could not (base units)."""
    connection.execute(update(position).where(*_key(account_id, symbol)).values(owed_quantity=quantity))


def _key(account_id: str, symbol: str) -> tuple[Any, Any]:
    return position.c.account_id == account_id, position.c.symbol == symbol


def _position(row: Row[Any]) -> Position:
    return Position(exit_plan=exit_plan_of(row), **{name: getattr(row, name) for name in _PLAIN_COLUMNS})
