"""What the store says of each account: six facts with their time, health, balance, and whether it trades."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from bot.diagnostics.store_reading import describe_age
from bot.domain.balance import BalanceStatus
from bot.domain.health import Phase
from bot.domain.money import plain
from bot.execution.account_status import TAKER_FEE
from bot.seams.clock import format_time
from bot.storage.equity_points import EquityPoint

FACTS = ("configured", "authenticated", "permitted", "funded", "armed")
LATE_AFTER_CYCLES = 3


@dataclass(frozen=True)
class Reader:
    """When the store was read, and what turns its rows into words."""

    seen_at: datetime
    cycle_seconds: float
    balance_max_age_seconds: float
    bot_runs: bool


@dataclass(frozen=True)
class Account:
    """One account as last written by the bot. `taken_up` is false for one that the running bot has not touched."""

    row: Row[Any]
    positions: int
    reader: Reader
    taken_up: bool = True
    # What it was worth when somebody last looked; None = nobody did.
    worth: EquityPoint | None = None

    @property
    def label(self) -> str:
        return str(self.row.account_id)

    @property
    def is_master(self) -> bool:
        return bool(self.row.account_type == "master")

    @property
    def not_configured(self) -> bool:
        """It has no key at all: nobody asked it to trade. Half a key, or a wrong one, is something else."""
        row = self.row
        return bool(row.phase == Phase.STOPPED and row.configured_at is None and row.armed_at is None)

    @property
    def why_not_trading(self) -> str:
        """Empty when it trades: armed, healthy, and its last cycle is younger than three periods."""
        row = self.row
        if not self.reader.bot_runs:
            return "the bot is not running"
        if not self.taken_up:
            return "the running bot does not know this account yet; restart it"
        if row.armed_at is None:
            return row.waiting_for or row.health_reason or "not armed yet"
        if row.health != "healthy":
            return f"{row.health}: {row.health_reason}" if row.health_reason else str(row.health)
        if row.last_cycle_at is None:
            return "no cycle has ended yet"
        age = self.reader.seen_at - row.last_cycle_at
        if abs(age) > timedelta(seconds=LATE_AFTER_CYCLES * self.reader.cycle_seconds):
            return f"its last cycle ended {describe_age(abs(age))} ago"
        return ""

    def facts(self) -> dict[str, datetime | None]:
        """The six facts: since when each is true, or None. The sixth is the newest of last order and last fill."""
        latest = [moment for moment in (self.row.last_order_at, self.row.last_fill_at) if moment is not None]
        facts = {name: getattr(self.row, f"{name}_at") for name in FACTS}
        return facts | {"last order or fill": max(latest, default=None)}

    def proofs(self) -> dict[str, str]:
        """What proved each fact that is true, by the fact's name; of the last order and fill, the newer one."""
        kept: dict[str, str] = json.loads(self.row.proofs_json)
        order, fill = self.row.last_order_at, self.row.last_fill_at
        fill_is_newer = fill is not None and (order is None or fill >= order)
        latest = kept.get("last_fill" if fill_is_newer else "last_order", "")
        proofs = {name: kept.get(name, "") for name, moment in self.facts().items() if moment is not None}
        orders = {"orders": kept["orders"]} if kept.get("orders") else {}
        return proofs | orders | ({"last order or fill": latest} if "last order or fill" in proofs else {})

    @property
    def taker_fee_percent(self) -> Decimal | None:
        """Of the notional, where the brokerage has told one for all markets."""
        told = json.loads(self.row.proofs_json).get(TAKER_FEE)
        return None if told is None else Decimal(told)

    @property
    def notes(self) -> list[str]:
        """What it waits for and what should be changed, while it trades or not."""
        row = self.row
        waits = row.waiting_for if row.waiting_for != self.why_not_trading else ""
        return [note for note in (row.warning and f"WARNING: {row.warning}", waits) if note]

    def age_of(self, moment: datetime) -> str:
        """How long ago, in words."""
        return describe_age(self.reader.seen_at - moment)

    @property
    def balance_status(self) -> BalanceStatus:
        """As the bot wrote it, except that a balance which nobody read for long is no longer fresh."""
        row = self.row
        if row.cash_available is None or row.balance_taken_at is None:
            return BalanceStatus.UNKNOWN
        status = BalanceStatus(row.balance_status)
        limit = timedelta(seconds=self.reader.balance_max_age_seconds)
        if status is BalanceStatus.FRESH and self.reader.seen_at - row.balance_taken_at > limit:
            return BalanceStatus.STALE
        return status

    def balance_text(self) -> str:
        """`950.00 USD (fresh, 3 s)`, `950.00 USD (stale, 5 min: …)`, or `unknown: …`; never a made-up zero."""
        row, status = self.row, self.balance_status
        if status is BalanceStatus.UNKNOWN:
            return f"unknown: {row.balance_reason or 'no balance was read yet'}"
        because = f": {row.balance_reason}" if row.balance_reason else ""
        held = f", {row.cash_held:.2f} of it in orders" if row.cash_held else ""
        total = f"{row.cash_available + row.cash_held:.2f} {row.quote_currency}"
        return f"{total} ({status}, {self.age_of(row.balance_taken_at)}{because}){held}"

    def worth_text(self) -> str:
        """`15000.00 USD (20 s ago)`, with what was not valued for want of a price."""
        point = self.worth
        if point is None:
            return "not known yet"
        apart = "".join(f", {plain(units)} {asset} not valued" for asset, units in sorted(point.unpriced.items()))
        return f"{point.equity:.2f} {point.currency} ({self.age_of(point.at)} ago){apart}"

    def as_json(self) -> dict[str, Any]:
        """Amounts are text, times UTC, and what is not known is null."""
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
            "phase": row.phase,
            "health_reason": row.health_reason,
            "health_since": time_text(row.health_since),
            "step": row.step,
            "cycles": row.cycles,
            "last_cycle_at": time_text(row.last_cycle_at),
            "error_count": row.error_count,
            "waiting_for": row.waiting_for,
            "facts": {name: time_text(moment) for name, moment in self.facts().items()},
            "proofs": self.proofs(),
            "warning": row.warning,
            "last_order_at": time_text(row.last_order_at),
            "last_fill_at": time_text(row.last_fill_at),
            "balance": self._balance_json(),
            "worth": self._worth_json(),
            "positions": self.positions,
            "updated_at": time_text(row.updated_at),
        }

    def _worth_json(self) -> dict[str, Any] | None:
        point = self.worth
        if point is None:
            return None
        return {
            "currency": point.currency,
            "equity": plain(point.equity),
            "at": format_time(point.at),
            "oldest_price_at": time_text(point.oldest_price_at),
            "unpriced": {asset: plain(units) for asset, units in sorted(point.unpriced.items())},
        }

    def _balance_json(self) -> dict[str, Any]:
        row, status = self.row, self.balance_status
        known = status is not BalanceStatus.UNKNOWN
        return {
            "status": str(status),
            "reason": row.balance_reason,
            "errors": row.balance_errors,
            "taken_at": time_text(row.balance_taken_at),
            "currency": row.quote_currency,
            "available": plain(row.cash_available) if known else None,
            "held": plain(row.cash_held) if known else None,
            "holdings": json.loads(row.holdings_json) if known else None,
        }


def by_kind(accounts: Sequence[Account]) -> Mapping[str, Sequence[Account]]:
    return {
        "MASTERS": [account for account in accounts if account.is_master],
        "USERS": [account for account in accounts if not account.is_master],
    }


def time_text(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
