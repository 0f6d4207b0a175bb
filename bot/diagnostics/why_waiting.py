"""What of an account waits: copies without an answer, and rests that are too small to be sold."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from bot.diagnostics.debts import awaited
from bot.diagnostics.listing import short
from bot.diagnostics.store_reading import BotState
from bot.diagnostics.why_answer import Answer, Listing
from bot.diagnostics.why_subject import Subject
from bot.domain.order import OrderKind
from bot.domain.signal import CopyStatus
from bot.storage.debts import ExitDebt
from bot.storage.dust import dust_of
from bot.storage.intents import intents_of_signal
from bot.storage.schema import account, account_state, copy_result, signal


def say_waiting_copies(connection: Connection, subject: Subject, symbol: str | None, answer: Answer) -> None:
    """A sentence for each, oldest first; of one market or of all."""
    for row in _waiting(connection, subject.label, symbol):
        what = f"Its copy of the {row.kind} {short(row.signal_id)} ({row.side} {row.symbol})"
        answer.say(f"{what} has no answer yet; it waits for {_awaited(connection, row, subject.state)}")


def _awaited(connection: Connection, row: Row[Any], state: BotState) -> str:
    copy = ExitDebt(row, intents_of_signal(connection, row.account_id, row.signal_id))
    first = row.kind == OrderKind.ENTRY and row.hydrated_at is None and row.authenticated_at is not None
    # An exit needs no such comparison.
    if state.running and first and not copy.orders:
        return "its account to be compared with its venue for the first time"
    return awaited(connection, copy, state)


def _waiting(connection: Connection, label: str, symbol: str | None) -> Sequence[Row[Any]]:
    """With the columns of a debt."""
    states = account_state.c
    query: Select[Any] = (
        select(
            *(signal.c.signal_id, signal.c.sequence, signal.c.symbol, signal.c.side, signal.c.kind),
            *(copy_result.c.account_id, copy_result.c.planned_quantity, copy_result.c.tries, copy_result.c.last_error),
            *(states.health, states.health_reason, states.waiting_for, states.authenticated_at, states.hydrated_at),
        )
        .select_from(copy_result)
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .join(account, account.c.account_id == copy_result.c.account_id)
        .outerjoin(account_state, states.account_id == copy_result.c.account_id)
        .where(copy_result.c.account_id == label, copy_result.c.status == str(CopyStatus.PLANNED))
    )
    if symbol is not None:
        query = query.where(signal.c.symbol == symbol)
    rows: Sequence[Row[Any]] = connection.execute(query.order_by(signal.c.sequence)).all()
    return rows


def dust_listing(connection: Connection, label: str) -> Listing:
    """All rests of the account that nobody can sell yet, oldest first."""
    columns = {
        "symbol": "symbol",
        "quantity": "quantity",
        "closed_at": "since",
        "retry_at": "looked at again (UTC)",
        "reason": "because",
    }
    rows = [
        {
            "symbol": item.symbol,
            "quantity": item.quantity,
            "average_entry_price": item.average_entry_price,
            "closed_at": item.closed_at,
            "retry_at": None if item.retry_at is None else f"{item.retry_at:%Y-%m-%d %H:%M:%S}",
            "reason": item.reason or "-",
        }
        for item in dust_of(connection, label)
    ]
    return Listing("dust", "Rests that are too small to be sold", columns, rows)
