"""What `python bot.py status` shows: one word for the whole, accounts, money, positions, debts, alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot.build import build_of
from bot.diagnostics.books_command import open_ledger
from bot.diagnostics.debts import read_debts
from bot.diagnostics.held_positions import nearest_first, read_positions
from bot.diagnostics.listing import seconds_since, time_text
from bot.diagnostics.one_word import first_gate, word_of
from bot.diagnostics.overview import Overview, read_overview
from bot.diagnostics.period_figures import AccountPeriod, CurrencyTotal, totals_of
from bot.diagnostics.period_json import total_fields
from bot.diagnostics.pnl import chosen_of, read_periods
from bot.diagnostics.row_fields import fields_of
from bot.settings import Settings
from bot.storage import halts
from bot.storage.alerts import open_alerts

_ALERT = ("cause", "subject", "severity", "text", "since", "acked_by")


@dataclass(frozen=True)
class Status:
    """The bot at one moment. `word` has `state`, `text` and `why`; money is of the running day."""

    now: datetime
    overview: Overview
    word: Mapping[str, Any]
    gate: str
    positions: Sequence[Mapping[str, Any]]
    debts: Sequence[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]]
    periods: Sequence[AccountPeriod]
    totals: Sequence[CurrencyTotal]
    build: Mapping[str, str]
    mode: str

    @property
    def wrong(self) -> bool:
        """Somebody who should trade does not, or there is something to look into."""
        idle = any(one.why_not_trading and not one.not_configured for one in self.overview.accounts)
        return self.word["state"] != "trading" or idle or bool(self.overview.attention) or bool(self.alerts)

    def as_json(self) -> dict[str, Any]:
        """Amounts are text, times UTC, and what is not known is null."""
        overview = self.overview.as_json()
        return {
            "state": self.word["state"],
            "why": self.word["why"],
            "gate": self.gate,
            **overview,
            "mode": self.mode,
            "uptime_seconds": self.uptime_seconds,
            "money": total_fields(self.totals),
            "today": {one.account.account_id: None if one.net is None else str(f"{one.net:f}") for one in self.periods},
            "positions": list(self.positions),
            "debts": list(self.debts),
            "alerts": list(self.alerts),
            "build": self.build["build"],
            "configuration": self.build["configuration"],
            "read_at": time_text(self.now),
        }

    @property
    def uptime_seconds(self) -> float | None:
        return seconds_since(self.overview.state.started_at, self.now) if self.overview.state.running else None


def read_status(settings: Settings) -> Status:
    """As the store says now. Raises `NoStore`."""
    overview = read_overview(settings)
    with open_ledger(settings) as ledger:
        connection, moment = ledger.connection, ledger.now
        stopped = halts.all_in_force(connection)
        periods = read_periods(ledger, chosen_of(ledger, 1))
        return Status(
            now=moment,
            overview=overview,
            word=word_of(overview, stopped),
            gate=first_gate(overview, stopped),
            positions=nearest_first(read_positions(connection, moment)),
            debts=read_debts(connection, moment).debts,
            alerts=_alerts(connection, moment),
            periods=periods,
            totals=totals_of(periods, settings.currencies_at_par()),
            build=build_of(settings),
            mode=ledger.mode,
        )


def _alerts(connection: Connection, moment: datetime) -> Sequence[Mapping[str, Any]]:
    rows = open_alerts(connection).values()
    return [fields_of(row, _ALERT) | {"age_seconds": seconds_since(row.since, moment)} for row in rows]
