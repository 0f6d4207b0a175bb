"""`python bot.py status` for people: a screen that is read in a few seconds."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.diagnostics.accounts import Account
from bot.diagnostics.amounts_shown import cents, signed
from bot.diagnostics.listing import age_words, count
from bot.diagnostics.positions import nearest_exit
from bot.diagnostics.status_reading import Status
from bot.diagnostics.store_reading import describe_age
from bot.diagnostics.terminal import table
from bot.domain.balance import BalanceStatus

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_NEAREST_SHOWN = 5
_ALERTS_SHOWN = 5
_HEADINGS = ("account", "now", "cycle", "order", "fill", "available", "read", "worth", "today")
_COLOURS = {"trading": "bold green", "waiting": "bold yellow", "stopped": "bold red"}


def screen(status: Status, console: "Console") -> "RenderableType":
    """All of it, as wide as the console."""
    from rich.console import Group
    from rich.text import Text

    head = Text()
    head.append(status.word["text"].upper(), style=_COLOURS[status.word["state"]])
    head.append(f"  {_mode(status)}  {_uptime(status)}")
    return Group(head, *(Text(line) for line in _why(status)), _accounts(status, console), *_below(status))


def _mode(status: Status) -> str:
    return "PAPER (made-up prices and money)" if status.mode == "paper" else f"{status.mode.upper()} (real money)"


def _uptime(status: Status) -> str:
    seconds = status.uptime_seconds
    up = f"up {age_words(seconds)}, " if seconds is not None else ""
    return f"{up}build {status.build['build']}"


def _why(status: Status) -> Iterator[str]:
    """Why it does not trade, or the sentence that says how many do; then all that needs a look."""
    yield f"{status.word['why']}."
    yield from status.overview.attention
    yield from status.overview.notes()
    yield from _reasons(status)


def _reasons(status: Status) -> Iterator[str]:
    """What the table has no room for: why accounts do not trade, each reason once."""
    by_reason: dict[str, list[str]] = {}
    for one in status.overview.accounts:
        if status.overview.state.running and not one.not_configured and _now(one, runs=True) != one.why_not_trading:
            by_reason.setdefault(one.why_not_trading, []).append(one.label)
    yield from (f"{reason}: {', '.join(names)}" for reason, names in by_reason.items() if reason)


# -- accounts -----------------------------------------------------------------------------------------------------
def _accounts(status: Status, console: "Console") -> "RenderableType":
    made = table(console, "", *_HEADINGS)
    made.title = None
    for column in made.columns[2:]:
        column.no_wrap, column.justify = True, "right"
    made.columns[0].no_wrap, made.columns[1].min_width = True, len("trades")
    today = {one.account.account_id: one.net for one in status.periods}
    for one in status.overview.accounts:
        if not one.not_configured:
            made.add_row(*_cells(one, today.get(one.label), status))
    return made


def _cells(one: Account, today: Decimal | None, status: Status) -> Sequence[str]:
    row = one.row
    known = one.balance_status is not BalanceStatus.UNKNOWN
    return (
        one.label,
        _now(one, runs=status.overview.state.running),
        _ago(row.last_cycle_at, status.now),
        _ago(row.last_order_at, status.now),
        _ago(row.last_fill_at, status.now),
        cents(row.cash_available) if known else "unknown",
        _ago(row.balance_taken_at, status.now),
        "unknown" if one.worth is None else cents(one.worth.equity),
        signed(today),
    )


def _now(one: Account, *, runs: bool) -> str:
    if not runs:
        return "-"
    return one.why_not_trading.partition(":")[0] or "trades"


def _ago(moment: datetime | None, now: datetime) -> str:
    return "-" if moment is None else describe_age(now - moment)


# -- below them ---------------------------------------------------------------------------------------------------
def _below(status: Status) -> Iterator["RenderableType"]:
    from rich.text import Text

    for line in (*_money(status), *_positions(status), *_debts(status), *_alerts(status)):
        yield Text(line)


def _money(status: Status) -> Iterator[str]:
    """A sum per currency; several that count one to one by the settings are one."""
    for one in status.totals:
        made = one.sum_of(lambda period: period.net)
        yield f"Money: {cents(one.sum_of(lambda period: period.equity))} {one.currency}, today {signed(made)}"
    absent = [one.label for one in status.overview.accounts if one.not_configured]
    if absent:
        yield f"No key yet: {', '.join(absent)}"


def _positions(status: Status) -> Iterator[str]:
    held = status.positions
    if not held:
        yield "Nothing is held."
        return
    yield f"Held: {count(len(held), 'position')}, unrealised {_unrealised(held)}; nearest exits:"
    yield from (f"  {_position(one)}" for one in held[:_NEAREST_SHOWN])


def _unrealised(held: Sequence[Mapping[str, Any]]) -> str:
    """A sum per currency: they are not added here."""
    sums: dict[str, Decimal] = {}
    for one in held:
        if one["profit_quote"] is not None:
            currency = str(one["symbol"]).rpartition("/")[2]
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(one["profit_quote"])
    unknown = sum(one["profit_quote"] is None for one in held)
    told = [f"{signed(made)} {currency}" for currency, made in sorted(sums.items())]
    return ", ".join([*told, *([f"{unknown} without a price"] if unknown else [])])


def _position(one: Mapping[str, Any]) -> str:
    profit, exits = one["profit_quote"], one["exits"]
    told = signed(None if profit is None else Decimal(profit))
    return f"{one['account_id']} {one['symbol']}: {nearest_exit(exits)}, unrealised {told}"


def _debts(status: Status) -> Iterator[str]:
    if not status.debts:
        yield "No exit is owed."
    else:
        yield f"{count(len(status.debts), 'exit')} owed: python bot.py debts"


def _alerts(status: Status) -> Iterator[str]:
    """The newest; `python bot.py alerts` has them all."""
    if not status.alerts:
        yield "No alert is open."
        return
    newest = sorted(status.alerts, key=lambda one: str(one["since"]), reverse=True)
    yield f"{count(len(newest), 'alert')} open: python bot.py alerts"
    for one in newest[:_ALERTS_SHOWN]:
        yield f"  {one['cause']} {one['subject']}: {one['text']} ({age_words(one['age_seconds'])})".replace(" :", ":")
