"""Rows of orders of ours. The state machine is enforced here: an illegal move is refused, never stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from bot.domain.order import (
    FINAL_STATES,
    IntentState,
    OrderKind,
    OrderRequest,
    OrderType,
    Side,
    may_move,
)
from bot.domain.position import ExitPlan
from bot.storage.exit_plans import exit_plan_columns, exit_plan_of
from bot.storage.schema import order_event, order_intent


class IllegalMove(Exception):
    """A change of state that the life of an order does not know."""


@dataclass(frozen=True, kw_only=True)
class OrderIntent:
    """One order of ours as it is written down. `decision` says in words why it exists."""

    client_order_id: str
    account_id: str
    signal_id: str | None
    decision: str
    symbol: str
    side: Side
    kind: OrderKind
    order_type: OrderType
    quantity: Decimal
    limit_price: Decimal | None
    balance_before: Decimal | None
    exit_plan: ExitPlan
    created_at: datetime
    state: IntentState = IntentState.CREATED
    reason: str = ""
    sent_at: datetime | None = None
    settle_at: datetime | None = None
    empty_lookups: int = 0
    last_lookup_at: datetime | None = None
    venue_order_id: str | None = None
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None

    def request(self) -> OrderRequest:
        """What goes to the venue."""
        return OrderRequest(
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            kind=self.kind,
            order_type=self.order_type,
            quantity=self.quantity,
            limit_price=self.limit_price,
        )


_PLAIN_COLUMNS = [
    "client_order_id",
    "account_id",
    "signal_id",
    "decision",
    "symbol",
    "quantity",
    "limit_price",
    "balance_before",
    "created_at",
    "reason",
    "sent_at",
    "settle_at",
    "empty_lookups",
    "last_lookup_at",
    "venue_order_id",
    "filled_quantity",
    "average_price",
]


def add_intent(connection: Connection, intent: OrderIntent) -> bool:
    """Write the intent down; False when the same one is there already (the same leg was planned before)."""
    if find_intent(connection, intent.client_order_id) is not None:
        return False
    connection.execute(
        insert(order_intent).values(
            {name: getattr(intent, name) for name in _PLAIN_COLUMNS}
            | exit_plan_columns(intent.exit_plan)
            | {
                "side": str(intent.side),
                "kind": str(intent.kind),
                "order_type": str(intent.order_type),
                "state": str(intent.state),
                "updated_at": intent.created_at,
            }
        )
    )
    return True


def find_intent(connection: Connection, client_order_id: str) -> OrderIntent | None:
    row = connection.execute(select(order_intent).where(order_intent.c.client_order_id == client_order_id)).first()
    return None if row is None else _intent(row)


def find_by_venue_order(connection: Connection, account_id: str, venue_order_id: str) -> OrderIntent | None:
    query = select(order_intent).where(
        order_intent.c.account_id == account_id, order_intent.c.venue_order_id == venue_order_id
    )
    row = connection.execute(query).first()
    return None if row is None else _intent(row)


def intents_in(connection: Connection, account_id: str, states: Iterable[IntentState]) -> Sequence[OrderIntent]:
    """The account's intents in these states, oldest first."""
    query = (
        select(order_intent)
        .where(order_intent.c.account_id == account_id, order_intent.c.state.in_([str(state) for state in states]))
        .order_by(order_intent.c.created_at)
    )
    return [_intent(row) for row in connection.execute(query)]


def intents_of_signal(connection: Connection, account_id: str, signal_id: str) -> Sequence[OrderIntent]:
    """Every order that one account made for one signal, oldest first."""
    query = (
        select(order_intent)
        .where(order_intent.c.account_id == account_id, order_intent.c.signal_id == signal_id)
        .order_by(order_intent.c.created_at)
    )
    return [_intent(row) for row in connection.execute(query)]


def unfinished(connection: Connection, account_id: str) -> Sequence[OrderIntent]:
    """Every intent that has not ended."""
    return intents_in(connection, account_id, set(IntentState) - FINAL_STATES)


def move(
    connection: Connection, client_order_id: str, new: IntentState, *, at: datetime, detail: str = "", **changes: Any
) -> IntentState:
    """Change the state (and other columns) and write the event. Raises `IllegalMove`; returns the old state."""
    old = connection.execute(
        select(order_intent.c.state).where(order_intent.c.client_order_id == client_order_id)
    ).scalar_one()
    old_state = IntentState(old)
    if not may_move(old_state, new):
        raise IllegalMove(f"order {client_order_id} cannot go from {old_state} to {new}")
    values = {"state": str(new), "updated_at": at, **({"reason": detail} if detail else {}), **changes}
    connection.execute(update(order_intent).where(order_intent.c.client_order_id == client_order_id).values(values))
    if old_state != new:
        connection.execute(
            insert(order_event).values(
                client_order_id=client_order_id, at=at, old=str(old_state), new=str(new), detail=detail
            )
        )
    return old_state


def note_empty_lookup(connection: Connection, client_order_id: str, *, at: datetime) -> int:
    """Count one more look-up that found nothing; returns the count."""
    count = int(
        connection.execute(
            select(order_intent.c.empty_lookups).where(order_intent.c.client_order_id == client_order_id)
        ).scalar_one()
    )
    connection.execute(
        update(order_intent)
        .where(order_intent.c.client_order_id == client_order_id)
        .values(empty_lookups=count + 1, last_lookup_at=at)
    )
    return count + 1


def _intent(row: Row[Any]) -> OrderIntent:
    return OrderIntent(
        side=Side(row.side),
        kind=OrderKind(row.kind),
        order_type=OrderType(row.order_type),
        state=IntentState(row.state),
        exit_plan=exit_plan_of(row),
        **{name: getattr(row, name) for name in _PLAIN_COLUMNS},
    )
