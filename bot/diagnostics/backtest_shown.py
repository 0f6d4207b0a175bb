"""A backtest in a terminal, and the same as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bot.backtest.figures import Figures, fidelity_of, figures_of
from bot.backtest.result import BacktestResult, RoundTrip
from bot.diagnostics.amounts_shown import cents, exact, signed
from bot.diagnostics.listing import paper, time_text
from bot.diagnostics.terminal import table
from bot.domain.symbol import quote_of

if TYPE_CHECKING:
    from rich.console import Console

    from bot.diagnostics.backtest_run import Finding

ASSUMED = (
    "Sharpe: daily returns, no interest on cash, times the root of 365. Drawdown at closes of candles. Hold: equal "
    "parts of the balance in every symbol from the first open to the last close, one fee."
)


def show(finding: "Finding") -> None:
    """Print everything worth knowing, warnings first and last."""
    console, result = paper(), finding.result
    for warning in finding.warnings:
        console.print(f"WARNING: {warning}", soft_wrap=True)
    if finding.stretches:
        _show_stretches(console, finding)
    _show_figures(console, finding)
    _show_months(console, result)
    if result.users:
        _show_users(console, result)
    if result.not_entered:
        words = ", ".join(f"{rule} {count}" for rule, count in sorted(result.not_entered.items()))
        console.print(f"Wanted and not entered: {words}.", soft_wrap=True)
    console.print(ASSUMED, soft_wrap=True)


def percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{fraction * 100:+.2f} %"


def rows_of(result: BacktestResult) -> Sequence[tuple[str, str]]:
    """The figures of the master by their names, as they are shown."""
    found, currency = figures_of(result.master), quote_of(result.symbols[0])
    win_rate = "-" if found.win_rate is None else f"{found.win_rate * 100:.1f} % ({found.wins} of {found.trades})"
    return [
        ("trades", f"{found.trades} ended, {found.open_trades} open"),
        ("win rate", win_rate),
        ("P&L after fees", f"{signed(found.profit)} {currency} ({percent(found.change)})"),
        ("fees", f"{cents(found.fees)} {currency}"),
        ("max drawdown", f"{found.drawdown * 100:.2f} %"),
        ("exposure", f"{found.exposure * 100:.1f} % of its worth on average"),
        ("Sharpe", "-" if found.sharpe is None else f"{found.sharpe:.2f}"),
        ("held instead", percent(result.hold_return)),
        ("best, worst trade", f"{signed(found.best)}, {signed(found.worst)}" if found.trades else "-"),
        ("average time held", "-" if found.average_minutes is None else f"{found.average_minutes:.0f} min"),
        ("exits", ", ".join(f"{rule} {count}" for rule, count in sorted(found.exits.items())) or "-"),
    ]


def _show_figures(console: "Console", finding: "Finding") -> None:
    result = finding.result
    span = f"{result.begin:%Y-%m-%d %H:%M} to {result.end:%Y-%m-%d %H:%M} UTC"
    words = " ".join(f"{name}={value}" for name, value in finding.parameters.items())
    title = f"{finding.strategy} {words}".strip()
    markets = ", ".join(result.symbols[:5]) + (
        f" and {len(result.symbols) - 5} more" if len(result.symbols) > 5 else ""
    )
    console.print(
        f"{title} on {finding.source}: {markets}; {result.candles} candles of {result.interval_minutes} min, {span}",
        soft_wrap=True,
    )
    listed = table(console, "Master", "figure", "value")
    for name, value in rows_of(result):
        listed.add_row(name, value)
    console.print(listed)


def _show_months(console: "Console", result: BacktestResult) -> None:
    listed = table(console, "By month", "month", "change of worth", "P&L of ended trades", "trades")
    for month in figures_of(result.master).months:
        listed.add_row(month.name, percent(month.change), signed(month.profit), str(month.trades))
    console.print(listed)


def _show_users(console: "Console", result: BacktestResult) -> None:
    listed = table(console, "Users", "user", "copied", "P&L", "change", "master's", "dearer", "not copied because")
    for one, account in zip(fidelity_of(result), result.users, strict=True):
        skipped = ", ".join(f"{reason} {count}" for reason, count in sorted(one.skipped.items())) or "-"
        dearer = "-" if one.dearer_percent is None else f"{one.dearer_percent:+.3f} %"
        listed.add_row(
            one.user, f"{one.copied} of {one.entries}", signed(account.profit), percent(one.change),
            percent(one.master_change), dearer, skipped,
        )  # fmt: skip
    console.print(listed)


def _show_stretches(console: "Console", finding: "Finding") -> None:
    listed = table(
        console, f"Walk forward: best of {finding.tried} on one stretch, judged on the next",
        "judged from (UTC)", "parameters", "where chosen", "out of sample", "trades",
    )  # fmt: skip
    for one in finding.stretches:
        words = " ".join(f"{name}={value}" for name, value in one.parameters.items()) or "as they are"
        inside, outside = figures_of(one.chosen_on.master), figures_of(one.judged_on.master)
        listed.add_row(
            f"{one.judged_on.begin:%Y-%m-%d %H:%M}", words, percent(inside.change), percent(outside.change),
            str(outside.trades),
        )  # fmt: skip
    console.print(listed)
    console.print("What follows is the last stretch, out of sample.", soft_wrap=True)


# -- JSON ---------------------------------------------------------------------------------------------------------
def as_json(finding: "Finding") -> str:
    """Amounts as text, fractions as numbers, what is not known as null."""
    result = finding.result
    return json.dumps(
        {
            "strategy": finding.strategy,
            "parameters": dict(finding.parameters),
            "source": finding.source,
            "symbols": list(result.symbols),
            "candles": result.candles,
            "interval_minutes": result.interval_minutes,
            "begin": time_text(result.begin),
            "end": time_text(result.end),
            "warnings": list(finding.warnings),
            "hold_return": round(result.hold_return, 9),
            "master": _figures(figures_of(result.master)) | {"final_equity": exact(result.master.final_equity)},
            "trades": [_trip(trip) for trip in result.master.round_trips],
            "not_entered": dict(result.not_entered),
            "users": _users(result),
            "walk_forward": [_stretch(one) for one in finding.stretches],
            "assumptions": ASSUMED,
        },
        indent=2,
    )


def _figures(found: Figures) -> dict[str, Any]:
    amounts = ("profit", "fees", "best", "worst")
    shown = {name: value for name, value in asdict(found).items() if name not in (*amounts, "months", "exits")}
    months = [{**asdict(month), "profit": exact(month.profit)} for month in found.months]
    return shown | {name: exact(getattr(found, name)) for name in amounts} | {
        "exits": dict(found.exits), "months": months
    }  # fmt: skip


def _trip(trip: RoundTrip) -> dict[str, Any]:
    return {
        "symbol": trip.symbol,
        "opened_at": time_text(trip.opened_at),
        "closed_at": time_text(trip.closed_at),
        "quantity": exact(trip.quantity),
        "entry_price": exact(trip.entry_price),
        "exit_price": exact(trip.exit_price),
        "fees": exact(trip.fees),
        "profit": exact(trip.profit),
        "exit_rule": trip.exit_rule,
        "entry_reason": trip.entry_reason,
        "exit_reason": trip.exit_reason,
    }


def _users(result: BacktestResult) -> list[dict[str, Any]]:
    return [
        {**asdict(one), "skipped": dict(one.skipped), "final_equity": exact(account.final_equity)}
        for one, account in zip(fidelity_of(result), result.users, strict=True)
    ]


def _stretch(one: Any) -> dict[str, Any]:
    return {
        "parameters": dict(one.parameters),
        "chosen_on": {"begin": time_text(one.chosen_on.begin), **_figures(figures_of(one.chosen_on.master))},
        "out_of_sample": {"begin": time_text(one.judged_on.begin), **_figures(figures_of(one.judged_on.master))},
    }
