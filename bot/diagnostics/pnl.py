"""`python bot.py pnl`: what each account has made, by days, with what it is made of and what proves it."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from bot import exit_codes
from bot.diagnostics.amounts_shown import UNKNOWN, cents, fraction, signed
from bot.diagnostics.books_command import Ledger, ending, late_words, open_ledger, refuse
from bot.diagnostics.chosen_days import ChosenDays, add_days, days_of, last_days
from bot.diagnostics.command_line import FIGURES, Commands, account_of, add_account, add_command
from bot.diagnostics.csv_file import STANDARD_OUTPUT, cell, open_sheet
from bot.diagnostics.listing import cannot_read, paper, print_json, since
from bot.diagnostics.period_figures import TERMS, AccountPeriod, CurrencyTotal, net_of, totals_of
from bot.diagnostics.period_json import period_fields, total_fields
from bot.diagnostics.period_performance import performance_of
from bot.diagnostics.period_reading import UnknownName, listed_accounts, read_period
from bot.diagnostics.period_words import TERM_WORDS, notes_of, performance_words, signed_term
from bot.diagnostics.pnl_explained import Explanation, explain, explanation_fields, lines_of
from bot.diagnostics.store_reading import NoStore
from bot.diagnostics.terminal import table
from bot.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

_DAY_COLUMNS = ("day", "closes_at", "currency", "opening_equity", "equity")
_DAY_COUNTS = ("turnover", "trades", "wins", "losses", "status", "problem")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be shown. `days` None = today; a number of days, or a stretch."""

    days: ChosenDays | int
    account: str | None = None
    explain: bool = False
    csv: str | None = None


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "pnl",
        "what each account has made, by days: realised, unrealised, fees, deposits apart, and the proof",
        _pnl,
        codes=FIGURES,
        examples=["pnl", "pnl --7d --account kraken --explain", "pnl --from 2026-11-01 --to 2026-11-30 --csv days.csv"],
    )
    which = made.add_mutually_exclusive_group()
    which.add_argument("--today", action="store_true", help="the day that has not ended (the default)")
    which.add_argument("--7d", dest="week", action="store_true", help="the last seven days, today among them")
    which.add_argument("--all", action="store_true", help="since the books began")
    add_days(made)
    add_account(made)
    made.add_argument("--explain", action="store_true", help="also every closed lot, and the identity with every digit")
    made.add_argument("--csv", metavar="FILE", help="also a row per account and day; - prints them instead")
    made.set_defaults(refuse=made.error)


def _pnl(settings: Settings, words: argparse.Namespace) -> int:
    if words.csv == STANDARD_OUTPUT and words.json:
        words.refuse("--json and --csv - would both be printed: write the CSV into a file")
    if words.first is not None or words.last is not None:
        if words.today or words.week or words.all:
            words.refuse("say either --from and --to, or one of --today, --7d and --all")
        days: ChosenDays | int = days_of(words)
    else:
        days = ChosenDays() if words.all else 7 if words.week else 1
    asked = Asked(days=days, account=account_of(words), explain=words.explain, csv=words.csv)
    return run(settings, asked, as_json=words.json)


def run(settings: Settings, asked: Asked, *, as_json: bool) -> int:
    """Print it. 0 = all is known and proved, 1 = something is not, 2 = no such account or file, 3 = not running."""
    try:
        with open_ledger(settings) as ledger:
            chosen = chosen_of(ledger, asked.days)
            periods = read_periods(ledger, chosen, asked.account)
            explained = (
                [explain(ledger.connection, period, ledger.settings) for period in periods] if asked.explain else []
            )
    except (NoStore, UnknownName) as error:
        return refuse(error, as_json=as_json, empty={"accounts": [], "totals": []})
    if asked.csv is not None:
        try:
            write_days(asked.csv, periods)
        except OSError as error:
            problem = NoStore(f"{asked.csv} cannot be written: {error.strerror}")
            return cannot_read(problem, as_json=as_json, code=exit_codes.WRONG_USE)
    if as_json:
        _print_json(ledger, chosen, periods, explained)
    elif asked.csv != STANDARD_OUTPUT:
        _print(ledger, chosen, periods, explained)
    return ending(ledger.state, wrong=any(period.looked_into for period in periods))


def chosen_of(ledger: Ledger, days: ChosenDays | int) -> ChosenDays:
    """A number of days means the last ones, the running one among them."""
    return last_days(ledger.boundary.day_of(ledger.now), days) if isinstance(days, int) else days


def read_periods(ledger: Ledger, chosen: ChosenDays, account: str | None = None) -> Sequence[AccountPeriod]:
    """Raises `UnknownName`."""
    listed = listed_accounts(ledger.connection, ledger.settings, account)
    return [read_period(ledger.connection, one, chosen, ledger.settings) for one in listed]


def write_days(target: str, periods: Sequence[AccountPeriod]) -> None:
    """A row per account and day; the running day is the last one. Raises `OSError`."""
    with open_sheet(target) as sheet:
        sheet.writerow(["account", *_DAY_COLUMNS, "net", *TERMS, *_DAY_COUNTS])
        for period in periods:
            for day in period.days:
                values = [period.account.account_id, *(getattr(day, name) for name in _DAY_COLUMNS), net_of(day)]
                values += [getattr(day, name) for name in (*TERMS, *_DAY_COUNTS)]
                sheet.writerow([cell(value) for value in values])


def _print_json(
    ledger: Ledger, chosen: ChosenDays, periods: Sequence[AccountPeriod], explained: Sequence[Explanation]
) -> None:
    accounts = [period_fields(period) for period in periods]
    for fields, explanation in zip(accounts, explained, strict=False):
        fields |= explanation_fields(explanation)
    print_json(
        ledger.state,
        mode=ledger.mode,
        time_zone=ledger.zone,
        first_day=None if chosen.first is None else chosen.first.isoformat(),
        last_day=None if chosen.last is None else chosen.last.isoformat(),
        accounts=accounts,
        totals=total_fields(totals_of(periods, ledger.settings.currencies_at_par())),
    )


# -- for people ---------------------------------------------------------------------------------------------------
def _print(
    ledger: Ledger, chosen: ChosenDays, periods: Sequence[AccountPeriod], explained: Sequence[Explanation]
) -> None:
    console = paper()
    console.print(ledger.state.sentence, soft_wrap=True)
    console.print(ledger.mode_words, soft_wrap=True)
    if not periods:
        console.print("No account was ever seen.")
        return
    if len(periods) == 1:
        _print_one(console, ledger, chosen, periods[0])
    else:
        _print_table(console, ledger, chosen, periods)
        for one in totals_of(periods, ledger.settings.currencies_at_par()):
            console.print(_total_line(one), soft_wrap=True)
        _print_traded(console, periods)
    for period in periods:
        late = late_words(ledger, period.until) if period.running else ""
        for line in [late, *notes_of(period)] if late else notes_of(period):
            console.print(f"{period.account.account_id}: {line}", soft_wrap=True)
    for period, explanation in zip(periods, explained, strict=False):
        for line in lines_of(period, explanation):
            console.print(line, soft_wrap=True)


def _print_one(console: "Console", ledger: Ledger, chosen: ChosenDays, period: AccountPeriod) -> None:
    currency = period.account.currency
    title = f"{period.account.title}, {chosen.words} ({ledger.zone}), in {currency}"
    listed = table(console, title, "", currency)
    listed.columns[1].justify = "right"
    listed.add_row("equity at the beginning", cents(period.opening_equity))
    for name in TERMS:
        listed.add_row(TERM_WORDS[name], signed(signed_term(name, period)))
    listed.add_row("equity at the end", cents(period.equity))
    listed.add_section()
    listed.add_row("net P&L (realised + change of unrealised - fees)", signed(period.net))
    for word, shown in performance_words(period):
        listed.add_row(word, shown)
    console.print(listed)
    if period.until is not None:
        console.print(f"As of {since(period.until, ledger.now)}", soft_wrap=True)


def _print_table(console: "Console", ledger: Ledger, chosen: ChosenDays, periods: Sequence[AccountPeriod]) -> None:
    headings = ("account", "", "net P&L", "realised", "unrealised", "fees", "deposits", "equity")
    listed = table(console, f"P&L of {chosen.words} ({ledger.zone}); net = realised + unrealised - fees", *headings)
    for column in listed.columns[2:]:
        column.justify, column.no_wrap = "right", True
    for period in periods:
        terms = (period.net, *(period.term(name) for name in ("realised", "unrealised_change")))
        shown = [*map(signed, terms), cents(period.term("fees")), signed(period.term("net_deposits"))]
        listed.add_row(period.account.account_id, period.account.currency, *shown, cents(period.equity))
    console.print(listed)


def _total_line(one: CurrencyTotal) -> str:
    par = " (counted one to one, by risk.at_par_with_usd)" if len(one.currencies) > 1 else ""
    net, equity = one.sum_of(lambda period: period.net), one.sum_of(lambda period: period.equity)
    made, change, fees, deposits = (_term_of(one, name) for name in _SHORT)
    parts = f"realised {signed(made)} + unrealised {signed(change)} - fees {cents(fees)}"
    rest = f"deposits {signed(deposits)}; equity {cents(equity)}"
    return f"Total {one.currency}{par}: net P&L {signed(net)} = {parts}; {rest}"


_SHORT = ("realised", "unrealised_change", "fees", "net_deposits")


def _term_of(one: CurrencyTotal, name: str) -> Decimal | None:
    return one.sum_of(lambda period: period.term(name))


def _print_traded(console: "Console", periods: Sequence[AccountPeriod]) -> None:
    headings = ("account", "won", "win rate", "fees / profit", "turnover", "drawdown", "held instead")
    listed = table(console, "How it was traded", *headings)
    for column in listed.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for period in periods:
        found = performance_of(period)
        listed.add_row(
            period.account.account_id,
            f"{found.wins} of {found.judged}",
            fraction(found.win_rate, nothing="-"),
            fraction(found.fee_share, nothing="-"),
            cents(found.turnover),
            fraction(found.max_drawdown, nothing=UNKNOWN),
            signed(found.hold),
        )
    console.print(listed)
