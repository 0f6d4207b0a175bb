"""`python bot.py report --html FILE`: one page with all of it, to be opened anywhere."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import exit_codes
from bot.diagnostics.books_command import Ledger, open_ledger, refuse
from bot.diagnostics.chosen_days import ChosenDays, add_days, days_of
from bot.diagnostics.command_line import DOCUMENT, Commands, add_command
from bot.diagnostics.fidelity_figures import fidelity_figures
from bot.diagnostics.listing import cannot_read, print_json
from bot.diagnostics.period_figures import AccountPeriod, totals_of
from bot.diagnostics.period_json import period_fields, total_fields
from bot.diagnostics.period_reading import UnknownName, listed_accounts, read_period
from bot.diagnostics.pnl_explained import by_asset, explain
from bot.diagnostics.report.account_part import ReportedAccount
from bot.diagnostics.report.report_page import report_page
from bot.diagnostics.store_reading import NoStore
from bot.settings import Settings
from bot.storage.equity_lines import equity_line_of
from bot.storage.files import write_atomically


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Where the page goes to, of which account (None: all) and which days."""

    html: str
    account: str | None
    days: ChosenDays


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "report",
        "one page with pictures: equity, drawdown, P&L by day and symbol, fees, copying",
        _report,
        codes=DOCUMENT,
        examples=["report --html report.html", "report --html november.html --from 2026-11-01 --to 2026-11-30"],
    )
    made.add_argument("--html", required=True, metavar="FILE", help="where the page is written to; it loads nothing")
    made.add_argument("--account", metavar="ACCOUNT", help="only this one")
    add_days(made)
    made.set_defaults(refuse=made.error)


def _report(settings: Settings, words: argparse.Namespace) -> int:
    wanted = Wanted(html=words.html, account=words.account, days=days_of(words))
    return run(settings, wanted, as_json=words.json)


def run(settings: Settings, wanted: Wanted, *, as_json: bool) -> int:
    """Write the page. 0 = all is known, 1 = written, and something is not known or not proved, 2 = refused."""
    try:
        with open_ledger(settings) as ledger:
            accounts = read_report(ledger, wanted)
    except (NoStore, UnknownName) as error:
        return refuse(error, as_json=as_json, empty={"accounts": [], "totals": []})
    try:
        write_atomically(Path(wanted.html), report_page(ledger, wanted.days, accounts))
    except OSError as error:
        problem = NoStore(f"{wanted.html} cannot be written: {error.strerror}")
        return cannot_read(problem, as_json=as_json, code=exit_codes.WRONG_USE)
    periods = [one.period for one in accounts]
    if as_json:
        _print_json(ledger, wanted, periods)
    else:
        print(f"Written to {wanted.html}: {len(accounts)} accounts, {wanted.days.words} ({ledger.mode})")
    wrong = any(period.looked_into for period in periods)
    return exit_codes.SOMETHING_WRONG if wrong else exit_codes.OK


def _print_json(ledger: Ledger, wanted: Wanted, periods: Sequence[AccountPeriod]) -> None:
    print_json(
        ledger.state,
        mode=ledger.mode,
        file=wanted.html,
        accounts=[period_fields(period) for period in periods],
        totals=total_fields(totals_of(periods, ledger.settings.currencies_at_par())),
    )


def read_report(ledger: Ledger, wanted: Wanted) -> Sequence[ReportedAccount]:
    """Raises `UnknownName`."""
    since, until = wanted.days.moments(ledger.boundary)
    found = []
    for account in listed_accounts(ledger.connection, ledger.settings, wanted.account):
        period = read_period(ledger.connection, account, wanted.days, ledger.settings)
        explained = explain(ledger.connection, period, ledger.settings)
        found.append(
            ReportedAccount(
                period=period,
                line=equity_line_of(ledger.connection, account.account_id, since=since, until=until),
                by_asset=by_asset(explained.slices),
                fidelity=fidelity_figures(ledger.connection, account, since, until),
            )
        )
    return found
