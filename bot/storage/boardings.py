"""Rows of orders that leave in one batch: what keeps an account back, the mark of all at once, and the last look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, insert, literal, select, update

from bot.domain.order import FINAL_STATES, IntentState, OrderKind
from bot.domain.signal import CopyStatus
from bot.storage.schema import copy_result, lease, order_event, order_intent, signal, symbol_pause

# So many values in one statement; SQLite takes 32,766 and PostgreSQL 65,535.
AT_ONCE = 1000

_UNFINISHED = sorted(str(state) for state in IntentState if state not in FINAL_STATES)
_ACCOUNTS: BindParameter[Any] = bindparam("accounts", expanding=True)
_ORDERS: BindParameter[Any] = bindparam("orders", expanding=True)
# By account and state, which is how the rows are indexed: books grow for ever, open orders do not.
_WITH_ORDERS = select(order_intent.c.account_id).where(
    order_intent.c.account_id.in_(_ACCOUNTS),
    order_intent.c.state.in_(_UNFINISHED),
    order_intent.c.symbol == bindparam("symbol"),
    func.coalesce(order_intent.c.signal_id, "") != bindparam("the_signal"),
)
_WITH_COPIES = (
    select(copy_result.c.account_id)
    .join(signal, signal.c.signal_id == copy_result.c.signal_id)
    .where(
        copy_result.c.account_id.in_(_ACCOUNTS),
        copy_result.c.status == str(CopyStatus.PLANNED),
        copy_result.c.signal_id != bindparam("the_signal"),
        signal.c.symbol == bindparam("symbol"),
    )
)
_EPOCHS = select(lease.c.account_id, lease.c.epoch).where(lease.c.account_id.in_(_ACCOUNTS))
_DIGEST = (
    update(order_intent)
    .where(order_intent.c.client_order_id == bindparam("the_order"), order_intent.c.state == str(IntentState.CREATED))
    .values(payload_sha256=bindparam("digest"), epoch=bindparam("the_epoch"))
)
_SUBMIT = (
    update(order_intent)
    .where(order_intent.c.client_order_id.in_(_ORDERS), order_intent.c.state == str(IntentState.CREATED))
    .values(
        state=str(IntentState.SUBMITTED),
        attempt=order_intent.c.attempt + 1,
        sent_at=bindparam("sent"),
        expires_at=bindparam("expires"),
        settle_at=bindparam("settles"),
        empty_lookups=0,
        last_lookup_at=None,
        updated_at=bindparam("sent"),
    )
)
_EVENTS = insert(order_event).from_select(
    ["client_order_id", "at", "old", "new", "detail"],
    select(
        order_intent.c.client_order_id,
        order_intent.c.sent_at,
        literal(str(IntentState.CREATED)),
        literal(str(IntentState.SUBMITTED)),
        literal("epoch ").concat(order_intent.c.epoch).concat(", in a batch"),
    )
    .where(order_intent.c.client_order_id.in_(_ORDERS))
    .order_by(order_intent.c.sequence),
)
_STANDING = (
    select(
        order_intent.c.client_order_id,
        order_intent.c.state,
        order_intent.c.epoch,
        lease.c.epoch.label("epoch_in_force"),
    )
    .join(lease, lease.c.account_id == order_intent.c.account_id)
    .where(order_intent.c.client_order_id.in_(_ORDERS))
)
_LATER = (
    select(func.count())
    .select_from(signal)
    .where(
        signal.c.sequence > bindparam("sequence"),
        signal.c.symbol == bindparam("symbol"),
        signal.c.kind == str(OrderKind.EXIT),
    )
)
_PAUSED = select(symbol_pause.c.account_id).where(symbol_pause.c.symbol == bindparam("symbol"))


@dataclass(frozen=True)
class Mark:
    """One order that is about to leave, by whom, and the digest of what it says."""

    client_order_id: str
    epoch: int
    payload_sha256: str


@dataclass(frozen=True)
class Standing:
    """How an order stands right before it leaves, and the epoch now in force for its account."""

    state: IntentState
    epoch: int | None
    epoch_in_force: int


def busy_with(connection: Connection, accounts: Sequence[str], symbol: str, *, besides: str) -> frozenset[str]:
    """Those of the accounts with an order in this market that has no end, or a copy of it without an answer.

    Orders and copies of the signal `besides` do not count.
    """
    busy: set[str] = set()
    for some in _in_parts(accounts):
        values = {"accounts": some, "symbol": symbol, "the_signal": besides}
        for query in (_WITH_ORDERS, _WITH_COPIES):
            busy.update(connection.execute(query, values).scalars())
    return frozenset(busy)


def epochs_of(connection: Connection, accounts: Sequence[str]) -> Mapping[str, int]:
    """The epochs in force."""
    found: dict[str, int] = {}
    for some in _in_parts(accounts):
        found.update((row.account_id, row.epoch) for row in connection.execute(_EPOCHS, {"accounts": some}))
    return found


def submit_all(
    connection: Connection,
    marks: Sequence[Mark],
    *,
    at: datetime,
    expires_at: datetime | None,
    settle_at: datetime,
) -> bool:
    """`intents.submit` for many orders of one venue, in the transaction that has just read the epochs in force.

    False when one of them was not in state CREATED: then the transaction must be rolled back.
    """
    rows = [{"the_order": one.client_order_id, "the_epoch": one.epoch, "digest": one.payload_sha256} for one in marks]
    connection.execute(_DIGEST, rows)
    changed = 0
    for some in _in_parts([one.client_order_id for one in marks]):
        values = {"orders": some, "sent": at, "expires": expires_at, "settles": settle_at}
        changed += connection.execute(_SUBMIT, values).rowcount
        connection.execute(_EVENTS, {"orders": some})
    return changed == len(marks)


def standing_of(connection: Connection, client_order_ids: Sequence[str]) -> Mapping[str, Standing]:
    """How these orders stand; one that was never committed is absent."""
    found: dict[str, Standing] = {}
    for some in _in_parts(client_order_ids):
        for order_id, state, epoch, in_force in connection.execute(_STANDING, {"orders": some}):
            found[order_id] = Standing(IntentState(state), epoch, in_force)
    return found


def sold_since(connection: Connection, symbol: str, *, sequence: int) -> bool:
    """Whether there is an exit signal of this market that was made later than the one with this sequence."""
    return bool(connection.execute(_LATER, {"symbol": symbol, "sequence": sequence}).scalar_one())


def paused_for(connection: Connection, symbol: str) -> frozenset[str]:
    """The accounts for which this market is paused."""
    return frozenset(connection.execute(_PAUSED, {"symbol": symbol}).scalars())


def _in_parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]
