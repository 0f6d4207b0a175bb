"""Rows of orders of ours. The state machine is enforced here: an illegal move is refused, never stored."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, select, update

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
from bot.storage.bulk_insert import BulkInsert
from bot.storage.exit_plans import exit_plan_columns, exit_plan_of
from bot.storage.schema import account, lease, order_event, order_intent

log = logging.getLogger(__name__)

# The moment given to a row that cannot be read; it decides nothing.
UNREADABLE_SINCE = datetime(1970, 1, 1, tzinfo=UTC)


class IllegalMove(Exception):
    """A change of state that the life of an order does not know."""


@dataclass(frozen=True, kw_only=True)
class OrderIntent:
    """One order of ours as it is written down. `decision` says in words why it exists.

    `reference_price` is what one base unit was expected to cost when the order was sized (quote per base).
    """

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
    reference_price: Decimal | None = None
    state: IntentState = IntentState.CREATED
    reason: str = ""
    attempt: int = 0
    payload_sha256: str | None = None
    sent_at: datetime | None = None
    expires_at: datetime | None = None
    settle_at: datetime | None = None
    epoch: int | None = None
    empty_lookups: int = 0
    last_lookup_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    venue_order_id: str | None = None
    needs_person: str = ""
    resolution: str = ""
    resolved_by: str = ""
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    # Of an order placed anew at another price: the first one's id, and its place after it.
    chain_id: str | None = None
    chain_step: int = 0
    # Why nothing is placed after it any more; None = the chain goes on.
    chain_end: str | None = None
    # Of a stop that the venue watches.
    stop_price: Decimal | None = None

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
            stop_price=self.stop_price,
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
    "reference_price",
    "created_at",
    "reason",
    "attempt",
    "payload_sha256",
    "sent_at",
    "expires_at",
    "settle_at",
    "epoch",
    "empty_lookups",
    "last_lookup_at",
    "cancel_requested_at",
    "venue_order_id",
    "needs_person",
    "resolution",
    "resolved_by",
    "filled_quantity",
    "average_price",
    "chain_id",
    "chain_step",
    "chain_end",
    "stop_price",
]


# Written once: most of the time of a small statement goes into composing it.
_BY_ID = select(order_intent).where(order_intent.c.client_order_id == bindparam("client_order_id"))
_BY_VENUE_ORDER = select(order_intent).where(
    order_intent.c.account_id == bindparam("account_id"), order_intent.c.venue_order_id == bindparam("venue_order_id")
)
_OF_SIGNAL = (
    select(order_intent)
    .where(order_intent.c.account_id == bindparam("account_id"), order_intent.c.signal_id == bindparam("signal_id"))
    .order_by(order_intent.c.sequence)
)
_IN_STATES = (
    select(order_intent)
    .where(
        order_intent.c.account_id == bindparam("account_id"),
        order_intent.c.state.in_(bindparam("states", expanding=True)),
    )
    .order_by(order_intent.c.sequence)
)
_NEXT_SEQUENCE = select(func.coalesce(func.max(order_intent.c.sequence), 0) + 1)
_STATE_OF = select(order_intent.c.state).where(order_intent.c.client_order_id == bindparam("client_order_id"))
_ADD = insert(order_intent)
_ADD_MANY = BulkInsert(order_intent, unless_there="client_order_id")
_ADD_EVENT = insert(order_event)
_IS_UNFINISHED = and_(*(order_intent.c.state != str(state) for state in sorted(FINAL_STATES)))
_UNFINISHED = (
    select(order_intent)
    .where(order_intent.c.account_id == bindparam("account_id"), _IS_UNFINISHED)
    .order_by(order_intent.c.sequence)
)
_UNFINISHED_KEYS = (
    select(order_intent.c.client_order_id, order_intent.c.account_id, order_intent.c.symbol)
    .where(order_intent.c.account_id == bindparam("account_id"), _IS_UNFINISHED)
    .order_by(order_intent.c.sequence)
)
# Account by account and state by state, because that is what the index is by.
_NEEDING_A_PERSON = select(order_intent.c.account_id).where(
    order_intent.c.account_id.in_(select(account.c.account_id)),
    order_intent.c.state.in_(sorted(str(state) for state in IntentState if state not in FINAL_STATES)),
    order_intent.c.needs_person != "",
    order_intent.c.symbol == bindparam("symbol"),
)
_UNREADABLE = (ValueError, TypeError, ArithmeticError)
_CHANGE = update(order_intent).where(order_intent.c.client_order_id == bindparam("the_order"))
_SUBMIT = _CHANGE.where(
    order_intent.c.state == str(IntentState.CREATED),
    select(lease.c.epoch).where(lease.c.account_id == order_intent.c.account_id).scalar_subquery()
    == bindparam("the_epoch"),
).values(attempt=order_intent.c.attempt + 1)


def add_intent(connection: Connection, intent: OrderIntent) -> bool:
    """Write the intent down; False when the same one is there already (the same leg was planned before)."""
    if find_intent(connection, intent.client_order_id) is not None:
        return False
    connection.execute(_ADD, _columns(intent) | {"sequence": _next_sequence(connection)})
    return True


def add_intents(connection: Connection, items: Sequence[OrderIntent]) -> bool:
    """Write many down in their order; False when some of them were there already, and stay as they are."""
    if not items:
        return True
    start = _next_sequence(connection)
    columns: dict[str, Sequence[Any]] = {"sequence": range(start, start + len(items))}
    return _ADD_MANY.add(connection, columns | dict(_values_of(items))) == len(items)


def _values_of(items: Sequence[OrderIntent]) -> Iterator[tuple[str, list[Any]]]:
    """Column by column the values of all items."""
    fields = [vars(item) for item in items]
    for name in (*_PLAIN_COLUMNS, "side", "kind", "order_type", "state"):
        yield name, [each[name] for each in fields]
    yield "updated_at", [item.created_at for item in items]
    plans = [exit_plan_columns(item.exit_plan) for item in items]
    for name in plans[0]:
        yield name, [plan[name] for plan in plans]


def find_intent(connection: Connection, client_order_id: str) -> OrderIntent | None:
    row = connection.execute(_BY_ID, {"client_order_id": client_order_id}).first()
    return None if row is None else intent_of(row)


def find_by_venue_order(connection: Connection, account_id: str, venue_order_id: str) -> OrderIntent | None:
    row = connection.execute(_BY_VENUE_ORDER, {"account_id": account_id, "venue_order_id": venue_order_id}).first()
    return None if row is None else intent_of(row)


def intents_in(connection: Connection, account_id: str, states: Iterable[IntentState]) -> Sequence[OrderIntent]:
    """The account's intents in these states, in the order of their making."""
    names = sorted(str(state) for state in states)
    return [intent_of(row) for row in connection.execute(_IN_STATES, {"account_id": account_id, "states": names})]


def intents_of_signal(connection: Connection, account_id: str, signal_id: str) -> Sequence[OrderIntent]:
    """Every order that one account made for one signal, in the order of their making."""
    rows = connection.execute(_OF_SIGNAL, {"account_id": account_id, "signal_id": signal_id})
    return [intent_of(row) for row in rows]


def unfinished(connection: Connection, account_id: str) -> Sequence[OrderIntent]:
    """Every intent that has not ended. A row that cannot be read stands in for itself, as one that needs a person."""
    try:
        return [intent_of(row) for row in connection.execute(_UNFINISHED, {"account_id": account_id})]
    except _UNREADABLE:
        keys = connection.execute(_UNFINISHED_KEYS, {"account_id": account_id}).all()
        return [_intent_or_stand_in(connection, *key) for key in keys]


def submit(
    connection: Connection,
    client_order_id: str,
    *,
    epoch: int,
    at: datetime,
    expires_at: datetime | None,
    settle_at: datetime,
    payload_sha256: str,
    quantity: Decimal,
    limit_price: Decimal | None,
) -> bool:
    """Mark an intent as being sent: the one way there, and the commit that must come before the first byte.

    Compare-and-set on two things: the intent was not sent yet (or the venue said that it did not take it), and this
    sender still holds the account. False when either is not so; then nothing may be sent. Every time anew the times
    after which absence may be judged are set, also for an order that is sent again.
    """
    changed = connection.execute(
        _SUBMIT,
        {
            "the_order": client_order_id,
            "the_epoch": epoch,
            "epoch": epoch,
            "state": str(IntentState.SUBMITTED),
            "sent_at": at,
            "expires_at": expires_at,
            "settle_at": settle_at,
            "payload_sha256": payload_sha256,
            "quantity": quantity,
            "limit_price": limit_price,
            "empty_lookups": 0,
            "last_lookup_at": None,
            "updated_at": at,
        },
    )
    if changed.rowcount:
        event = {"old": str(IntentState.CREATED), "new": str(IntentState.SUBMITTED), "detail": f"epoch {epoch}"}
        connection.execute(_ADD_EVENT, {"client_order_id": client_order_id, "at": at, **event})
    return bool(changed.rowcount)


def move(
    connection: Connection, client_order_id: str, new: IntentState, *, at: datetime, detail: str = "", **changes: Any
) -> IntentState:
    """Change the state (and other columns) and write the event. Raises `IllegalMove`; returns the old state."""
    old = connection.execute(_STATE_OF, {"client_order_id": client_order_id}).scalar_one()
    old_state = IntentState(old)
    if not may_move(old_state, new):
        raise IllegalMove(f"order {client_order_id} cannot go from {old_state} to {new}")
    values = {"state": str(new), "updated_at": at, **({"reason": detail} if detail else {}), **changes}
    connection.execute(_CHANGE, {"the_order": client_order_id, **values})
    if old_state != new:
        event = {"old": str(old_state), "new": str(new), "detail": detail}
        connection.execute(_ADD_EVENT, {"client_order_id": client_order_id, "at": at, **event})
    return old_state


def change(connection: Connection, client_order_id: str, **values: Any) -> None:
    """Change columns that are not the state."""
    connection.execute(_CHANGE, {"the_order": client_order_id, **values})


def symbols_needing_a_person(connection: Connection, account_id: str) -> frozenset[str]:
    """Symbols of which an order's evidence contradicts itself: nothing new is sent for them."""
    query = select(order_intent.c.symbol).where(
        order_intent.c.account_id == account_id,
        order_intent.c.needs_person != "",
        _IS_UNFINISHED,
    )
    return frozenset(connection.execute(query).scalars())


def accounts_needing_a_person(connection: Connection, symbol: str) -> frozenset[str]:
    """Accounts for which nothing new of this symbol is sent, for that reason."""
    return frozenset(connection.execute(_NEEDING_A_PERSON, {"symbol": symbol}).scalars())


def needing_a_person(connection: Connection) -> Sequence[OrderIntent]:
    """Every order that waits for a person's word, in the order of their making."""
    query = (
        select(order_intent).where(order_intent.c.needs_person != "", _IS_UNFINISHED).order_by(order_intent.c.sequence)
    )
    return [intent_of(row) for row in connection.execute(query)]


def _next_sequence(connection: Connection) -> int:
    return int(connection.execute(_NEXT_SEQUENCE).scalar_one())


def _columns(intent: OrderIntent) -> dict[str, Any]:
    """All but its place in the sequence."""
    return (
        {name: getattr(intent, name) for name in _PLAIN_COLUMNS}
        | exit_plan_columns(intent.exit_plan)
        | {
            "side": intent.side.value,
            "kind": intent.kind.value,
            "order_type": intent.order_type.value,
            "state": intent.state.value,
            "updated_at": intent.created_at,
        }
    )


def _intent_or_stand_in(connection: Connection, client_order_id: str, account_id: str, symbol: str) -> OrderIntent:
    """The row itself or, when it holds nonsense, something that blocks its market and asks for a person."""
    try:
        intent = find_intent(connection, client_order_id)
        assert intent is not None, "its key was read in the same transaction"
        return intent
    except _UNREADABLE as error:
        question = f"its row in the database cannot be read ({error})"
        log.critical("order %s of %s: %s; %s waits", client_order_id, account_id, question, symbol)
        return OrderIntent(
            client_order_id=client_order_id,
            account_id=account_id,
            signal_id=None,
            decision="unreadable",
            symbol=symbol,
            side=Side.SELL,
            kind=OrderKind.EXIT,
            order_type=OrderType.MARKET,
            quantity=Decimal(0),
            limit_price=None,
            balance_before=None,
            exit_plan=ExitPlan(),
            created_at=UNREADABLE_SINCE,
            state=IntentState.UNKNOWN,
            needs_person=question,
        )


def intent_of(row: Row[Any]) -> OrderIntent:
    return OrderIntent(
        side=Side(row.side),
        kind=OrderKind(row.kind),
        order_type=OrderType(row.order_type),
        state=IntentState(row.state),
        exit_plan=exit_plan_of(row),
        **{name: getattr(row, name) for name in _PLAIN_COLUMNS},
    )
