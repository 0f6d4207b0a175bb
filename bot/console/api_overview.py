"""The first screen: one word for the whole, the first closed gate, accounts, money, positions, debts, events."""

from typing import Any

from bot.build import build_of
from bot.console.answers import Asked, Refusal
from bot.console.api_events import latest_events
from bot.console.cache import Cached
from bot.console.context import Context
from bot.diagnostics.books_command import open_ledger
from bot.diagnostics.debts import read_debts
from bot.diagnostics.drills import last as drills
from bot.diagnostics.halts import as_fields as halt_fields
from bot.diagnostics.held_positions import nearest_first, read_positions
from bot.diagnostics.money import as_fields, read_purses
from bot.diagnostics.one_word import first_gate, word_of
from bot.diagnostics.overview import read_overview
from bot.diagnostics.period_figures import totals_of
from bot.diagnostics.period_json import period_fields, total_fields
from bot.diagnostics.pnl import chosen_of, read_periods
from bot.diagnostics.row_fields import age_seconds
from bot.diagnostics.store_reading import NoStore
from bot.storage import halts

OVERVIEW_SECONDS = 1.0
# What a figure of the books costs grows with the number of accounts; readings come every few minutes.
MONEY_SECONDS = 5.0
EVENTS_SHOWN = 10
# It is sent to everybody each second: all of them are on a page of their own.
POSITIONS_SHOWN = 40


class FirstScreen:
    """Worked out once for everybody who looks; parts that change seldom are kept a little longer."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._build = build_of(context.settings)
        self._accounts = Cached(context.clock, OVERVIEW_SECONDS, self._read_accounts)
        self._money = Cached(context.clock, MONEY_SECONDS, self._read_money)

    def read(self) -> dict[str, Any]:
        """All of it. Raises `Refusal` (503) while the store cannot be read."""
        return {**self._accounts.value(), **self._money.value()}

    def _read_accounts(self) -> dict[str, Any]:
        context = self._context
        try:
            overview = read_overview(context.settings)
        except NoStore as error:
            raise Refusal(503, str(error)) from error
        now = context.now()
        with context.read() as connection:
            stopped = halts.all_in_force(connection)
            owed = read_debts(connection, now)
            positions = nearest_first(read_positions(connection, now))
            events = latest_events(connection, limit=EVENTS_SHOWN)
            drilled = drills.summary(connection, now)
        listed = overview.as_json()
        return {
            "word": word_of(overview, stopped),
            "gate": first_gate(overview, stopped),
            "running": overview.state.running,
            "mode": overview.state.mode or context.settings.trading_mode,
            "said": overview.sentence,
            "started_at": listed["started_at"],
            "uptime_seconds": age_seconds(overview.state.started_at, now) if overview.state.running else None,
            "last_seen_age_seconds": age_seconds(overview.state.last_seen_at, now),
            "attention": listed["attention"],
            "accounts": listed["accounts"],
            "notes": overview.notes(),
            "halts": [halt_fields(halt) for halt in stopped],
            "positions": positions[:POSITIONS_SHOWN],
            "held": len(positions),
            "debts": list(owed.debts),
            "own_exits": list(owed.own),
            "events": events,
            "build": self._build,
            "drilled": drilled,
        }

    def _read_money(self) -> dict[str, Any]:
        try:
            with open_ledger(self._context.settings) as ledger:
                money = as_fields(ledger, read_purses(ledger))
                periods = read_periods(ledger, chosen_of(ledger, 1))
                today = total_fields(totals_of(periods, ledger.settings.currencies_at_par()))
                by_account = {one.account.account_id: period_fields(one, with_days=False) for one in periods}
        except NoStore as error:
            raise Refusal(503, str(error)) from error
        return {"money": money, "today": {"totals": today, "accounts": by_account}}


def overview(asked: Asked) -> dict[str, Any]:
    """Everything of the first screen."""
    return asked.context.first_screen.read()
