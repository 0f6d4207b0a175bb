"""Rows of signals: confirmed fills of masters, waiting to be planned for the users."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from bot.domain.account import BrokerType
from bot.domain.order import OrderKind, Side
from bot.domain.signal import TradeSignal
from bot.storage import wakeups
from bot.storage.exit_plans import exit_plan_columns, exit_plan_of
from bot.storage.schema import signal

_PLAIN_COLUMNS = ["signal_id", "symbol", "size", "quantity", "reference_price", "master_balance", "executed_at"]

# Written once: most of the time of a small statement goes into composing it.
_ADD = insert(signal)
_CLAIM = update(signal).where(signal.c.signal_id == bindparam("the_signal"), signal.c.planned_at.is_(None))
_BATCHES = select(func.count()).where(
    signal.c.account_id == bindparam("account_id"), signal.c.venue_order_id == bindparam("venue_order_id")
)
_BY_ID = select(signal).where(signal.c.signal_id == bindparam("signal_id"))
_UNPLANNED = (
    select(signal)
    .where(signal.c.broker == bindparam("broker"), signal.c.planned_at.is_(None))
    .order_by(signal.c.sequence)
)
_PLANNED_AMONG = select(signal.c.signal_id).where(
    signal.c.signal_id.in_(bindparam("signal_ids", expanding=True)), signal.c.planned_at.is_not(None)
)
_NEWEST_SEQUENCE = select(func.coalesce(func.max(signal.c.sequence), 0))


def add_signal(
    connection: Connection,
    item: TradeSignal,
    *,
    account_id: str,
    venue_order_id: str | None,
    batch: int,
    now: datetime,
) -> bool:
    """Write a signal; False when it is there already."""
    if find_signal(connection, item.signal_id) is not None:
        return False
    connection.execute(
        _ADD,
        {name: getattr(item, name) for name in _PLAIN_COLUMNS}
        | exit_plan_columns(item.exit_plan)
        | {
            "sequence": newest_sequence(connection) + 1,
            "broker": str(item.broker),
            "account_id": account_id,
            "side": str(item.side),
            "kind": str(item.kind),
            "venue_order_id": venue_order_id,
            "batch": batch,
            "created_at": now,
        },
    )
    wakeups.tell(connection, wakeups.SIGNAL)
    return True


def batches_of_order(connection: Connection, account_id: str, venue_order_id: str) -> int:
    """How many signals one master order has made so far."""
    key = {"account_id": account_id, "venue_order_id": venue_order_id}
    return int(connection.execute(_BATCHES, key).scalar_one())


def find_signal(connection: Connection, signal_id: str) -> TradeSignal | None:
    row = connection.execute(_BY_ID, {"signal_id": signal_id}).first()
    return None if row is None else signal_of(row)


def newest_sequence(connection: Connection) -> int:
    """The sequence of the signal made last; 0 before the first."""
    return int(connection.execute(_NEWEST_SEQUENCE).scalar_one())


def sequence_of(connection: Connection, signal_id: str) -> int:
    """A signal's place in the order of making."""
    return int(connection.execute(_BY_ID, {"signal_id": signal_id}).one().sequence)


def unplanned(connection: Connection, broker: BrokerType) -> Sequence[TradeSignal]:
    """Signals of this brokerage that no plan exists for yet, in the order of their making."""
    return [signal_of(row) for row in connection.execute(_UNPLANNED, {"broker": str(broker)})]


def planned_among(connection: Connection, signal_ids: Sequence[str]) -> frozenset[str]:
    """Those of these signals for which there is a plan."""
    return frozenset(connection.execute(_PLANNED_AMONG, {"signal_ids": list(signal_ids)}).scalars())


def claim_for_planning(connection: Connection, signal_id: str, *, at: datetime) -> bool:
    """Mark the signal planned; False when somebody already did. Goes into the same transaction as the plan."""
    return bool(connection.execute(_CLAIM, {"the_signal": signal_id, "planned_at": at}).rowcount)


def signal_of(row: Row[Any]) -> TradeSignal:
    return TradeSignal(
        broker=BrokerType(row.broker),
        side=Side(row.side),
        kind=OrderKind(row.kind),
        exit_plan=exit_plan_of(row),
        **{name: getattr(row, name) for name in _PLAIN_COLUMNS},
    )
