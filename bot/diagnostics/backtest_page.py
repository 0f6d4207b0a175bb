"""A backtest as one self-contained page: equity and drawdown, trades on the price, months, users."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bot.backtest.figures import fidelity_of, figures_of
from bot.backtest.result import AccountResult, BacktestResult
from bot.diagnostics.amounts_shown import cents, signed
from bot.diagnostics.backtest_shown import ASSUMED, percent, rows_of
from bot.diagnostics.report.bars import Bar, bars_panel
from bot.diagnostics.report.chart import Panel, figure
from bot.diagnostics.report.line import Point, line_panel, thinned
from bot.diagnostics.report.page import Tile, folded, heading, page, paragraph, table, tiles

if TYPE_CHECKING:
    from bot.diagnostics.backtest_run import Finding

# A page stays light: more points cannot be told apart, more trades cannot be read.
_POINTS = 600
_MOST_TRADES = 500
_MOST_SYMBOLS = 6


def backtest_page(finding: "Finding") -> str:
    """The document."""
    result = finding.result
    words = " ".join(f"{name}={value}" for name, value in finding.parameters.items())
    title = f"Backtest of {finding.strategy} {words}".strip()
    span = f"{result.begin:%Y-%m-%d %H:%M} to {result.end:%Y-%m-%d %H:%M} UTC"
    parts = [
        heading(1, title),
        paragraph(
            f"{finding.source}: {result.candles} candles of {result.interval_minutes} min, {span}.", kind="quiet"
        ),
        *(paragraph(warning, kind="warn") for warning in finding.warnings),
        tiles([Tile(name, value) for name, value in rows_of(result)]),
        _worth(result.master),
        _months(result),
        *_prices(result),
        _users(result),
        folded("Every trade", _trades(result)),
        paragraph(ASSUMED, kind="quiet"),
    ]
    return page(title, [part for part in parts if part])


def _places(times: NDArray[np.int64]) -> NDArray[np.float64]:
    span = max(1, int(times[-1] - times[0])) if len(times) else 1
    return (times - times[0]) / span if len(times) else np.zeros(0)


def _points(times: NDArray[np.int64], values: NDArray[np.float64]) -> list[Point | None]:
    pairs = zip(_places(times).tolist(), values.tolist(), strict=True)
    return list(thinned(list(pairs), most=_POINTS))


def _worth(master: AccountResult) -> str:
    curve = master.curve
    if len(curve.times) < 2:
        return ""
    peaks = np.maximum.accumulate(curve.equity)
    falls = np.where(peaks > 0, (curve.equity - peaks) / peaks * 100, 0.0)
    panels: list[Panel] = [
        line_panel([("equity", _points(curve.times, curve.equity))]),
        line_panel([("drawdown", _points(curve.times, falls))], filled_to_zero=True, tall=False),
    ]
    return figure(
        "Worth of the master, and its fall from the peak in percent", panels, _days(curve.times),
        said=f"from {cents(master.opening_cash)} to {cents(master.final_equity)}",
    )  # fmt: skip


def _days(times: NDArray[np.int64]) -> list[str]:
    marks = np.linspace(int(times[0]), int(times[-1]), 4).astype("datetime64[s]")
    return [str(mark)[:16].replace("T", " ") for mark in marks]


def _months(result: BacktestResult) -> str:
    months = figures_of(result.master).months
    bars = [Bar(month.name, month.change * 100, f"{month.name}: {percent(month.change)}") for month in months]
    rows = [[month.name, percent(month.change), signed(month.profit), str(month.trades)] for month in months]
    drawn = (
        ""
        if len(bars) < 2
        else figure(
            "Change by month, percent", [bars_panel(bars, tall=False)], [bar.name for bar in bars][:12], said=""
        )
    )
    return heading(2, "Months") + drawn + table(("month", "change of worth", "P&L of ended trades", "trades"), rows)


def _prices(result: BacktestResult) -> list[str]:
    """For the symbols with the most trades: each trade as a line from its purchase to its sale."""
    counts: dict[str, int] = {}
    for trip in result.master.closed:
        counts[trip.symbol] = counts.get(trip.symbol, 0) + 1
    busiest = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))[:_MOST_SYMBOLS]
    return [heading(2, "Trades on the price"), *(_price(result, symbol) for symbol in busiest)] if busiest else []


def _price(result: BacktestResult, symbol: str) -> str:
    times, closes = result.prices[symbol]
    begin, span = int(times[0]), max(1, int(times[-1] - times[0]))
    lines: list[tuple[str, list[Point | None]]] = [("hold", _points(times, closes))]
    gains: list[Point | None] = []
    losses: list[Point | None] = []
    shown = [trip for trip in result.master.closed if trip.symbol == symbol][-_MOST_TRADES:]
    for trip in shown:
        if trip.closed_at is None or trip.exit_price is None or trip.profit is None:
            continue
        ends = ((trip.opened_at, trip.entry_price), (trip.closed_at, trip.exit_price))
        (gains if trip.profit > 0 else losses).extend(
            [*(((at.timestamp() - begin) / span, float(price)) for at, price in ends), None]
        )
    lines += [("equity", gains), ("drawdown", losses)]
    words = f"{symbol}: {len(shown)} trades, gains blue and losses orange; the price is grey"
    return figure(words, [line_panel(lines)], _days(times), said=words)


def _users(result: BacktestResult) -> str:
    if not result.users:
        return ""
    rows = [
        [
            one.user, f"{one.copied} of {one.entries}", signed(account.profit), percent(one.change),
            percent(one.master_change), "-" if one.dearer_percent is None else f"{one.dearer_percent:+.3f} %",
            ", ".join(f"{reason} {count}" for reason, count in sorted(one.skipped.items())) or "-",
        ]
        for one, account in zip(fidelity_of(result), result.users, strict=True)
    ]  # fmt: skip
    headings = ("user", "copied", "P&L", "change", "master's", "dearer than the master", "not copied because")
    return heading(2, "Users") + table(headings, rows, words=(6,))


def _trades(result: BacktestResult) -> str:
    trips = result.master.round_trips[-_MOST_TRADES:]
    rows = [
        [
            trip.symbol, f"{trip.opened_at:%Y-%m-%d %H:%M:%S}",
            "-" if trip.closed_at is None else f"{trip.closed_at:%Y-%m-%d %H:%M:%S}", f"{trip.quantity:f}",
            f"{trip.entry_price:.8g}", "-" if trip.exit_price is None else f"{trip.exit_price:.8g}",
            cents(trip.fees), "-" if trip.profit is None else signed(trip.profit), trip.exit_rule,
        ]
        for trip in trips
    ]  # fmt: skip
    headings = ("symbol", "bought", "sold", "quantity", "at", "for", "fees", "P&L", "by")
    left = len(result.master.round_trips) - len(trips)
    note = paragraph(f"The last {len(trips)}; {left} earlier ones are in the CSV.", kind="quiet") if left else ""
    return note + table(headings, rows, names=(0, 1, 2, 8))
