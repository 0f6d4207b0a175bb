"""Audits of orders: each belongs to a copy, goes through states of the list, and ends as its answer says."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Text, and_, case, func, or_, select, type_coerce

from bot.domain.order import FINAL_STATES, IntentState, OrderKind, may_move
from bot.domain.signal import CopyStatus
from bot.storage.audits import Finding, Scope, copy_finding
from bot.storage.schema import copy_result, order_event, order_intent, signal

_PLANNED = str(CopyStatus.PLANNED)
_ENTRY, _EXIT = str(OrderKind.ENTRY), str(OrderKind.EXIT)
_UNFILLED = sorted(map(str, (CopyStatus.SKIPPED, CopyStatus.FAILED, CopyStatus.SUPERSEDED)))
_FILLED = sorted(map(str, (CopyStatus.COPIED, CopyStatus.PARTLY_COPIED)))
_STATES = sorted(map(str, IntentState))
_FINAL = sorted(map(str, FINAL_STATES))


# -- (d) orders belong to copies ----------------------------------------------------------------------------------
def orders_without_copy(connection: Connection, scope: Scope) -> Iterator[Finding]:
    query = (
        select(order_intent.c.client_order_id, order_intent.c.signal_id, order_intent.c.account_id)
        .outerjoin(
            copy_result,
            and_(
                copy_result.c.signal_id == order_intent.c.signal_id,
                copy_result.c.account_id == order_intent.c.account_id,
            ),
        )
        .where(
            order_intent.c.signal_id.is_not(None),
            order_intent.c.sequence >= scope.from_intent,
            or_(
                copy_result.c.signal_id.is_(None),
                and_(
                    order_intent.c.kind == _ENTRY,
                    func.coalesce(copy_result.c.client_order_id, "") != order_intent.c.client_order_id,
                ),
            ),
        )
    )
    for row in connection.execute(query):
        text = f"order {row.client_order_id} of {row.account_id} says it copies signal {row.signal_id}; no copy says so"
        yield copy_finding(row.signal_id, row.account_id, text)


def second_entries(connection: Connection, scope: Scope) -> Iterator[Finding]:
    query = (
        select(order_intent.c.signal_id, order_intent.c.account_id, func.count().label("orders"))
        .where(
            order_intent.c.signal_id.is_not(None),
            order_intent.c.kind == _ENTRY,
            order_intent.c.sequence >= scope.from_intent,
        )
        .group_by(order_intent.c.account_id, order_intent.c.signal_id)
        .having(func.count() > 1)
    )
    for row in connection.execute(query):
        text = f"{row.account_id} has {row.orders} entry orders for signal {row.signal_id}"
        yield copy_finding(row.signal_id, row.account_id, text)


# -- (f) states, and answers that agree with their orders ---------------------------------------------------------
def illegal_states(connection: Connection, scope: Scope) -> Iterator[Finding]:
    unknown = select(order_intent).where(
        order_intent.c.state.not_in(_STATES), order_intent.c.sequence >= scope.from_intent
    )
    for row in connection.execute(unknown):
        text = f"order {row.client_order_id} of {row.account_id} is in a state that there is not: {row.state!r}"
        yield Finding(text, {"order": row.client_order_id, "account": row.account_id})
    moves = connection.execute(select(order_event.c.old, order_event.c.new).distinct()).all()
    illegal = [(old, new) for old, new in moves if not _is_legal(old, new)]
    for old, new in illegal:
        query = select(order_event.c.client_order_id).where(order_event.c.old == old, order_event.c.new == new)
        for name in connection.execute(query).scalars():
            text = f"order {name} went from {old!r} to {new!r}, which no order may"
            yield Finding(text, {"order": name})


def _is_legal(old: str, new: str) -> bool:
    if old not in _STATES or new not in _STATES:
        return False
    return may_move(IntentState(old), IntentState(new))


def disagreeing_answers(connection: Connection, scope: Scope) -> Iterator[Finding]:
    """Final answers that their orders contradict: `copied` without a fill, `skipped` with one, another quantity."""
    orders = func.count(order_intent.c.client_order_id)
    alive = func.coalesce(func.sum(case((order_intent.c.state.in_(_FINAL), 0), else_=1)), 0)
    # Texts that are equal are the same number; only where they are not, numbers are compared below.
    one = func.max(type_coerce(order_intent.c.filled_quantity, Text))
    booked = type_coerce(copy_result.c.filled_quantity, Text)
    planned = type_coerce(copy_result.c.planned_quantity, Text)
    plainly_right = or_(
        and_(copy_result.c.status.in_(_UNFILLED), orders == 0, func.coalesce(booked, "0") == "0"),
        and_(
            orders == 1,
            alive == 0,
            func.coalesce(booked, "0") == one,
            or_(
                and_(copy_result.c.status.in_(_UNFILLED), one == "0"),
                and_(copy_result.c.status == str(CopyStatus.COPIED), one == planned, one != "0"),
                and_(copy_result.c.status == str(CopyStatus.PARTLY_COPIED), one != "0"),
            ),
        ),
    )
    query = (
        select(
            copy_result.c.signal_id,
            copy_result.c.account_id,
            copy_result.c.status,
            copy_result.c.planned_quantity,
            copy_result.c.filled_quantity,
            orders.label("orders"),
            case((orders == 0, 0), else_=alive).label("alive"),
            func.aggregate_strings(type_coerce(order_intent.c.filled_quantity, Text), " ").label("fills"),
        )
        .select_from(copy_result)
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .outerjoin(
            order_intent,
            and_(
                order_intent.c.account_id == copy_result.c.account_id,
                order_intent.c.signal_id == copy_result.c.signal_id,
            ),
        )
        .where(copy_result.c.status != _PLANNED, signal.c.sequence > scope.after_signal)
        .group_by(copy_result.c.signal_id, copy_result.c.account_id)
        .having(~plainly_right)
    )
    for row in connection.execute(query):
        what = _disagreement(row)
        if what:
            text = f"{row.account_id} answered signal {row.signal_id} with {row.status}, but {what}"
            yield copy_finding(row.signal_id, row.account_id, text)


def _disagreement(row: Row[Any]) -> str:
    filled = sum((Decimal(text) for text in (row.fills or "").split()), Decimal(0))
    said = row.filled_quantity or Decimal(0)
    if row.alive:
        return f"{row.alive} of its orders has no end yet"
    if row.status in _UNFILLED and filled:
        return f"{filled:f} was filled for it"
    if row.status in _FILLED and not filled:
        return "nothing was filled for it"
    if said != filled:
        return f"it says that {said:f} was filled, and its orders say {filled:f}"
    if row.status == CopyStatus.COPIED and row.planned_quantity is not None and filled < row.planned_quantity:
        return f"only {filled:f} of {row.planned_quantity:f} was filled"
    return ""
