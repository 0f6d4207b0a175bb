"""`python bot.py users`: each user with what the file says, how the account is, and its last copy."""

import argparse
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from bot.diagnostics.accounts import Account, Reader
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.listed_answer import Seen, tell
from bot.diagnostics.listing import age, count, time_text
from bot.diagnostics.overview import BEFORE_START
from bot.diagnostics.why_answer import Answer, Cell, Listing
from bot.domain.money import plain
from bot.settings import Settings
from bot.settings.users import UserSettings
from bot.storage.accounts import states
from bot.storage.schema import copy_result, signal
from bot.storage.symbol_pauses import pauses

COLUMNS = {
    "user": "user",
    "class": "class",
    "broker": "brokerage",
    "copies": "copies by",
    "health": "now",
    "last_copy": "last copy",
    "paused": "paused",
}


def add(commands: Commands) -> None:
    """Declare the command."""
    add_command(
        commands,
        "users",
        "each user: class, brokerage, how it copies, whether it trades, its last copy, paused markets",
        _run,
        codes="0 all that are enabled trade, 1 one does not, 2 wrong use or configuration, 3 the bot is not running",
        examples=["users", "users --json"],
    )


def _run(settings: Settings, words: argparse.Namespace) -> int:
    return tell(settings, list_users, name="users", as_json=words.json)


def list_users(seen: Seen, answer: Answer) -> None:
    """All of the user files, in their order."""
    known, paused = _accounts(seen), _paused(seen.connection)
    shown: list[Mapping[str, Cell]] = []
    exact: list[Mapping[str, Any]] = []
    for user in seen.settings.users:
        account, last = known.get(user.account.label), _last_copy(seen.connection, user.account.label)
        held_back = paused.get(user.account.label, [])
        fields = _fields(user, account, seen) | {"last_copy": _copy_fields(last), "paused_symbols": held_back}
        answer.wrong |= user.enabled and not fields["trading"]
        exact.append(fields)
        shown.append(
            {
                "user": user.user_id,
                "class": user.account_type,
                "broker": str(user.broker),
                "copies": _mode_words(user),
                "health": _state_words(fields, runs=seen.state.running),
                "last_copy": _copy_words(last, seen),
                "paused": ", ".join(held_back) or "-",
            }
        )
    people = len({user.user_id for user in seen.settings.users})
    accounts = count(len(shown), "account")
    answer.say(f"{count(people, 'user')} with {accounts}" if shown else "There is no user yet: python bot.py init-user")
    answer.show(Listing("users", "Users", COLUMNS, shown, exact, wraps=("health", "last_copy", "paused")))


def _accounts(seen: Seen) -> Mapping[str, Account]:
    pace, balance = seen.settings.pace, seen.settings.balance
    reader = Reader(seen.now, pace.cycle_seconds, balance.max_age_seconds, seen.state.running)
    since = seen.state.started_at
    rows = [row for row in states(seen.connection) if row.health is not None]
    return {
        row.account_id: Account(row, 0, reader, since is not None and row.updated_at >= since - BEFORE_START)
        for row in rows
    }


def _paused(connection: Connection) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in pauses(connection):
        found.setdefault(row.account_id, []).append(row.symbol)
    return found


def _fields(user: UserSettings, account: Account | None, seen: Seen) -> dict[str, Any]:
    why = "the bot has not seen this account yet" if account is None else account.why_not_trading
    why = why if seen.state.running else "the bot is not running"
    return {
        "user_id": user.user_id,
        "name": user.name,
        "account": user.account.label,
        "account_type": user.account_type,
        "broker": str(user.broker),
        "enabled": user.enabled,
        "shadow": user.shadow,
        "copy_mode": user.copy_rules.copy_mode,
        "risk_multiplier": plain(user.copy_rules.risk_multiplier),
        "health": None if account is None else account.row.health,
        "trading": user.enabled and not why,
        "why_not_trading": why if user.enabled else "switched off in its file",
        "file": user.source_file,
    }


def _mode_words(user: UserSettings) -> str:
    rules = user.copy_rules
    size = {"fixed_amount": rules.fixed_amount_usd, "fixed_ratio": rules.fixed_ratio}.get(rules.copy_mode)
    told = rules.copy_mode.replace("_", " ") + (f" {plain(size)}" if size is not None else "")
    return told if rules.risk_multiplier == 1 else f"{told} × {plain(rules.risk_multiplier)}"


def _state_words(fields: Mapping[str, Any], *, runs: bool) -> str:
    if fields["enabled"] and not runs:
        return "-"
    told = "trades" if fields["trading"] else str(fields["why_not_trading"])
    return f"{told} (shadow: no orders)" if fields["shadow"] else told


def _last_copy(connection: Connection, account_id: str) -> Row[Any] | None:
    query = (
        select(signal.c.signal_id, signal.c.symbol, signal.c.side, signal.c.executed_at, copy_result.c.status)
        .add_columns(copy_result.c.reason, copy_result.c.answered_at)
        .join(copy_result, copy_result.c.signal_id == signal.c.signal_id)
        .where(copy_result.c.account_id == account_id)
        .order_by(signal.c.sequence.desc())
        .limit(1)
    )
    return connection.execute(query).first()


def _copy_fields(last: Row[Any] | None) -> dict[str, Any] | None:
    if last is None:
        return None
    names = ("signal_id", "symbol", "side", "status", "reason")
    times = {name: time_text(getattr(last, name)) for name in ("executed_at", "answered_at")}
    return {name: getattr(last, name) for name in names} | times


def _copy_words(last: Row[Any] | None, seen: Seen) -> str:
    if last is None:
        return "none yet"
    reason = f" {last.reason}" if last.reason else ""
    return f"{last.status.replace('_', ' ')}{reason}: {last.side} {last.symbol}, {age(last.executed_at, seen.now)} ago"
