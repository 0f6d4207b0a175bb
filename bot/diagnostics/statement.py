"""`python bot.py statement USER --month`: one person's month, from the same day rows as everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.amounts_shown import cents, exact, fraction, signed
from bot.diagnostics.books_command import Ledger, open_ledger, refuse
from bot.diagnostics.chosen_days import ChosenDays, month_of
from bot.diagnostics.command_line import DOCUMENT, Commands, add_command, percent
from bot.diagnostics.fidelity_figures import FidelityFigures, fidelity_figures
from bot.diagnostics.listing import cannot_read, count, paper, print_json, time_text
from bot.diagnostics.performance_fee import FeeMonth, fee_months
from bot.diagnostics.period_figures import TERMS, AccountPeriod, ListedAccount
from bot.diagnostics.period_json import period_fields
from bot.diagnostics.period_performance import performance_of
from bot.diagnostics.period_reading import UnknownName, accounts_of_user, read_period
from bot.diagnostics.period_words import TERM_WORDS, notes_of, signed_term
from bot.diagnostics.store_reading import NoStore
from bot.diagnostics.terminal import table
from bot.settings import Settings
from bot.storage.day_closes import DayStatus, last_close
from bot.storage.files import write_atomically
from bot.storage.opening_balances import find_opening

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Whose month, at which performance fee (percent; None: none is asked for), and where the page goes to."""

    user: str
    month: ChosenDays
    fee_percent: Decimal | None = None
    html: str | None = None

    @property
    def month_text(self) -> str:
        return self.month.first_text[:7]

    @property
    def month_words(self) -> str:
        """`November 2026`."""
        return "" if self.month.first is None else f"{self.month.first:%B %Y}"


@dataclass(frozen=True, kw_only=True)
class AccountStatement:
    """One account's part. `fee` is None when nothing of the month is known; `over` says that the month has ended
    and that all its days are closed.

    `unproved` are the days until then, this month's and earlier ones, that nothing proves.
    """

    period: AccountPeriod
    fee: FeeMonth | None
    fidelity: FidelityFigures
    over: bool
    unproved: Sequence[str] = ()

    @property
    def account(self) -> ListedAccount:
        return self.period.account


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "statement",
        "a user's month: opening, closing, deposits, P&L, fees, trades, copying, and a performance fee",
        lambda settings, words: run(
            settings,
            Wanted(user=words.user, month=words.month, fee_percent=words.fee_percent, html=words.html),
            as_json=words.json,
        ),
        codes=DOCUMENT,
        examples=[
            "statement daivon_frazier --month 2026-11",
            "statement daivon_frazier --month 2026-11 --fee-percent 20 --html november.html",
        ],
    )
    made.add_argument("user", metavar="USER", help="a user's id, as daivon_frazier")
    made.add_argument("--month", type=month_of, required=True, metavar="MONTH", help="as 2026-11")
    made.add_argument(
        "--fee-percent",
        type=percent,
        metavar="PERCENT",
        help="of profit above the high-water mark; computed, never moved",
    )
    made.add_argument("--html", metavar="FILE", help="also a page that can be sent to the user")


def run(settings: Settings, wanted: Wanted, *, as_json: bool) -> int:
    """Print it. 0 = all is known, 1 = something is not or the month is not over, 2 = no such user, 3 = no store."""
    from bot.diagnostics.report.statement_page import statement_page

    try:
        with open_ledger(settings) as ledger:
            parts = read_statement(ledger, wanted)
    except (NoStore, UnknownName) as error:
        return refuse(error, as_json=as_json, empty={"accounts": []})
    if wanted.html is not None:
        try:
            write_atomically(Path(wanted.html), statement_page(ledger, wanted, parts))
        except OSError as error:
            problem = NoStore(f"{wanted.html} cannot be written: {error.strerror}")
            return cannot_read(problem, as_json=as_json, code=exit_codes.WRONG_USE)
    if as_json:
        print_json(ledger.state, **as_fields(ledger, wanted, parts))
    else:
        _print(ledger, wanted, parts)
    wrong = any(part.period.looked_into or not part.over for part in parts)
    return exit_codes.SOMETHING_WRONG if wrong else exit_codes.OK


def read_statement(ledger: Ledger, wanted: Wanted) -> Sequence[AccountStatement]:
    """Raises `UnknownName`."""
    accounts = accounts_of_user(ledger.connection, ledger.settings, wanted.user)
    return [_part(ledger, account, wanted) for account in accounts]


def _part(ledger: Ledger, account: ListedAccount, wanted: Wanted) -> AccountStatement:
    until = ChosenDays(None, wanted.month.last)
    whole = read_period(ledger.connection, account, until, ledger.settings)
    period = read_period(ledger.connection, account, wanted.month, ledger.settings)
    since, end = wanted.month.moments(ledger.boundary)
    months = {one.month: one for one in fee_months(whole.days, wanted.fee_percent)}
    return AccountStatement(
        period=period,
        fee=months.get(wanted.month_text),
        fidelity=fidelity_figures(ledger.connection, account, since, end),
        over=_is_over(ledger, wanted) and _is_closed(ledger.connection, account.account_id, end),
        unproved=[day.day for day in whole.days if day.status is not DayStatus.OK],
    )


def _is_over(ledger: Ledger, wanted: Wanted) -> bool:
    end = wanted.month.moments(ledger.boundary)[1]
    return end is not None and end <= ledger.now


def _is_closed(connection: Connection, account_id: str, end: datetime | None) -> bool:
    """Whether no day until then is still to be closed: a reading after a day's end may come before its closing."""
    opening, last = find_opening(connection, account_id), last_close(connection, account_id)
    if opening is None or end is None or opening.at >= end:
        return True
    return last is not None and last.closes_at >= end


# -- as JSON ------------------------------------------------------------------------------------------------------
def as_fields(ledger: Ledger, wanted: Wanted, parts: Sequence[AccountStatement]) -> dict[str, Any]:
    return {
        "mode": ledger.mode,
        "time_zone": ledger.zone,
        "user_id": wanted.user,
        "month": wanted.month_text,
        "as_of": time_text(ledger.now),
        "accounts": [_fields(part) for part in parts],
    }


def _fields(part: AccountStatement) -> dict[str, Any]:
    fee = part.fee
    return period_fields(part.period) | {
        "month_is_over": part.over,
        "fee": None
        if fee is None
        else {
            "percent": exact(fee.fee_percent),
            "profit_since_the_beginning": exact(fee.profit),
            "high_water_mark": exact(fee.mark),
            "above": exact(fee.above),
            "fee": exact(fee.fee),
        },
        "unproved_days": list(part.unproved),
        "fidelity": part.fidelity.as_json(),
    }


# -- for people ---------------------------------------------------------------------------------------------------
def _print(ledger: Ledger, wanted: Wanted, parts: Sequence[AccountStatement]) -> None:
    console = paper()
    console.print(ledger.mode_words, soft_wrap=True)
    for part in parts:
        _print_part(console, ledger, wanted, part)
    if len({part.account.currency for part in parts}) > 1 or len(parts) > 1:
        console.print("Each account stands for itself: nothing here is a sum over brokerages.", soft_wrap=True)


def _print_part(console: "Console", ledger: Ledger, wanted: Wanted, part: AccountStatement) -> None:
    over = "" if part.over else ", not all of which is closed" if _is_over(ledger, wanted) else ", which is not over"
    title = f"Statement of {part.account.name}, {wanted.month_words}{over}: {part.account.account_id} ({ledger.zone})"
    listed = table(console, title, "", part.account.currency)
    listed.columns[1].justify = "right"
    for word, shown in lines_of(part):
        listed.add_row(word, shown)
    console.print(listed)
    for line in [*notes_of(part.period), *warnings_of(part), *part.fidelity.notes]:
        console.print(line, soft_wrap=True)


def lines_of(part: AccountStatement) -> Sequence[tuple[str, str]]:
    """Every line of the statement: what it says, and the figure."""
    period, found = part.period, performance_of(part.period)
    lines = [("equity at the beginning", cents(period.opening_equity))]
    lines += [(TERM_WORDS[name], signed(signed_term(name, period))) for name in TERMS]
    lines += [("equity at the end", cents(period.equity)), ("P&L of trading, after fees", signed(period.net))]
    closed = f"{count(found.judged, 'closing trade')}, won {found.wins}"
    lines += [(closed, fraction(found.win_rate, nothing="-")), ("turnover", cents(found.turnover))]
    lines += [(f"copying: {word}", signed(amount)) for word, amount in part.fidelity.lines]
    return [*lines, *fee_lines(part)]


def warnings_of(part: AccountStatement) -> Sequence[str]:
    """What the figures and the fee stand under."""
    if not part.unproved:
        return []
    days = f"{count(len(part.unproved), 'day')} until then ({', '.join(part.unproved[:3])}"
    more = " and others)" if len(part.unproved) > 3 else ")"
    return [f"{days}{more} not proved by balances: the figures may change when they are explained"]


def fee_lines(part: AccountStatement) -> Sequence[tuple[str, str]]:
    """The fee and what it comes from; nothing without a percentage."""
    fee = part.fee
    if fee is None or fee.fee_percent is None:
        return []
    word = "performance fee" if part.over else "performance fee so far"
    return [
        ("profit of trading since the books began", signed(fee.profit)),
        ("its highest at the end of a month before", signed(fee.mark)),
        ("above that", cents(fee.above)),
        (f"{word}, {fee.fee_percent:f} % of it (computed, never moved)", cents(fee.fee)),
    ]
