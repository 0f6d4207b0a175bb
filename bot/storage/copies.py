"""Rows of copies: one per signal and user, with one final answer."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from bot.domain.order import OrderKind
from bot.domain.signal import CopyReason, CopyStatus
from bot.storage.bulk_insert import BulkInsert
from bot.storage.schema import account, copy_result, signal

_PLANNED = (
    select(
        signal,
        *[
            copy_result.c[name]
            for name in ("client_order_id", "ratio", "planned_quantity", "tries", "last_error", "last_try_at")
        ],
    )
    .join(copy_result, copy_result.c.signal_id == signal.c.signal_id)
    .where(copy_result.c.account_id == bindparam("account_id"), copy_result.c.status == str(CopyStatus.PLANNED))
    .order_by(signal.c.sequence)
)

_ADD = insert(copy_result)
_ADD_MANY = BulkInsert(copy_result)
_WITH_PLANNED_ENTRY = (
    select(copy_result.c.account_id)
    .join(signal, signal.c.signal_id == copy_result.c.signal_id)
    .where(
        copy_result.c.account_id.in_(select(account.c.account_id)),
        copy_result.c.status == str(CopyStatus.PLANNED),
        signal.c.symbol == bindparam("symbol"),
        signal.c.kind == str(OrderKind.ENTRY),
    )
)
_CHANGE_PLANNED = update(copy_result).where(
    copy_result.c.signal_id == bindparam("the_signal"),
    copy_result.c.account_id == bindparam("the_account"),
    copy_result.c.status == str(CopyStatus.PLANNED),
)


_WITH_COPIES = (
    select(
        signal,
        copy_result.c.account_id.label("user_account_id"),
        account.c.user_id,
        account.c.name.label("user_name"),
        *[column.label(f"copy_{column.name}") for column in copy_result.c],
    )
    .select_from(signal.outerjoin(copy_result).outerjoin(account, account.c.account_id == copy_result.c.account_id))
    .order_by(signal.c.sequence.desc(), copy_result.c.account_id)
)


def add_copy(connection: Connection, *, signal_id: str, account_id: str, planned_at: datetime, **values: Any) -> None:
    row = {"signal_id": signal_id, "account_id": account_id, "planned_at": planned_at, "tries": 0, "last_error": ""}
    connection.execute(_ADD, row | values)


class PlannedCopy(NamedTuple):
    """A copy as its plan makes it; one with `answered_at` was answered by the plan itself.

    `ratio` is user to master for an entry and the fraction of the position for an exit; `user_balance` is quote cash.
    `rank` is the user's place in the order in which the signal's users are served, 0 = first. `seen_price` is the
    market's best price for the signal's side when it was planned, and `capped_quantity` what caps left of the user's
    share before rounding; None = not known.
    """

    signal_id: str
    account_id: str
    planned_at: datetime
    status: CopyStatus = CopyStatus.PLANNED
    reason: CopyReason = CopyReason.NONE
    detail: str = ""
    client_order_id: str | None = None
    user_balance: Decimal | None = None
    ratio: Decimal | None = None
    planned_quantity: Decimal | None = None
    answered_at: datetime | None = None
    rank: int | None = None
    seen_price: Decimal | None = None
    capped_quantity: Decimal | None = None


def add_copies(connection: Connection, items: Sequence[PlannedCopy]) -> None:
    """All copies of one plan."""
    if items:
        columns = dict(zip(PlannedCopy._fields, zip(*items, strict=True), strict=True))
        _ADD_MANY.add(connection, columns | {"tries": (0,) * len(items), "last_error": ("",) * len(items)})


def answer_copy(
    connection: Connection,
    *,
    signal_id: str,
    account_id: str,
    status: CopyStatus,
    reason: CopyReason,
    detail: str,
    at: datetime,
    **values: Any,
) -> bool:
    """Give the final answer; False when it was given before (it is never changed)."""
    key = {"the_signal": signal_id, "the_account": account_id}
    answer = {"status": str(status), "reason": str(reason), "detail": detail, "answered_at": at}
    return bool(connection.execute(_CHANGE_PLANNED, key | answer | values).rowcount)


def note_copy(connection: Connection, *, signal_id: str, account_id: str, **values: Any) -> None:
    """Change a copy that has no answer yet: its last error, its order, its size."""
    connection.execute(_CHANGE_PLANNED, {"the_signal": signal_id, "the_account": account_id, **values})


def planned_copies(connection: Connection, account_id: str) -> Sequence[Row[Any]]:
    """The account's copies without an answer, with their signals, in the order of the signals."""
    return connection.execute(_PLANNED, {"account_id": account_id}).all()


def with_planned_entry(connection: Connection, symbol: str) -> frozenset[str]:
    """Accounts of which an entry copy of this symbol has no answer yet."""
    return frozenset(connection.execute(_WITH_PLANNED_ENTRY, {"symbol": symbol}).scalars())


def answered_when_planned(connection: Connection, signal_id: str) -> Sequence[Row[Any]]:
    """The copies of a signal that were answered by its plan, before any order: account, status, reason, detail."""
    query = select(copy_result).where(
        copy_result.c.signal_id == signal_id, copy_result.c.answered_at == copy_result.c.planned_at
    )
    return connection.execute(query).all()


def latest_copies(connection: Connection, *, signals: int, before: int | None = None) -> Sequence[Row[Any]]:
    """The newest signals with a row per user (user columns null while a signal is not planned), newest first.

    `before`: only those made before the one of this sequence.
    """
    newest = select(signal.c.signal_id).order_by(signal.c.sequence.desc()).limit(signals)
    if before is not None:
        newest = newest.where(signal.c.sequence < before)
    return connection.execute(_WITH_COPIES.where(signal.c.signal_id.in_(newest))).all()


def signal_with_copies(connection: Connection, signal_id: str) -> Sequence[Row[Any]]:
    """The same for one signal."""
    return connection.execute(_WITH_COPIES.where(signal.c.signal_id == signal_id)).all()
