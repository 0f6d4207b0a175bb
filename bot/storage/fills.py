"""Rows of fills: the ledger of what the venues say was traded. It only grows."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from bot.domain.account import AccountRef
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.position import Position
from bot.domain.symbol import quote_of
from bot.storage.schema import account, fill, fill_cursor

_KNOWN = select(fill.c.trade_id).where(
    *[fill.c[name] == bindparam(name) for name in ("broker", "account_id", "symbol", "trade_id")]
)
_ADD = insert(fill)
_NEXT_SEQUENCE = select(func.coalesce(func.max(fill.c.sequence), 0) + 1)
_OF_ORDER = select(fill.c.quantity, fill.c.price).where(
    fill.c.account_id == bindparam("account_id"), fill.c.venue_order_id == bindparam("venue_order_id")
)

_CURSOR = select(fill_cursor.c.last_executed_at).where(fill_cursor.c.account_id == bindparam("account_id"))


def add_fill(
    connection: Connection, ref: AccountRef, item: Fill, *, client_order_id: str | None, now: datetime
) -> bool:
    """Write a fill; False when the venue reported it before."""
    if is_booked(connection, ref, item):
        return False
    connection.execute(
        _ADD,
        _key(ref, item)
        | {
            "venue_order_id": item.venue_order_id,
            "client_order_id": client_order_id,
            "side": str(item.side),
            "quantity": item.quantity,
            "price": item.price,
            "fee": item.fee,
            "fee_currency": item.fee_currency,
            "executed_at": item.executed_at,
            "recorded_at": now,
            "sequence": connection.execute(_NEXT_SEQUENCE).scalar_one(),
        },
    )
    return True


def is_booked(connection: Connection, ref: AccountRef, item: Fill) -> bool:
    """Whether the ledger has this trade."""
    return connection.execute(_KNOWN, _key(ref, item)).first() is not None


def _key(ref: AccountRef, item: Fill) -> dict[str, str]:
    return {
        "broker": str(ref.broker),
        "account_id": ref.label,
        "symbol": item.symbol,
        "trade_id": item.trade_id,
    }


def booked_of_order(connection: Connection, account_id: str, venue_order_id: str) -> tuple[Decimal, Decimal]:
    """(base quantity, quote notional) booked for one venue order."""
    quantity = notional = Decimal(0)
    for row in connection.execute(_OF_ORDER, {"account_id": account_id, "venue_order_id": venue_order_id}):
        quantity += row.quantity
        notional += row.quantity * row.price
    return quantity, notional


def first_executed_at(connection: Connection, account_id: str, venue_order_id: str) -> datetime | None:
    """When the first booked trade of one venue order was executed."""
    query = select(func.min(fill.c.executed_at)).where(
        fill.c.account_id == account_id, fill.c.venue_order_id == venue_order_id
    )
    return connection.execute(query).scalar()


def cash_moved(connection: Connection, account_id: str, currency: str, *, after: datetime, before: datetime) -> Decimal:
    """What the booked trades between two moments have changed of one currency, their fees among it."""
    rows = connection.execute(
        select(fill.c.symbol, fill.c.side, fill.c.quantity, fill.c.price, fill.c.fee, fill.c.fee_currency).where(
            fill.c.account_id == account_id, fill.c.executed_at > after, fill.c.executed_at < before
        )
    )
    moved = Decimal(0)
    for row in rows:
        if quote_of(row.symbol) == currency:
            notional = row.quantity * row.price
            moved += notional if row.side == str(Side.SELL) else -notional
        if row.fee_currency == currency:
            moved -= row.fee
    return moved


def fills_of_position(connection: Connection, item: Position) -> Sequence[Fill]:
    """The booked trades of a position since its first lot, in the order of booking.

    All of a master's make its lots; of a user's those of orders of ours.
    """
    of_it = fill.c.account_id == item.account_id, fill.c.symbol == item.symbol
    first = connection.execute(
        select(func.min(fill.c.sequence)).where(
            *of_it, fill.c.side == str(Side.BUY), fill.c.executed_at == item.opened_at
        )
    ).scalar()
    since = fill.c.executed_at >= item.opened_at if first is None else fill.c.sequence >= first
    ours = fill.c.client_order_id.is_not(None) | account.c.user_id.is_(None)
    query = select(fill).join(account, account.c.account_id == fill.c.account_id).where(*of_it, since, ours)
    return [_fill(row) for row in connection.execute(query.order_by(fill.c.sequence))]


def _fill(row: Row[Any]) -> Fill:
    return Fill(
        trade_id=row.trade_id,
        venue_order_id=row.venue_order_id,
        symbol=row.symbol,
        side=Side(row.side),
        quantity=row.quantity,
        price=row.price,
        fee=row.fee,
        fee_currency=row.fee_currency,
        executed_at=row.executed_at,
    )


def last_recorded_at(connection: Connection, account_id: str, symbol: str) -> datetime | None:
    """When the account's newest fill of this symbol was booked."""
    query = select(func.max(fill.c.recorded_at)).where(fill.c.account_id == account_id, fill.c.symbol == symbol)
    return connection.execute(query).scalar()


def was_traded_since(connection: Connection, account_id: str, symbol: str, moment: datetime) -> bool:
    """Whether a trade of this symbol that is booked was executed later than that."""
    query = select(func.max(fill.c.executed_at)).where(fill.c.account_id == account_id, fill.c.symbol == symbol)
    newest: datetime | None = connection.execute(query).scalar()
    return newest is not None and newest > moment


def last_executed_at(connection: Connection, account_id: str) -> datetime | None:
    """The time of the newest fill handled: where the next reading starts, less an overlap. Never "now"."""
    return connection.execute(_CURSOR, {"account_id": account_id}).scalar()


def advance_cursor(connection: Connection, account_id: str, moment: datetime) -> None:
    """Move the cursor forward; it never goes back."""
    old = last_executed_at(connection, account_id)
    if old is None:
        connection.execute(insert(fill_cursor).values(account_id=account_id, last_executed_at=moment))
    elif moment > old:
        connection.execute(
            update(fill_cursor).where(fill_cursor.c.account_id == account_id).values(last_executed_at=moment)
        )
