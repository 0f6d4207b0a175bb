"""What a person should know of now, by the store and the disk: each cause with what it is about."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, select

from bot.diagnostics.debts import read_debts
from bot.diagnostics.drift import HARMLESS
from bot.diagnostics.overview import BEFORE_START
from bot.diagnostics.store_reading import bot_state, describe_age
from bot.domain.halt import HaltSource
from bot.domain.health import HealthState
from bot.domain.veto import VetoRule
from bot.settings import Settings
from bot.settings.loading import inherited_environment
from bot.storage import halts
from bot.storage.accounts import states
from bot.storage.alerts import AlertNow
from bot.storage.boots import SAFE_MODE_BY
from bot.storage.debts import unresolved_orders
from bot.storage.drifts import open_drifts
from bot.storage.ephemeral import throws_away
from bot.storage.intents import needing_a_person
from bot.storage.schema import exit_state, veto

# Every cause that somebody can be told of, and what it means. The last ones are events: over as soon as they are told.
CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "account_lost": "an account does not trade: it has failed, or its thread was shut out",
        "account_degraded": "an account makes no entries for some minutes; its exits go on",
        "no_cycle": "an account has not finished a cycle for more than two periods",
        "needs_person": "an order is in a state that only a person who looks at the brokerage can settle",
        "unknown_order": "for a minute it has not been known whether the brokerage took an order",
        "exit_debt": "a copied exit has been owed for a minute, and is not done",
        "unguarded": "no rule can sell a position now",
        "difference": "a brokerage and the books differ",
        "missing_answers": "users have no answer to a signal",
        "limit_hit": "a daily loss or a drawdown keeps an account from entries",
        "halted": "somebody or something has stopped entries",
        "storage_not_persistent": "the platform throws the state away at every restart",
        "disk_low": "the disk of the state directory is almost full",
        "crashed_boots": "the program has crashed at its start several times in a row, and makes no entries",
        "first_fill": "an account has had the first fill of its life",
        "stop_hit": "a position was sold by its stop",
        "build_changed": "another build of the program runs than before",
        "restarted": "the program runs again after an end that was not asked for",
    }
)
EVENTS = frozenset({"first_fill", "stop_hit", "build_changed", "restarted"})

CRITICAL, WARNING, INFO = "critical", "warning", "info"
# Less is not enough for a day of log and books.
DISK_LOW_BYTES = 500_000_000
DISK_FULL_BYTES = 100_000_000
# An account may be degraded for a moment; after this somebody should look.
DEGRADED_FOR = timedelta(minutes=5)
UNKNOWN_FOR = timedelta(seconds=60)
OWED_FOR_SECONDS = 60.0
LATE_AFTER_CYCLES = 2
LATE_BESIDES = timedelta(seconds=30)
LIMIT_HIT_WITHIN = timedelta(minutes=15)
# Told of by account_lost: a second alert of the same account would only end the pings of a bot that is well.
_TOLD_ELSEWHERE = (HealthState.FAILED, HealthState.QUARANTINED, HealthState.STOPPED)
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
        *_disk(settings),
    ]
    return list({one.key: one for one in found}.values())


def _accounts(connection: Connection, settings: Settings, now: datetime) -> Iterator[AlertNow]:
    period = timedelta(seconds=settings.pace.cycle_seconds)
    since = bot_state(connection, now=now).started_at
    for row in states(connection):
        if row.health is None or (since is not None and row.updated_at < since - BEFORE_START):
            continue  # as a run before this one has left it: not taken up yet, or not in the files any more
        if row.armed_at is None and row.health != HealthState.FAILED:
            continue
        yield from _lost(row, now)
        late = None if row.last_cycle_at is None else now - row.last_cycle_at
        if late is not None and late > LATE_AFTER_CYCLES * period + LATE_BESIDES and row.health not in _TOLD_ELSEWHERE:
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
        if halt.set_by == SAFE_MODE_BY:
            yield AlertNow("crashed_boots", "", CRITICAL, halt.sentence)
        else:
            # Who stops something by hand knows of it.
            by_hand = halt.source in (HaltSource.COMMAND, HaltSource.PAGE, HaltSource.TELEGRAM)
            yield AlertNow("halted", str(halt.id), INFO if by_hand else WARNING, halt.sentence)


def _disk(settings: Settings) -> Iterator[AlertNow]:
    directory = settings.state_dir
    try:
        free = shutil.disk_usage(directory).free
        platform = "" if settings.database_url is not None else throws_away(directory, inherited_environment())
    except OSError:
        return  # what is wrong with the directory is said by whoever writes to it
    if free < DISK_LOW_BYTES:
        severity = CRITICAL if free < DISK_FULL_BYTES else WARNING
        # In steps, so that it does not say something new at each look.
        yield AlertNow(
            "disk_low", "", severity, f"less than {_step_above(free)} MB are free on the disk of {directory}"
        )
    if platform:
        text = f"{platform} throws {directory} away at every restart, and with it open orders and positions"
        yield AlertNow("storage_not_persistent", "", WARNING, text)


def _step_above(free: int) -> int:
    """The smallest of a few figures that is more, in MB."""
    return next(step for step in (10, 50, 100, 200, 500) if free < step * 1_000_000)
