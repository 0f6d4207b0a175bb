"""What the store says of each account: six facts with their time, health, balance, and whether it trades."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from bot.diagnostics.store_reading import BotState, bot_state, describe_age, now, read_store
from bot.domain.money import plain
from bot.seams.clock import format_time
from bot.settings import Settings
from bot.storage.accounts import states
from bot.storage.positions import positions_of

FACTS = ("configured", "authenticated", "permitted", "funded", "armed")


@dataclass(frozen=True)
class Account:
    """One account as last written by the bot."""

    row: Row[Any]
    positions: int
    seen_at: datetime
    cycle_seconds: float
    bot_runs: bool

    @property
    def label(self) -> str:
        return str(self.row.account_id)

    @property
    def is_master(self) -> bool:
        return bool(self.row.account_type == "master")

    @property
    def why_not_trading(self) -> str:
        """Empty when it trades: armed, healthy, and its last cycle is younger than three periods."""
        row = self.row
        if not self.bot_runs:
            return "the bot is not running"
        if row.armed_at is None:
            return row.waiting_for or row.health_reason or "not armed yet"
        if row.health != "healthy":
            return f"{row.health}: {row.health_reason}" if row.health_reason else str(row.health)
        if row.last_cycle_at is None:
            return "no cycle has ended yet"
        age = self.seen_at - row.last_cycle_at
        if age > timedelta(seconds=3 * self.cycle_seconds):
            return f"its last cycle ended {describe_age(age)} ago"
        return ""

    def facts(self) -> dict[str, datetime | None]:
        """The six facts: since when each is true, or None. The sixth is the newest of last order and last fill."""
        latest = [moment for moment in (self.row.last_order_at, self.row.last_fill_at) if moment is not None]
        facts = {name: getattr(self.row, f"{name}_at") for name in FACTS}
        return facts | {"last order or fill": max(latest, default=None)}

    def balance_text(self) -> str:
        """`950.00 USD (fresh, 3 s)`, `950.00 USD (stale, 5 min: …)`, or `unknown: …`; never a made-up zero."""
        row = self.row
        if row.cash_available is None or row.balance_taken_at is None:
            return f"unknown: {row.balance_reason}"
        total = row.cash_available + row.cash_held
        age = describe_age(self.seen_at - row.balance_taken_at)
        because = f": {row.balance_reason}" if row.balance_reason else ""
        held = f", {row.cash_held:.2f} of it in orders" if row.cash_held else ""
        return f"{total:.2f} {row.quote_currency} ({row.balance_status}, {age}{because}){held}"

    def as_json(self) -> dict[str, Any]:
        row = self.row
        return {
            "account": row.account_id,
            "broker": row.broker,
            "account_type": row.account_type,
            "user_id": row.user_id,
            "name": row.name,
            "mode": row.mode,
            "trading": not self.why_not_trading,
            "why_not_trading": self.why_not_trading,
            "health": row.health,
            "health_reason": row.health_reason,
            "health_since": _time(row.health_since),
            "step": row.step,
            "cycles": row.cycles,
            "last_cycle_at": _time(row.last_cycle_at),
            "error_count": row.error_count,
            "waiting_for": row.waiting_for,
            "facts": {name: _time(moment) for name, moment in self.facts().items()},
            "last_order_at": _time(row.last_order_at),
            "last_fill_at": _time(row.last_fill_at),
            "balance": {
                "status": row.balance_status,
                "reason": row.balance_reason,
                "errors": row.balance_errors,
                "taken_at": _time(row.balance_taken_at),
                "currency": row.quote_currency,
                "available": None if row.cash_available is None else plain(row.cash_available),
                "held": None if row.cash_held is None else plain(row.cash_held),
                "holdings": json.loads(row.holdings_json or "{}"),
            },
            "positions": self.positions,
            "updated_at": _time(row.updated_at),
        }


def read_accounts(settings: Settings) -> tuple[BotState, Sequence[Account]]:
    """The bot's state and all its accounts, masters first. Raises `NoStore`."""
    seen_at = now()
    with read_store(settings.state_dir) as connection:
        state = bot_state(connection, now=seen_at)
        return state, [
            Account(row, _positions(connection, row), seen_at, settings.pace.cycle_seconds, state.running)
            for row in states(connection)
            if row.health is not None
        ]


def _positions(connection: Connection, row: Row[Any]) -> int:
    return len(positions_of(connection, row.account_id))


def print_json(state: BotState, accounts: Sequence[Account], **more: Any) -> None:
    print(json.dumps(document(state, accounts) | more, indent=2))


def document(state: BotState, accounts: Sequence[Account]) -> dict[str, Any]:
    """What every account command prints with `--json`."""
    return {
        "running": state.running,
        "mode": state.mode,
        "said": state.sentence,
        "started_at": _time(state.started_at),
        "last_seen_at": _time(state.last_seen_at),
        "accounts": [account.as_json() for account in accounts],
    }


def by_kind(accounts: Sequence[Account]) -> Mapping[str, Sequence[Account]]:
    return {
        "MASTERS": [account for account in accounts if account.is_master],
        "USERS": [account for account in accounts if not account.is_master],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
