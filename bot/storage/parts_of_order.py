"""Signals that are parts of one wish of a master: batches of fills of one order, and the orders of one chain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, bindparam, func, select

from bot.storage.schema import copy_result, order_intent, signal

masters_intent = order_intent.alias("masters_intent")
# Beside a signal: the master's own order behind it, if the bot has placed it.
IS_MASTERS = (masters_intent.c.account_id == signal.c.account_id) & (
    masters_intent.c.venue_order_id == signal.c.venue_order_id
)
# What all parts of one wish have in common; none = written by hand.
MASTERS_WISH = func.coalesce(masters_intent.c.chain_id, signal.c.venue_order_id)

_SIGNAL = (
    select(
        signal.c.account_id, signal.c.sequence, signal.c.batch, signal.c.venue_order_id, masters_intent.c.chain_id
    )
    .join(masters_intent, IS_MASTERS, isouter=True)
    .where(signal.c.signal_id == bindparam("signal_id"))
)  # fmt: skip
_ORDERS = select(order_intent.c.venue_order_id).where(
    order_intent.c.chain_id == bindparam("chain_id"), order_intent.c.venue_order_id.is_not(None)
)
_EARLIER = (
    select(signal.c.signal_id)
    .where(
        signal.c.account_id == bindparam("account_id"),
        signal.c.venue_order_id.in_(bindparam("orders", expanding=True)),
        signal.c.sequence < bindparam("sequence"),
    )
    .order_by(signal.c.sequence)
)
_COPIES = (
    select(
        copy_result.c.account_id, copy_result.c.ratio, copy_result.c.capped_quantity, copy_result.c.planned_quantity
    )
    .join(signal, signal.c.signal_id == copy_result.c.signal_id)
    .where(
        copy_result.c.signal_id.in_(bindparam("signals", expanding=True)), copy_result.c.capped_quantity.is_not(None)
    )
    .order_by(signal.c.sequence)
)  # fmt: skip


@dataclass(frozen=True)
class SizedBefore:
    """What came of the earlier parts for one user. Base units; `ratio` is that of the first one that was sized.

    `due` is what caps and cash have left of its shares, `planned` what was ordered of that.
    """

    ratio: Decimal | None
    due: Decimal
    planned: Decimal


def sized_before(connection: Connection, signal_id: str) -> Mapping[str, SizedBefore]:
    """By account, of the parts before this one; who was not sized in any of them is not in it."""
    earlier = _earlier_parts(connection, signal_id)
    if not earlier:
        return {}
    found: dict[str, SizedBefore] = {}
    for row in connection.execute(_COPIES, {"signals": earlier}):
        before = found.get(row.account_id) or SizedBefore(row.ratio, Decimal(0), Decimal(0))
        planned = before.planned + (row.planned_quantity or Decimal(0))
        found[row.account_id] = SizedBefore(before.ratio, before.due + row.capped_quantity, planned)
    return found


def _earlier_parts(connection: Connection, signal_id: str) -> Sequence[str]:
    """Ids of the signals of the same wish that were made before, the first one first."""
    row = connection.execute(_SIGNAL, {"signal_id": signal_id}).first()
    if row is None or row.venue_order_id is None or (row.batch == 0 and row.chain_id is None):
        return []
    keys = {
        "account_id": row.account_id,
        "sequence": row.sequence,
        "orders": _orders_of(connection, row.chain_id, row.venue_order_id),
    }
    return connection.execute(_EARLIER, keys).scalars().all()


def _orders_of(connection: Connection, chain_id: str | None, venue_order_id: str) -> Sequence[str]:
    """The venue's names of the orders of a chain, or of the one order that is in none."""
    if chain_id is None:
        return [venue_order_id]
    return sorted({venue_order_id, *connection.execute(_ORDERS, {"chain_id": chain_id}).scalars()})
