"""Rows of orders that leave in one batch: what keeps an account back, the mark of all at once, and the last look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from bot.domain.order import FINAL_STATES, IntentState, OrderKind
from bot.domain.signal import CopyStatus
from bot.storage.bulk_insert import BulkInsert
from bot.storage.schema import copy_result, lease, order_event, order_intent, signal, symbol_pause
from bot.storage.types import UtcTime
from bot.storage.waiting_stops import IS_WAITING_STOP

_UNFINISHED = sorted(str(state) for state in IntentState if state not in FINAL_STATES)
_MINE = copy_result.alias("mine")
# The copies of the signal say which accounts it is about: a signal's orders are reached by them, and by no long list.
_OF_SIGNAL = (_MINE.c.signal_id == bindparam("the_signal"), _MINE.c.status == str(CopyStatus.PLANNED))
# By account and state, which is how the rows are indexed: books grow for ever, open orders do not.
_WITH_ORDERS = (
    select(order_intent.c.account_id)
    .select_from(_MINE.join(order_intent, order_intent.c.account_id == _MINE.c.account_id))
    .where(
        *_OF_SIGNAL,
        order_intent.c.state.in_(_UNFINISHED),
        order_intent.c.symbol == bindparam("symbol"),
        ~IS_WAITING_STOP,
        func.coalesce(order_intent.c.signal_id, "") != bindparam("the_signal"),
    )
)
_WITH_COPIES = (
    select(copy_result.c.account_id)
    .select_from(
        _MINE.join(copy_result, copy_result.c.account_id == _MINE.c.account_id).join(
            signal, signal.c.signal_id == copy_result.c.signal_id
        )
    )
    .where(
        *_OF_SIGNAL,
        copy_result.c.status == str(CopyStatus.PLANNED),
        copy_result.c.signal_id != bindparam("the_signal"),
        signal.c.symbol == bindparam("symbol"),
    )
)
_EPOCHS = (
    select(lease.c.account_id, lease.c.epoch)
    .select_from(_MINE.join(lease, lease.c.account_id == _MINE.c.account_id))
    .where(*_OF_SIGNAL)
)
_SUBMITTED = _MINE.join(order_intent, order_intent.c.client_order_id == _MINE.c.client_order_id).join(
    lease, lease.c.account_id == order_intent.c.account_id
)
_MAY_LEAVE = (
    select(order_intent.c.client_order_id, order_intent.c.epoch)
    .select_from(_SUBMITTED)
    .where(
        *_OF_SIGNAL,
        order_intent.c.state == str(IntentState.SUBMITTED),
        order_intent.c.epoch == lease.c.epoch,
    )
)
_COMMITTED = (
    select(order_intent.c.client_order_id)
    .select_from(_SUBMITTED)
    .where(*_OF_SIGNAL, order_intent.c.state == str(IntentState.SUBMITTED))
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
_EVENTS = BulkInsert(order_event)
# In one statement per row, with what all rows have in common converted once.
_SUBMIT = (
    "UPDATE order_intent SET state = {0}, attempt = attempt + 1, sent_at = {0}, expires_at = {0}, settle_at = {0}, "
    "updated_at = {0}, empty_lookups = 0, last_lookup_at = NULL, epoch = {0}, payload_sha256 = {0} "
    "WHERE client_order_id = {0} AND state = {0}"
)


@dataclass(frozen=True)
class Mark:
    """One order that is about to leave, by whom, and the digest of what it says."""

    client_order_id: str
    epoch: int
    payload_sha256: str


def busy_with(connection: Connection, signal_id: str, symbol: str) -> frozenset[str]:
    """Those of a signal's accounts with another order in the market that has no end, or a copy without an answer."""
    values = {"the_signal": signal_id, "symbol": symbol}
    return frozenset(
        account for query in (_WITH_ORDERS, _WITH_COPIES) for account in connection.execute(query, values).scalars()
    )


def epochs_of(connection: Connection, signal_id: str) -> Mapping[str, int]:
    """The epochs in force of a signal's accounts."""
    return {row.account_id: row.epoch for row in connection.execute(_EPOCHS, {"the_signal": signal_id})}


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
    dialect = connection.dialect
    written = UtcTime().bind_processor(dialect) or _as_it_is
    sent, expires, settles = written(at), written(expires_at), written(settle_at)
    new, old = str(IntentState.SUBMITTED), str(IntentState.CREATED)
    statement = _SUBMIT.format("?" if dialect.paramstyle == "qmark" else "%s")
    rows = [
        (new, sent, expires, settles, sent, one.epoch, one.payload_sha256, one.client_order_id, old) for one in marks
    ]
    count = len(marks)
    if connection.exec_driver_sql(statement, rows).rowcount != count:
        return False
    _EVENTS.add(
        connection,
        {
            "client_order_id": [one.client_order_id for one in marks],
            "at": [at] * count,
            "old": [old] * count,
            "new": [new] * count,
            "detail": [f"epoch {one.epoch}, in a batch" for one in marks],
        },
    )
    return True


def may_leave(connection: Connection, signal_id: str) -> Mapping[str, int]:
    """The signal's orders that are marked as being sent under the epoch that is in force now, with that epoch.

    Whoever sends compares it with its own: another process may have planned the same order after a plan of ours was
    rolled back and the account has moved.
    """
    return {row.client_order_id: row.epoch for row in connection.execute(_MAY_LEAVE, {"the_signal": signal_id})}


def committed(connection: Connection, signal_id: str) -> frozenset[str]:
    """The signal's orders that are marked as being sent, by whomever."""
    return frozenset(connection.execute(_COMMITTED, {"the_signal": signal_id}).scalars())


def sold_since(connection: Connection, symbol: str, *, sequence: int) -> bool:
    """Whether there is an exit signal of this market that was made later than the one with this sequence."""
    return bool(connection.execute(_LATER, {"symbol": symbol, "sequence": sequence}).scalar_one())


def paused_for(connection: Connection, symbol: str) -> frozenset[str]:
    """The accounts for which this market is paused."""
    return frozenset(connection.execute(_PAUSED, {"symbol": symbol}).scalars())


def _as_it_is(value: datetime | None) -> datetime | None:
    return value
