"""The page of all accounts: what they made, in pictures and in figures."""

from collections.abc import Sequence

from bot.diagnostics.amounts_shown import cents, signed
from bot.diagnostics.books_command import Ledger
from bot.diagnostics.chosen_days import ChosenDays
from bot.diagnostics.period_figures import CurrencyTotal, totals_of
from bot.diagnostics.report.account_part import ReportedAccount, account_part
from bot.diagnostics.report.bars import Bar, list_of_bars
from bot.diagnostics.report.page import Tile, heading, mode_mark, page, paragraph, table, tiles
from bot.seams.clock import format_time

_HEADINGS = ("account", "", "net P&L", "realised", "unrealised", "fees", "deposits", "equity")


def report_page(ledger: Ledger, chosen: ChosenDays, accounts: Sequence[ReportedAccount]) -> str:
    """The document."""
    title = f"NIJA, {chosen.words}"
    made = f"Days end by the clocks of {ledger.zone}. Made at {format_time(ledger.now)[:16].replace('T', ' ')} UTC."
    shown = [
        heading(1, title),
        mode_mark(ledger.mode),
        paragraph(f"{ledger.mode_meaning.capitalize()}."),
        paragraph(made, kind="quiet"),
    ]
    shown.append(paragraph(ledger.state.sentence, kind="quiet"))
    totals = totals_of([one.period for one in accounts], ledger.settings.currencies_at_par())
    if len(accounts) > 1:
        shown += [*map(_total, totals), heading(2, "All accounts"), _all(accounts)]
    shown += [account_part(one) for one in accounts]
    return page(title, shown)


def _total(one: CurrencyTotal) -> str:
    par = "Counted one to one, as risk.at_par_with_usd says." if len(one.currencies) > 1 else ""
    shown = tiles(
        [
            Tile("Net P&L", signed(one.sum_of(lambda period: period.net)), f"{one.currency}, after fees"),
            Tile("Equity", cents(one.sum_of(lambda period: period.equity)), one.currency),
            Tile("Net deposits", signed(one.sum_of(lambda period: period.term("net_deposits"))), "no P&L"),
            Tile("Fees", cents(one.sum_of(lambda period: period.term("fees"))), "in the net P&L"),
        ]
    )
    return heading(2, f"Total in {one.currency}") + (paragraph(par, kind="quiet") if par else "") + shown


def _all(accounts: Sequence[ReportedAccount]) -> str:
    bars, rows = [], []
    for period in (one.period for one in accounts):
        account, net = period.account, period.net
        bars.append(Bar(account.account_id, None if net is None else float(net), f"{signed(net)} {account.currency}"))
        terms = (period.term(name) for name in ("realised", "unrealised_change"))
        shown = [*map(signed, terms), cents(period.term("fees")), signed(period.term("net_deposits"))]
        rows.append([account.account_id, account.currency, signed(net), *shown, cents(period.equity)])
    one_currency = len({one.period.account.currency for one in accounts}) == 1
    # Bars of different currencies under each other would compare what cannot be compared.
    drawn = list_of_bars(bars) if one_currency else ""
    return drawn + table(_HEADINGS, rows, names=(0, 1))
