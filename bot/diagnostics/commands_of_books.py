"""The commands that tell what was made: money, pnl, statement, report, cost and export."""

import argparse
from decimal import Decimal, InvalidOperation

from bot.diagnostics import cost, export, money, pnl, statement
from bot.diagnostics.chosen_days import ChosenDays, boundary_of, day_of_text, month_of
from bot.diagnostics.command_line import Commands, add_command, name
from bot.diagnostics.csv_file import STANDARD_OUTPUT
from bot.settings import Settings
from bot.storage.ledger_rows import LEDGERS

_FIGURES = (
    "0 all is known, 1 something is not known or not proved, 2 wrong use, 3 the bot is not running (as last seen)"
)
_DOCUMENT = "0 written and all is known, 1 written and something is not known or not proved, 2 refused, 3 no store yet"


def add_commands_of_books(commands: Commands) -> None:
    """All of them."""
    _add_money(commands)
    _add_pnl(commands)
    _add_statement(commands)
    _add_report(commands)
    _add_cost(commands)
    _add_export(commands)


def _add_money(commands: Commands) -> None:
    made = add_command(
        commands,
        "money",
        "what is in each account and in total: available, held, positions at a price with its age",
        lambda settings, words: money.run(settings, account=words.account, as_json=words.json),
        codes=_FIGURES,
        examples=["money", "money --account daivon_frazier_kraken", "money --json"],
    )
    made.add_argument("--account", metavar="ACCOUNT", help="only this one, with every position")


def _add_pnl(commands: Commands) -> None:
    made = add_command(
        commands,
        "pnl",
        "what each account has made, by days: realised, unrealised, fees, deposits apart, and the proof",
        _pnl,
        codes=_FIGURES,
        examples=["pnl", "pnl --7d --account kraken --explain", "pnl --from 2026-11-01 --to 2026-11-30 --csv days.csv"],
    )
    which = made.add_mutually_exclusive_group()
    which.add_argument("--today", action="store_true", help="the day that has not ended (the default)")
    which.add_argument("--7d", dest="week", action="store_true", help="the last seven days, today among them")
    which.add_argument("--all", action="store_true", help="since the books began")
    _add_days(made)
    made.add_argument("--account", metavar="ACCOUNT", help="only this one, as kraken or daivon_frazier_kraken")
    made.add_argument("--explain", action="store_true", help="also every closed lot, and the identity with every digit")
    made.add_argument("--csv", metavar="FILE", help="also a row per account and day; - prints them instead")
    made.set_defaults(refuse=made.error)


def _pnl(settings: Settings, words: argparse.Namespace) -> int:
    if words.csv == STANDARD_OUTPUT and words.json:
        words.refuse("--json and --csv - would both be printed: write the CSV into a file")
    if words.first is not None or words.last is not None:
        if words.today or words.week or words.all:
            words.refuse("say either --from and --to, or one of --today, --7d and --all")
        days: ChosenDays | int = _days(words)
    else:
        days = ChosenDays() if words.all else 7 if words.week else 1
    asked = pnl.Asked(days=days, account=words.account, explain=words.explain, csv=words.csv)
    return pnl.run(settings, asked, as_json=words.json)


def _add_statement(commands: Commands) -> None:
    made = add_command(
        commands,
        "statement",
        "a user's month: opening, closing, deposits, P&L, fees, trades, copying, and a performance fee",
        lambda settings, words: statement.run(
            settings,
            statement.Wanted(user=words.user, month=words.month, fee_percent=words.fee_percent, html=words.html),
            as_json=words.json,
        ),
        codes=_DOCUMENT,
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


def _add_report(commands: Commands) -> None:
    made = add_command(
        commands,
        "report",
        "one page with pictures: equity, drawdown, P&L by day and symbol, fees, copying",
        _report,
        codes=_DOCUMENT,
        examples=["report --html report.html", "report --html november.html --from 2026-11-01 --to 2026-11-30"],
    )
    made.add_argument("--html", required=True, metavar="FILE", help="where the page is written to; it loads nothing")
    made.add_argument("--account", metavar="ACCOUNT", help="only this one")
    _add_days(made)
    made.set_defaults(refuse=made.error)


def _report(settings: Settings, words: argparse.Namespace) -> int:
    from bot.diagnostics.report import command as report

    wanted = report.Wanted(html=words.html, account=words.account, days=_days(words))
    return report.run(settings, wanted, as_json=words.json)


def _add_cost(commands: Commands) -> None:
    made = add_command(
        commands,
        "cost",
        "coins whose cost nobody knows; with an ASSET, a person's dated word on what they cost",
        _cost,
        codes="without ASSET as for lists (0, 1, 2, 3); with it 0 written down, 2 refused (nothing was written)",
        examples=[
            "cost",
            "cost kraken BTC --quantity 0.5 --cost 21000 --date 2024-03-01 --by Anna --reason 'invoice 17'",
        ],
    )
    made.add_argument("account", nargs="?", metavar="ACCOUNT", help="nothing lists all accounts")
    made.add_argument("asset", nargs="?", metavar="ASSET", help="as BTC")
    made.add_argument("--quantity", type=above_zero, metavar="UNITS", help="how many of them")
    made.add_argument("--cost", type=not_negative, metavar="AMOUNT", help="of all of them, in the account's currency")
    made.add_argument("--date", dest="on", type=day_of_text, metavar="DAY", help="when they were acquired, 2024-03-01")
    made.add_argument("--by", type=name, metavar="NAME", help="who says so")
    made.add_argument("--reason", type=name, metavar="TEXT", help="from where it is known")
    made.set_defaults(refuse=made.error)


def _cost(settings: Settings, words: argparse.Namespace) -> int:
    given = (words.quantity, words.cost, words.on, words.by, words.reason)
    if words.asset is None:
        if any(value is not None for value in given):
            words.refuse("of which asset? python bot.py cost lists what has an unknown cost")
        return cost.show(settings, account=words.account, as_json=words.json)
    if any(value is None for value in given):
        words.refuse("say all of it: --quantity UNITS --cost AMOUNT --date DAY --by NAME --reason TEXT")
    word = cost.Word(
        account=words.account,
        asset=words.asset.upper(),
        quantity=words.quantity,
        cost=words.cost,
        on=words.on,
        by=words.by,
        reason=words.reason,
    )
    return cost.say(settings, word, as_json=words.json)


def _add_export(commands: Commands) -> None:
    made = add_command(
        commands,
        "export",
        "fills, orders, cash events or closed days as CSV",
        _export,
        codes="0 written, 2 refused or it cannot be written",
        examples=["export fills --csv fills.csv", "export days --csv - --account kraken --from 2026-11-01"],
    )
    made.add_argument("ledger", choices=sorted(LEDGERS), help="what is taken")
    made.add_argument("--csv", required=True, metavar="FILE", help="where to; - prints it")
    made.add_argument("--account", metavar="ACCOUNT", help="only this one")
    _add_days(made)
    made.set_defaults(refuse=made.error)


def _export(settings: Settings, words: argparse.Namespace) -> int:
    since, until = _days(words).moments(boundary_of(settings))
    wanted = export.Wanted(ledger=words.ledger, target=words.csv, account=words.account, since=since, until=until)
    return export.run(settings, wanted, as_json=words.json)


# -- words of the command line ------------------------------------------------------------------------------------
def _add_days(made: argparse.ArgumentParser) -> None:
    made.add_argument("--from", dest="first", type=day_of_text, metavar="DAY", help="the first day, as 2026-11-01")
    made.add_argument("--to", dest="last", type=day_of_text, metavar="DAY", help="the last day, as 2026-11-30")


def _days(words: argparse.Namespace) -> ChosenDays:
    if words.first is not None and words.last is not None and words.first > words.last:
        words.refuse(f"{words.first} comes after {words.last}")
    return ChosenDays(words.first, words.last)


def above_zero(text: str) -> Decimal:
    amount = not_negative(text)
    if not amount:
        raise argparse.ArgumentTypeError("must be above 0")
    return amount


def not_negative(text: str) -> Decimal:
    """A plain number of a person: digits and a point."""
    try:
        amount = Decimal(text.strip())
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; write it as 1234.56") from error
    if not amount.is_finite() or amount < 0 or amount > Decimal("1e15"):
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount from 0 on")
    return amount


def percent(text: str) -> Decimal:
    amount = not_negative(text)
    if amount > 100:
        raise argparse.ArgumentTypeError("a performance fee is at most 100 percent")
    return amount
