"""Audits of answers: every pair of signal and member has one row, and it says a word of the list in time.

Rules yield only what breaks them; see `audits`."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, and_, case, exists, func, or_, select

from bot.domain.order import OrderKind
from bot.domain.signal import CopyReason, CopyStatus
from bot.storage.audits import Finding, Patience, Scope, copy_finding
from bot.storage.memberships import covers
from bot.storage.schema import copy_result, membership, order_intent, signal

_PLANNED = str(CopyStatus.PLANNED)
_ENTRY, _EXIT = str(OrderKind.ENTRY), str(OrderKind.EXIT)
_STATUSES = sorted(map(str, CopyStatus))
_REASONS = sorted(map(str, CopyReason))
_UNFILLED = sorted(map(str, (CopyStatus.SKIPPED, CopyStatus.FAILED, CopyStatus.SUPERSEDED)))


# -- (a) one row for each pair, and none besides ------------------------------------------------------------------
def pairs_without_row(connection: Connection, scope: Scope, patience: Patience) -> Iterator[tuple[Row[Any], bool]]:
    """(pair of signal and member that has no copy row, whether it is missing). A signal that waits for its plan is
    missing nothing until its time is over."""
    query = (
        select(signal, membership.c.account_id.label("user_account_id"))
        .join(membership, covers())
        .outerjoin(
            copy_result,
            and_(copy_result.c.signal_id == signal.c.signal_id, copy_result.c.account_id == membership.c.account_id),
        )
        .where(signal.c.sequence > scope.after_signal, copy_result.c.signal_id.is_(None))
    )
    if scope.until_signal is not None:
        query = query.where(signal.c.sequence <= scope.until_signal)
    for row in connection.execute(query):
        yield row, row.planned_at is not None or patience.is_over(row.created_at)


def missing_rows(connection: Connection, scope: Scope, patience: Patience) -> Iterator[Finding]:
    for row, missing in pairs_without_row(connection, scope, patience):
        if missing:
            why = "was never planned" if row.planned_at is None else "was planned without this user"
            yield copy_finding(
                row.signal_id,
                row.user_account_id,
                f"{row.user_account_id} has no answer to signal {row.signal_id} ({row.kind} {row.symbol}), which {why}",
            )


def rows_of_strangers(connection: Connection, scope: Scope) -> Iterator[Finding]:
    """Copies of users who were owed nothing."""
    query = (
        select(copy_result.c.signal_id, copy_result.c.account_id, signal.c.kind)
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .where(
            signal.c.sequence > scope.after_signal,
            ~exists()
            .where(membership.c.account_id == copy_result.c.account_id, covers())
            .correlate(copy_result, signal),
        )
    )
    for row in connection.execute(query):
        text = f"{row.account_id} was no member when signal {row.signal_id} was made, and has a copy of it ({row.kind})"
        yield copy_finding(row.signal_id, row.account_id, text)


# -- (b) one final answer of the closed list, in time -------------------------------------------------------------
def wrong_answers(connection: Connection, scope: Scope) -> Iterator[Finding]:
    wrong = {
        "its status is not of the list": copy_result.c.status.not_in(_STATUSES),
        "its reason is not of the list": copy_result.c.reason.not_in(_REASONS),
        "it is final without a time": and_(copy_result.c.status != _PLANNED, copy_result.c.answered_at.is_(None)),
        "it has a time and is not final": and_(
            copy_result.c.status == _PLANNED, copy_result.c.answered_at.is_not(None)
        ),
        "it gives no reason": and_(copy_result.c.status.in_(_UNFILLED), copy_result.c.reason == ""),
    }
    query = (
        select(copy_result, case(*[(rule, text) for text, rule in wrong.items()]).label("what"))
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .where(signal.c.sequence > scope.after_signal, or_(*wrong.values()))
    )
    for row in connection.execute(query):
        text = (
            f"the answer of {row.account_id} to signal {row.signal_id} is {row.status!r} ({row.reason!r}): {row.what}"
        )
        yield copy_finding(row.signal_id, row.account_id, text)


def planned_entries(connection: Connection, scope: Scope) -> Iterator[Row[Any]]:
    """Entry copies without an answer, each with its order's state and times."""
    query = (
        select(
            copy_result.c.signal_id,
            copy_result.c.account_id,
            copy_result.c.planned_at,
            signal.c.symbol,
            signal.c.created_at,
            order_intent.c.client_order_id,
            order_intent.c.state,
            order_intent.c.reason,
            order_intent.c.needs_person,
            order_intent.c.sent_at,
            order_intent.c.settle_at,
        )
        .select_from(copy_result)
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .outerjoin(order_intent, order_intent.c.client_order_id == copy_result.c.client_order_id)
        .where(_is_planned(), signal.c.kind == _ENTRY, signal.c.sequence > scope.after_signal)
    )
    rows: Iterable[Row[Any]] = connection.execute(query)
    yield from rows


def is_overdue(row: Row[Any], patience: Patience) -> bool:
    """Whether one of `planned_entries` should have had its answer by now."""
    settle = 0.0 if row.sent_at is None or row.settle_at is None else (row.settle_at - row.sent_at).total_seconds()
    return patience.is_over(max(row.created_at, row.planned_at), settle_seconds=settle)


def overdue_entries(connection: Connection, scope: Scope, patience: Patience) -> Iterator[Finding]:
    for row in planned_entries(connection, scope):
        if not is_overdue(row, patience):
            continue
        order = f"its order {row.client_order_id} is {row.state}" if row.client_order_id else "it has no order"
        why = "it waits for a person (python bot.py resolve)" if row.needs_person else row.reason
        text = f"{row.account_id} has no final answer to signal {row.signal_id} (entry {row.symbol}) after its time: "
        yield copy_finding(row.signal_id, row.account_id, text + order + (f", {why}" if why else ""))


# -- what is there ------------------------------------------------------------------------------------------------
def counts(connection: Connection, scope: Scope) -> dict[str, int]:
    """Signals, copies by status, orders: what the proof is about."""
    signals = select(func.count()).select_from(signal).where(signal.c.sequence > scope.after_signal)
    orders = select(func.count()).select_from(order_intent).where(order_intent.c.sequence >= scope.from_intent)
    by_status = (
        select(copy_result.c.status, func.count())
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .where(signal.c.sequence > scope.after_signal)
        .group_by(copy_result.c.status)
    )
    found = {"signals": int(connection.execute(signals).scalar_one())}
    found["orders"] = int(connection.execute(orders).scalar_one())
    return found | {str(status): int(number) for status, number in connection.execute(by_status)}


def exit_debt_count(connection: Connection, scope: Scope) -> int:
    """Mirrored exits without an answer: debts, which have no time limit."""
    query = (
        select(func.count())
        .select_from(copy_result)
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .where(_is_planned(), signal.c.kind == _EXIT, signal.c.sequence > scope.after_signal)
    )
    return int(connection.execute(query).scalar_one())


def _is_planned() -> Any:
    """By the index of (account, status), which is taken only when the accounts are told."""
    known = select(membership.c.account_id)
    return and_(copy_result.c.account_id.in_(known), copy_result.c.status == _PLANNED)
