"""Money and P&L: what there is, what it has made by day and by market, equity and drawdown over time."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from bot.console.answers import Asked, Refusal
from bot.console.api_orders import csv_line, csv_response
from bot.console.query_words import days
from bot.diagnostics.books_command import Ledger, open_ledger
from bot.diagnostics.chosen_days import ChosenDays
from bot.diagnostics.money import as_fields, read_purses
from bot.diagnostics.period_figures import TERMS, AccountPeriod, net_of, totals_of
from bot.diagnostics.period_json import period_fields, total_fields
from bot.diagnostics.period_performance import drawdown_line, equity_line
from bot.diagnostics.period_reading import UnknownName
from bot.diagnostics.pnl import read_periods
from bot.diagnostics.pnl_explained import by_asset, explain
from bot.diagnostics.row_fields import shown
from bot.diagnostics.store_reading import NoStore
from bot.storage.equity_lines import equity_line_of

# More points than a screen has cannot be told apart.
MOST_POINTS = 600


def money(asked: Asked) -> dict[str, Any]:
    """Available + held + positions = equity, by account and in total; `?account=`."""
    with _ledger(asked) as ledger:
        return as_fields(ledger, read_purses(ledger, asked.query.get("account") or None))


def pnl(asked: Asked) -> dict[str, Any]:
    """By account and day: `?account=`, `?from=`, `?to=`. With one account its equity line and markets, too."""
    chosen, account = days(asked.query), asked.query.get("account") or None
    with _ledger(asked) as ledger:
        periods = read_periods(ledger, chosen, account)
        return {
            "mode": ledger.mode,
            "time_zone": ledger.zone,
            "from": None if chosen.first is None else chosen.first.isoformat(),
            "to": None if chosen.last is None else chosen.last.isoformat(),
            "accounts": [_account(ledger, period, chosen, detailed=account is not None) for period in periods],
            "totals": total_fields(totals_of(periods, ledger.settings.currencies_at_par())),
        }


def _account(ledger: Ledger, period: AccountPeriod, chosen: ChosenDays, *, detailed: bool) -> dict[str, Any]:
    fields = period_fields(period)
    if not detailed:
        return fields
    since, until = chosen.moments(ledger.boundary)
    readings = equity_line_of(ledger.connection, period.account.account_id, since=since, until=until)
    ends = equity_line(period)
    slices = explain(ledger.connection, period, ledger.settings).slices
    return fields | {
        "equity_line": [[shown(at), shown(value)] for at, value in _thinned(readings)],
        "drawdown_line": [
            [shown(point.at), shown(fall)] for point, fall in zip(ends, drawdown_line(ends), strict=True)
        ],
        "by_asset": [
            {"asset": asset, "net": shown(made), "closed": closed} for asset, made, closed in by_asset(slices)
        ],
    }


def _thinned(line: list[tuple[datetime, Decimal]]) -> list[tuple[datetime, Decimal]]:
    """The first, the last, and of each stretch between the lowest and the highest: no fall gets lost."""
    if len(line) <= MOST_POINTS:
        return line
    stretch = -(-len(line) // (MOST_POINTS // 2))
    kept = [line[0]]
    for start in range(1, len(line) - 1, stretch):
        part = line[start : min(start + stretch, len(line) - 1)]
        low, high = min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])
        kept += sorted({low, high})
    return [*kept, line[-1]]


def pnl_csv(asked: Asked) -> Response:
    """A row per account and day: `?account=`, `?from=`, `?to=`."""
    names = ("day", "closes_at", "currency", "opening_equity", "equity")
    counts = ("turnover", "trades", "wins", "losses", "status", "problem")
    with _ledger(asked) as ledger:
        lines = [csv_line(["account", *names, "net", *TERMS, *counts])]
        for period in read_periods(ledger, days(asked.query), asked.query.get("account") or None):
            for day in period.days:
                row = [period.account.account_id, *(shown(getattr(day, name)) for name in names), shown(net_of(day))]
                row += [shown(getattr(day, name)) for name in (*TERMS, *counts)]
                lines.append(csv_line([str(value) if value is not None else "" for value in row]))
    return csv_response("pnl.csv", "".join(lines))


class _ledger:
    """The books as of one moment; what cannot be read, or an account that there is not, is a refusal."""

    def __init__(self, asked: Asked) -> None:
        self._opened = open_ledger(asked.context.settings)

    def __enter__(self) -> Ledger:
        try:
            return self._opened.__enter__()
        except NoStore as error:
            raise Refusal(503, str(error)) from error

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._opened.__exit__(None, None, None) if kind is UnknownName else self._opened.__exit__(kind, error, trace)
        if isinstance(error, UnknownName):
            raise Refusal(404, str(error)) from error
