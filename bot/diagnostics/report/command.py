"""`python bot.py report --html FILE`: one page with all of it, to be opened anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import exit_codes
from bot.diagnostics.books_command import Ledger, open_ledger, refuse
from bot.diagnostics.chosen_days import ChosenDays
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
