"""Rows of a flatten: what it did for each market of each account, and what the venue says is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, select, update

from bot.domain.order import IntentState
from bot.storage.schema import flatten_result, order_intent

# The row of the account as a whole.
ACCOUNT = ""


class FlattenState(StrEnum):
    WORKING = "working"
    DONE = "done"  # nothing of ours is held, says the venue's own list
    LEFT = "left"  # nothing more can be sold, and something is left; why is in words


@dataclass(frozen=True, kw_only=True)
class FlattenResult:
    """`left_quantity` is what the venue says it holds of the market's base asset, whoever bought it; None = unknown."""

    halt_id: int
    account_id: str
    symbol: str
    state: FlattenState
    cancelled_orders: int
    sold_quantity: Decimal
    left_quantity: Decimal | None
    why: str
    started_at: datetime
    updated_at: datetime


_KEY = and_(
    flatten_result.c.halt_id == bindparam("the_halt"),
    flatten_result.c.account_id == bindparam("the_account"),
    flatten_result.c.symbol == bindparam("the_symbol"),
)
_OF_ACCOUNT = (
    select(flatten_result)
    .where(flatten_result.c.halt_id == bindparam("halt_id"), flatten_result.c.account_id == bindparam("account_id"))
    .order_by(flatten_result.c.symbol)
)
_CANCELLED = (
    select(order_intent.c.symbol, func.count())
    .where(
        order_intent.c.account_id == bindparam("account_id"),
        order_intent.c.cancel_requested_at >= bindparam("since"),
        order_intent.c.state == str(IntentState.CANCELLED),
    )
    .group_by(order_intent.c.symbol)
)


def results_of(connection: Connection, halt_id: int, account_id: str | None = None) -> Sequence[FlattenResult]:
    """Of one account, or (None) of all, in the order of accounts and symbols."""
    if account_id is not None:
        return [_result(row) for row in connection.execute(_OF_ACCOUNT, _names(halt_id, account_id))]
    query = (
        select(flatten_result)
        .where(flatten_result.c.halt_id == halt_id)
        .order_by(flatten_result.c.account_id, flatten_result.c.symbol)
    )
    return [_result(row) for row in connection.execute(query)]


def save_result(connection: Connection, result: FlattenResult) -> None:
    """Insert or overwrite; the time of the beginning stays the first."""
    values = {
        "state": str(result.state),
        "cancelled_orders": result.cancelled_orders,
        "sold_quantity": result.sold_quantity,
        "left_quantity": result.left_quantity,
        "why": result.why,
        "updated_at": result.updated_at,
    }
    key = {"the_halt": result.halt_id, "the_account": result.account_id, "the_symbol": result.symbol}
    if connection.execute(update(flatten_result).where(_KEY), key | values).rowcount:
        return
    names = _names(result.halt_id, result.account_id) | {"symbol": result.symbol, "started_at": result.started_at}
    connection.execute(insert(flatten_result), names | values)


def cancelled_since(connection: Connection, account_id: str, since: datetime) -> dict[str, int]:
    """How many orders of ours were cancelled on request since then, by symbol: counted in the books, not kept."""
    rows = connection.execute(_CANCELLED, {"account_id": account_id, "since": since})
    return {symbol: int(number) for symbol, number in rows}


def _names(halt_id: int, account_id: str) -> dict[str, Any]:
    return {"halt_id": halt_id, "account_id": account_id}


def _result(row: Row[Any]) -> FlattenResult:
    values = {column: value for column, value in row._mapping.items() if column != "state"}
    return FlattenResult(state=FlattenState(row.state), **values)
