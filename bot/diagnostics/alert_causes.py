"""What a person should know of now, by the store: each cause with what it is about."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from bot.diagnostics.debts import read_debts
from bot.diagnostics.drift import HARMLESS
from bot.diagnostics.store_reading import describe_age
from bot.domain.health import HealthState
from bot.domain.veto import VetoRule
from bot.settings import Settings
from bot.storage import halts
from bot.storage.accounts import states
from bot.storage.alerts import AlertNow
from bot.storage.debts import unresolved_orders
from bot.storage.drifts import open_drifts
from bot.storage.intents import needing_a_person
from bot.storage.schema import exit_state, veto

CRITICAL, WARNING = "critical", "warning"
# An account may be degraded for a moment; after this somebody should look.
DEGRADED_FOR = timedelta(minutes=5)
UNKNOWN_FOR = timedelta(seconds=60)
OWED_FOR_SECONDS = 60.0
LATE_AFTER_CYCLES = 2
LATE_BESIDES = timedelta(seconds=30)
LIMIT_HIT_WITHIN = timedelta(minutes=15)
_LOSSES = (str(VetoRule.DAILY_LOSS), str(VetoRule.DRAWDOWN))


def causes(connection: Connection, settings: Settings, now: datetime, *, missing: int) -> Sequence[AlertNow]:
    """All that hold now, one of each kind and subject. `missing`: answers of users to signals that should be there."""
    found = [
        *_accounts(connection, settings, now),
        *_orders(connection, now),
        *_exits(connection, now),
        *_differences(connection),
        *_answers(missing),
        *_limits(connection, now),
        *_halts(connection),
    ]
    return list({one.key: one for one in found}.values())


def _accounts(connection: Connection, settings: Settings, now: datetime) -> Iterator[AlertNow]:
    period = timedelta(seconds=settings.pace.cycle_seconds)
    for row in states(connection):
        if row.health is None or (row.armed_at is None and row.health not in (HealthState.FAILED,)):
            continue
        yield from _lost(row, now)
        late = None if row.last_cycle_at is None else now - row.last_cycle_at
        if late is not None and late > LATE_AFTER_CYCLES * period + LATE_BESIDES and row.health != HealthState.STOPPED:
            text = f"no cycle has ended for {describe_age(late)}"
            yield AlertNow("no_cycle", row.account_id, CRITICAL, text)


def _lost(row: Any, now: datetime) -> Iterator[AlertNow]:
    because = f": {row.health_reason}" if row.health_reason else ""
    if row.health in (HealthState.FAILED, HealthState.QUARANTINED):
        yield AlertNow("account_lost", row.account_id, CRITICAL, f"{row.health}{because}")
    elif row.health == HealthState.DEGRADED and now - row.health_since > DEGRADED_FOR:
        yield AlertNow("account_degraded", row.account_id, WARNING, f"degraded{because}")


def _orders(connection: Connection, now: datetime) -> Iterator[AlertNow]:
    for order in needing_a_person(connection):
        about = f"{order.account_id} {order.symbol}"
        yield AlertNow("needs_person", order.client_order_id, CRITICAL, f"{about}: {order.needs_person}")
    for order in unresolved_orders(connection):
        if now - (order.sent_at or order.created_at) > UNKNOWN_FOR and not order.needs_person:
            text = f"{order.account_id}: whether the brokerage has taken a {order.side} of {order.symbol} is not known"
            yield AlertNow("unknown_order", order.client_order_id, WARNING, text)


def _exits(connection: Connection, now: datetime) -> Iterator[AlertNow]:
    seen = read_debts(connection, now)
    for debt in seen.debts:
        if debt["age_seconds"] > OWED_FOR_SECONDS:
            text = f"an exit of {debt['symbol']} is owed: {debt['waits_for']}"
            yield AlertNow("exit_debt", f"{debt['account']} {debt['symbol']}", CRITICAL, text)
    rows = connection.execute(select(exit_state).where(exit_state.c.status == "unguarded"))
    for row in rows:
        yield AlertNow("unguarded", f"{row.account_id} {row.symbol}", CRITICAL, row.reason or "nothing guards it")


def _differences(connection: Connection) -> Iterator[AlertNow]:
    for row in open_drifts(connection):
        if row.kind not in HARMLESS:
            yield AlertNow("difference", f"{row.account_id} {row.kind} {row.subject}", WARNING, row.detail)


def _answers(missing: int) -> Iterator[AlertNow]:
    if missing:
        yield AlertNow("missing_answers", "", CRITICAL, f"{missing} answers of users to signals are missing")


def _limits(connection: Connection, now: datetime) -> Iterator[AlertNow]:
    query = select(veto).where(veto.c.at >= now - LIMIT_HIT_WITHIN, veto.c.rule.in_(_LOSSES)).order_by(veto.c.id)
    for row in connection.execute(query):
        yield AlertNow("limit_hit", f"{row.account_id} {row.rule}", WARNING, row.detail)


def _halts(connection: Connection) -> Iterator[AlertNow]:
    for halt in halts.all_in_force(connection):
        yield AlertNow("halted", str(halt.id), WARNING, halt.sentence)
