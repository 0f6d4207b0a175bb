"""Readings of what is still owed: mirrored exits without an answer, exits of our own under way, orders unresolved.

All of them are asked while the bot trades, by every scrape: they go through the indices by account, which there are
few of, and touch no row that has ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select

from bot.domain.order import FINAL_STATES, UNRESOLVED_STATES, IntentState, OrderKind
from bot.domain.signal import CopyStatus
from bot.storage.intents import OrderIntent, intent_of, intents_of_signal
from bot.storage.schema import account, account_state, copy_result, order_intent, signal
from bot.storage.waiting_stops import IS_WAITING_STOP

UNFINISHED = sorted(str(state) for state in set(IntentState) - FINAL_STATES)
_UNRESOLVED = sorted(str(state) for state in UNRESOLVED_STATES)
# SQLite takes an index of (account, status) only when it is told the accounts.
_EVERY_ACCOUNT = select(account.c.account_id)


@dataclass(frozen=True)
class ExitDebt:
    """One mirrored exit that has no answer yet: its signal and copy row, and its orders so far in their order."""

    row: Row[Any]
    orders: Sequence[OrderIntent]

    @property
    def filled(self) -> Decimal:
        """Base units sold for it so far."""
        return sum((order.filled_quantity for order in self.orders), Decimal(0))

    @property
    def left(self) -> Decimal | None:
        """Base units still to be sold; None before the exit was sized."""
        planned: Decimal | None = self.row.planned_quantity
        return None if planned is None else max(Decimal(0), planned - self.filled)


@dataclass(frozen=True)
class OwedNow:
    """Counts for a scrape. By brokerage: exits owed, and when the master traded the oldest of them."""

    exits: Mapping[str, int] = field(default_factory=dict)
    oldest: Mapping[str, datetime] = field(default_factory=dict)
    unresolved: int = 0
    needing_person: int = 0


def exit_debts(connection: Connection) -> list[ExitDebt]:
    """Every mirrored exit without an answer, the oldest execution of a master first.

    A row has the signal's columns, those of the copy that concern the debt, and the account's state as
    `health`, `health_reason`, `authenticated_at`, `hydrated_at` (null before it had one).
    """
    rows: Iterable[Row[Any]] = connection.execute(_DEBTS)
    return [ExitDebt(row, intents_of_signal(connection, row.account_id, row.signal_id)) for row in list(rows)]


def own_exits(connection: Connection) -> list[OrderIntent]:
    """Exits that no signal asked for (stops, targets), written down and without an end, oldest first.

    A stop that waits at the venue for its price is none.
    """
    query = (
        select(order_intent)
        .where(
            order_intent.c.account_id.in_(_EVERY_ACCOUNT),
            order_intent.c.state.in_(UNFINISHED),
            order_intent.c.kind == str(OrderKind.EXIT),
            ~IS_WAITING_STOP,
            ~exists().where(
                copy_result.c.account_id == order_intent.c.account_id,
                copy_result.c.signal_id == order_intent.c.signal_id,
                copy_result.c.status == str(CopyStatus.PLANNED),
            ),
        )
        .order_by(order_intent.c.sequence)
    )
    return [intent_of(row) for row in connection.execute(query)]


def unresolved_orders(connection: Connection) -> list[OrderIntent]:
    """Orders that were sent and whose outcome is not known, or of which a person must decide; oldest first."""
    query = (
        select(order_intent)
        .where(
            order_intent.c.account_id.in_(_EVERY_ACCOUNT),
            order_intent.c.state.in_(UNFINISHED),
            or_(order_intent.c.state.in_(_UNRESOLVED), order_intent.c.needs_person != ""),
        )
        .order_by(order_intent.c.sequence)
    )
    return [intent_of(row) for row in connection.execute(query)]


def owed_now(connection: Connection) -> OwedNow:
    """The counts of all that is owed or not known."""
    exits: dict[str, int] = {name: 0 for (name,) in connection.execute(select(account.c.broker).distinct())}
    oldest: dict[str, datetime] = {}
    for row in connection.execute(_COUNTS):
        exits[row.broker], oldest[row.broker] = row.owed, row.oldest
    return OwedNow(exits, oldest, *_unresolved(connection))


def waiting_copies(connection: Connection, account_id: str, symbol: str) -> list[Row[Any]]:
    """Copies of one account and symbol without an answer, in the order of their signals: each waits for the last."""
    query = (
        select(signal.c.signal_id, signal.c.kind, signal.c.sequence, copy_result.c.client_order_id)
        .join(copy_result, copy_result.c.signal_id == signal.c.signal_id)
        .where(
            copy_result.c.account_id == account_id,
            copy_result.c.status == str(CopyStatus.PLANNED),
            signal.c.symbol == symbol,
        )
        .order_by(signal.c.sequence)
    )
    return list(connection.execute(query))


def _unresolved(connection: Connection) -> tuple[int, int]:
    """(orders without a known outcome, orders that wait for a person): each counts in one of the two."""
    orders = unresolved_orders(connection)
    asking = sum(bool(order.needs_person) for order in orders)
    return len(orders) - asking, asking


_OWED = and_(
    copy_result.c.account_id.in_(_EVERY_ACCOUNT),
    copy_result.c.status == str(CopyStatus.PLANNED),
    signal.c.kind == str(OrderKind.EXIT),
)
_DEBTS = (
    select(
        signal.c.signal_id,
        signal.c.sequence,
        signal.c.broker,
        signal.c.symbol,
        signal.c.side,
        signal.c.size,
        signal.c.executed_at,
        copy_result.c.account_id,
        copy_result.c.client_order_id,
        copy_result.c.planned_quantity,
        copy_result.c.tries,
        copy_result.c.last_error,
        copy_result.c.last_try_at,
        account.c.user_id,
        account_state.c.health,
        account_state.c.health_reason,
        account_state.c.waiting_for,
        account_state.c.authenticated_at,
        account_state.c.hydrated_at,
    )
    .select_from(copy_result)
    .join(signal, signal.c.signal_id == copy_result.c.signal_id)
    .join(account, account.c.account_id == copy_result.c.account_id)
    .outerjoin(account_state, account_state.c.account_id == copy_result.c.account_id)
    .where(_OWED)
    .order_by(signal.c.executed_at, signal.c.sequence, copy_result.c.account_id)
)
_COUNTS = (
    select(signal.c.broker, func.count().label("owed"), func.min(signal.c.executed_at).label("oldest"))
    .select_from(copy_result)
    .join(signal, signal.c.signal_id == copy_result.c.signal_id)
    .where(_OWED)
    .group_by(signal.c.broker)
)
