"""One account on the page: its figures, its pictures, and the tables that say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bot.diagnostics.amounts_shown import UNKNOWN, cents, fraction, signed
from bot.diagnostics.fidelity_figures import FidelityFigures
from bot.diagnostics.period_figures import AccountPeriod, net_of
from bot.diagnostics.period_performance import drawdown_line, equity_line, performance_of
from bot.diagnostics.period_words import problems_of, remarks_of
from bot.diagnostics.report.bars import Bar, bars_panel, list_of_bars
from bot.diagnostics.report.chart import Panel, figure, words_of
from bot.diagnostics.report.line import Point, line_panel, thinned
from bot.diagnostics.report.page import Tile, folded, heading, paragraph, table, tiles
from bot.storage.day_closes import DayClose

# A page of many accounts must stay light; more points cannot be told apart anyway.
_POINTS = 400
_DAY_HEADINGS = ("day", "net P&L", "realised", "unrealised", "fees", "deposits", "income", "other", "equity", "")


@dataclass(frozen=True, kw_only=True)
class ReportedAccount:
    """What the page shows of one account. `line` is what it was worth at each reading, `by_asset` what sales made."""

    period: AccountPeriod
    line: Sequence[tuple[datetime, Decimal]]
    by_asset: Sequence[tuple[str, Decimal | None, int]]
    fidelity: FidelityFigures


def account_part(one: ReportedAccount) -> str:
    """Everything of one account."""
    period = one.period
    parts = [heading(2, period.account.title)]
    parts += [paragraph(note, kind="warn") for note in problems_of(period)]
    if period.days:
        parts += [
            _tiles(period),
            *(paragraph(note, kind="quiet") for note in remarks_of(period)),
            _equity(one),
            _by_day(period),
            _by_asset(one),
            fidelity_part(one.fidelity),
        ]
        parts.append(folded("Every day in figures", _days(period)))
    return "\n".join(filter(None, parts))


def _tiles(period: AccountPeriod) -> str:
    found, currency = performance_of(period), period.account.currency
    judged = f"{found.wins} of {found.judged} closing trades" if found.judged else "no closing trade"
    return tiles(
        [
            Tile("Net P&L", signed(period.net), f"{currency}, after fees"),
            Tile("Realised", signed(period.term("realised")), "before fees"),
            Tile("Change of unrealised", signed(period.term("unrealised_change"))),
            Tile("Fees", cents(period.term("fees")), _share(found.fee_share)),
            Tile("Equity", cents(period.equity), f"from {cents(period.opening_equity)}"),
            Tile("Net deposits", signed(period.term("net_deposits")), "no P&L"),
            Tile("Win rate", fraction(found.win_rate, nothing="-"), judged),
            Tile("Max drawdown", fraction(found.max_drawdown, nothing=UNKNOWN), "by day ends"),
            Tile("Turnover", cents(found.turnover)),
            Tile("Held instead", signed(found.hold), "the beginning's holdings"),
        ]
    )


def _share(value: Decimal | None) -> str:
    return "" if value is None else f"{fraction(value, nothing='')} of gross profit"


# -- pictures -----------------------------------------------------------------------------------------------------
def _equity(one: ReportedAccount) -> str:
    ends = equity_line(one.period)
    line = one.line if len(one.line) > len(ends) else [(point.at, point.equity) for point in ends]
    if len(line) < 2:
        return ""
    first, last = line[0][0], line[-1][0]
    points = thinned([(_place(at, first, last), float(equity)) for at, equity in line], most=_POINTS)
    panels = [line_panel([("equity", points)])]
    if len(ends) > 2:
        fallen = zip(ends, drawdown_line(ends), strict=True)
        below: list[Point | None] = [(_place(end.at, first, last), float(value * 100)) for end, value in fallen]
        panels.append(line_panel([("drawdown", below)], filled_to_zero=True, tall=False))
    currency = one.period.account.currency
    title = f"Equity in {currency}" + (", and below it the drawdown in percent, net of deposits" if panels[1:] else "")
    said = f"Equity from {cents(line[0][1])} to {cents(line[-1][1])} {currency}"
    return figure(title, panels, _times(first, last), said=said)


def _place(moment: datetime, first: datetime, last: datetime) -> float:
    whole = (last - first).total_seconds()
    return min(1.0, max(0.0, (moment - first).total_seconds() / whole)) if whole else 0.0


def _times(first: datetime, last: datetime) -> Sequence[str]:
    """Four moments in UTC, evenly spread, as exact as they differ."""
    seconds = (last - first).total_seconds()
    shape = "%H:%M:%S" if seconds < 600 else "%H:%M" if seconds < 2 * 86_400 else "%d %b"
    return [(first + (last - first) * part / 3).astimezone(UTC).strftime(shape) for part in range(4)]


def _by_day(period: AccountPeriod) -> str:
    days, currency = period.days, period.account.currency
    if len(days) < 2:
        # One bar shows nothing that its figure does not say.
        return ""
    net = [Bar(day.day, _drawn(net_of(day)), f"{day.day}: {signed(net_of(day))} {currency}") for day in days]
    fees = [Bar(day.day, _drawn(_taken(day)), f"{day.day}: fees {cents(day.fees)} {currency}") for day in days]
    panels: list[Panel] = [bars_panel(net)]
    if any(day.fees for day in days):
        panels.append(bars_panel(fees, tall=False))
    title = f"Net P&L by day in {currency}" + (", and below it the fees in it" if panels[1:] else "")
    said = f"Net P&L of {len(days)} days, {signed(period.net)} {currency} in all"
    return figure(title, panels, words_of([day.day[5:] for day in days]), said=said)


def _drawn(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _taken(day: DayClose) -> Decimal | None:
    return None if day.fees is None else -day.fees


def _by_asset(one: ReportedAccount) -> str:
    if not one.by_asset:
        return ""
    quote = one.period.account.currency
    bars = [Bar(f"{asset}/{quote}", _drawn(made), signed(made)) for asset, made, _ in one.by_asset]
    rows = [[f"{asset}/{quote}", str(sales), signed(made)] for asset, made, sales in one.by_asset]
    title = heading(3, f"Realised by symbol in {quote}, after the fees of both trades")
    return title + list_of_bars(bars) + folded("In figures", table(["symbol", "closed", "realised"], rows))


def fidelity_part(fidelity: FidelityFigures) -> str:
    """What copying made of the master's trades, part by part."""
    if not fidelity.lines and not fidelity.notes:
        return ""
    bars = [Bar(word, _drawn(amount), signed(amount)) for word, amount in fidelity.lines]
    notes = "".join(paragraph(note, kind="quiet") for note in fidelity.notes)
    return heading(3, "Copying, against the master's own trades") + list_of_bars(bars) + notes


# -- tables -------------------------------------------------------------------------------------------------------
def _days(period: AccountPeriod) -> str:
    rows = [_day(day) for day in period.days]
    terms = [period.term(name) for name in ("realised", "unrealised_change", "fees", "net_deposits")]
    others = [signed(period.term("income")), signed(period.term("other_holdings")), cents(period.equity), ""]
    shown = [signed(terms[0]), signed(terms[1]), cents(terms[2]), signed(terms[3])]
    rows.append(["all", signed(period.net), *shown, *others])
    return table(_DAY_HEADINGS, rows, words=(len(_DAY_HEADINGS) - 1,), last_is_sum=True)


def _day(day: DayClose) -> Sequence[str]:
    return [
        day.day,
        signed(net_of(day)),
        signed(day.realised),
        signed(day.unrealised_change),
        cents(day.fees),
        signed(day.net_deposits),
        signed(day.income),
        signed(day.other_holdings),
        cents(day.equity),
        " ".join(filter(None, ("" if day.status == "ok" else str(day.status), day.problem))),
    ]
