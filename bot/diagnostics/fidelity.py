"""`python bot.py fidelity`: how each user's copies came out beside the ideal, and what made the difference."""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from bot.books.fidelity import to_cents, total
from bot.diagnostics.amounts_shown import cents, signed, units
from bot.diagnostics.books_command import Ledger, ending, open_ledger, refuse
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.listing import count, paper, print_json, since, time_text
from bot.diagnostics.period_reading import UnknownName
from bot.diagnostics.store_reading import NoStore
from bot.diagnostics.terminal import table
from bot.domain.money import plain
from bot.settings import Settings
from bot.storage.book_entries import EVER, NEVER
from bot.storage.fidelity_rows import FidelityLine, fidelity_of
from bot.storage.schema import account, copy_result, order_intent, signal

if TYPE_CHECKING:
    from rich.console import Console

PRINTED = 40


@dataclass(frozen=True)
class Asked:
    """Whose copies (a user's id or an account's label; "" = all users'), of one signal or of some days."""

    user: str = ""
    signal: str = ""
    days: int | None = 7


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "fidelity",
        "how each user's copies came out beside ratio x master, and what made the difference",
        _run,
        codes="0 shown, 1 something is not known, 2 wrong use, 3 the bot is not running (as last seen)",
        examples=["fidelity", "fidelity daivon_frazier --7d", "fidelity --signal 3f9c21aa", "fidelity --all --json"],
    )
    made.add_argument("user", nargs="?", default="", metavar="USER", help="a user's id, or one account's label")
    made.add_argument("--signal", default="", metavar="ID", help="one signal, or the beginning of its id")
    which = made.add_mutually_exclusive_group()
    which.add_argument("--7d", dest="week", action="store_true", help="signals of the last seven days (the default)")
    which.add_argument("--30d", dest="month", action="store_true", help="of the last thirty days")
    which.add_argument("--all", action="store_true", help="all signals")


def _run(settings: Settings, words: argparse.Namespace) -> int:
    days = None if words.all or words.signal else 30 if words.month else 7
    return run(settings, Asked(words.user, words.signal.lower(), days), as_json=words.json)


@dataclass
class Summary:
    """One account's lines in one currency. Sums are of what is known; `unknown` lines are in none of them.

    `by_part` is in whole cents that add up to `whole`. `mean_rank` and `mean_middle` are over the copies that have a
    rank: what it was, and what it would be on average if the order is fair.
    """

    account_id: str
    currency: str
    lines: list[FidelityLine] = field(default_factory=list)
    unknown: int = 0
    whole: Decimal = Decimal(0)
    by_part: Mapping[str, Decimal] = field(default_factory=dict)
    mean_rank: float | None = None
    mean_middle: float | None = None
    ranked: int = 0
    median_latency_seconds: float | None = None


def summaries(lines: Sequence[FidelityLine], spread: Mapping[str, "Spread"]) -> Sequence[Summary]:
    """By account and currency; `spread` is of each signal."""
    found: dict[tuple[str, str], Summary] = {}
    for line in lines:
        key = (line.account_id, line.currency)
        found.setdefault(key, Summary(*key)).lines.append(line)
    for summary in found.values():
        _sum_up(summary, spread)
    return [found[key] for key in sorted(found)]


def _sum_up(summary: Summary, spread: Mapping[str, "Spread"]) -> None:
    parts: dict[str, list[Decimal]] = defaultdict(list)
    for line in summary.lines:
        if line.difference.whole is None:
            summary.unknown += line.status != "planned"
        for part in line.difference.parts:
            parts[part.name].append(part.amount)
    sums = {name: total(amounts) for name, amounts in sorted(parts.items())}
    summary.by_part = dict(zip(sums, to_cents(list(sums.values())), strict=True))
    summary.whole = total(summary.by_part.values())
    ranks = [
        (line.rank, spread[line.signal_id].members)
        for line in summary.lines
        if line.signal_id and line.rank is not None
    ]
    summary.ranked = len(ranks)
    if ranks:
        summary.mean_rank = fmean(rank for rank, _ in ranks)
        summary.mean_middle = fmean((number - 1) / 2 for _, number in ranks)
    waits = [line.latency_seconds for line in summary.lines if line.latency_seconds is not None]
    summary.median_latency_seconds = median(waits) if waits else None


def run(settings: Settings, asked: Asked, *, as_json: bool) -> int:
    """Print it. 0 = all is known, 1 = something is not, 2 = no such user or signal, 3 = the bot is not running."""
    try:
        with open_ledger(settings) as ledger:
            lines = _lines(ledger.connection, asked, ledger.now)
            ids = {line.signal_id for line in lines if line.signal_id is not None}
            spread = first_to_last(ledger.connection, ids)
    except (NoStore, UnknownName) as error:
        return refuse(error, as_json=as_json, empty={"users": []})
    found = summaries(lines, spread)
    if as_json:
        print_json(ledger.state, mode=ledger.mode, users=[_with_lines(summary, spread) for summary in found])
    else:
        _print(ledger, asked, found, spread)
    return ending(ledger.state, wrong=any(summary.unknown for summary in found))


def _lines(connection: Connection, asked: Asked, moment: datetime) -> Sequence[FidelityLine]:
    begin = EVER if asked.days is None else moment - timedelta(days=asked.days)
    end = NEVER
    if asked.signal:
        begin, end = _times_of(connection, asked.signal)
    lines = [line for label in _labels(connection, asked.user) for line in fidelity_of(connection, label, begin, end)]
    if asked.signal:
        lines = [line for line in lines if line.signal_id is not None and line.signal_id.startswith(asked.signal)]
    return lines


def _times_of(connection: Connection, beginning: str) -> tuple[datetime, datetime]:
    query = select(signal.c.executed_at).where(signal.c.signal_id.startswith(beginning, autoescape=True)).limit(2)
    times = list(connection.execute(query).scalars())
    if len(times) != 1:
        raise UnknownName(f"{'no signal' if not times else 'more than one signal'} begins with {beginning!r}")
    return times[0], times[0] + timedelta(microseconds=1)


def _labels(connection: Connection, user: str) -> Sequence[str]:
    query = select(account.c.account_id).where(account.c.user_id.is_not(None)).order_by(account.c.account_id)
    if user:
        query = query.where((account.c.user_id == user) | (account.c.account_id == user))
    labels = list(connection.execute(query).scalars())
    if user and not labels:
        raise UnknownName(f"there is no user {user!r}: python bot.py copies shows who copies")
    return labels


@dataclass(frozen=True)
class Spread:
    """How many users a signal had, and how far apart the first and the last of their orders were sent (seconds)."""

    members: int
    first_to_last_seconds: float | None


def first_to_last(connection: Connection, signal_ids: set[str]) -> Mapping[str, Spread]:
    """By signal."""
    found: dict[str, Spread] = {}
    ids = sorted(signal_ids)
    for start in range(0, len(ids), 500):
        query = (
            select(
                copy_result.c.signal_id,
                func.count().label("members"),
                func.min(order_intent.c.sent_at).label("first"),
                func.max(order_intent.c.sent_at).label("last"),
            )
            .outerjoin(order_intent, order_intent.c.client_order_id == copy_result.c.client_order_id)
            .where(copy_result.c.signal_id.in_(ids[start : start + 500]))
            .group_by(copy_result.c.signal_id)
        )
        for row in connection.execute(query):
            seconds = None if row.first is None else (row.last - row.first).total_seconds()
            found[row.signal_id] = Spread(row.members, seconds)
    return found


# -- as JSON ------------------------------------------------------------------------------------------------------
def _with_lines(summary: Summary, spread: Mapping[str, Spread]) -> dict[str, Any]:
    return summary_fields(summary) | {"lines": [line_fields(line, spread) for line in summary.lines]}


def summary_fields(summary: Summary) -> dict[str, Any]:
    """The sums, with every digit of what is exact."""
    return {
        "account": summary.account_id,
        "currency": summary.currency,
        "copies": len(summary.lines),
        "unknown": summary.unknown,
        "difference": plain(summary.whole),
        "by_part": {name: plain(amount) for name, amount in summary.by_part.items()},
        "mean_rank": summary.mean_rank,
        "fair_mean_rank": summary.mean_middle,
        "ranked": summary.ranked,
        "median_latency_seconds": summary.median_latency_seconds,
    }


def line_fields(line: FidelityLine, spread: Mapping[str, Spread]) -> dict[str, Any]:
    among = spread.get(line.signal_id or "")
    return {
        "kind": line.kind,
        "signal_id": line.signal_id,
        "trade_id": line.trade_id,
        "symbol": line.symbol,
        "side": str(line.side),
        "at": time_text(line.at),
        "status": line.status,
        "reason": line.reason,
        "rank": line.rank,
        "members": None if among is None else among.members,
        "first_to_last_seconds": None if among is None else among.first_to_last_seconds,
        "latency_seconds": line.latency_seconds,
        "ideal_quantity": _amount(line.ideal_quantity),
        "master_price": _amount(line.master_price),
        "quantity": plain(line.quantity),
        "price": _amount(line.price),
        "reference_price": _amount(line.reference),
        "open_fraction": plain(line.open_fraction),
        "marked_at": time_text(line.marked_at),
        "difference": _amount(line.difference.whole),
        "parts": [
            {"cause": part.cause.name.lower(), "reason": part.reason, "amount": plain(part.amount)}
            for part in line.difference.parts
        ],
        "why_unknown": line.difference.why,
        "fees_apart": {asset: plain(fee) for asset, fee in line.fees_apart.items()},
    }


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


# -- for people ---------------------------------------------------------------------------------------------------
def _print(ledger: Ledger, asked: Asked, found: Sequence[Summary], spread: Mapping[str, Spread]) -> None:
    console = paper()
    console.print(f"{ledger.state.sentence}. {ledger.mode_words}", soft_wrap=True)
    if not found:
        console.print("No copy in this time.")
        return
    _print_summaries(console, found)
    if len(found) == 1 or asked.signal:
        _print_lines(console, [line for summary in found for line in summary.lines])
    _print_order(console, spread)
    for note in notes_of([line for summary in found for line in summary.lines], ledger.now):
        console.print(note, soft_wrap=True)


def _print_summaries(console: "Console", found: Sequence[Summary]) -> None:
    title = "Difference to ratio x master (above zero: better than that)"
    listed = table(console, title, "account", "copies", "difference")
    for heading in ("what made it", "mean rank"):
        listed.add_column(heading, overflow="fold")
    for summary in found:
        parts = [f"{name} {signed(amount)}" for name, amount in summary.by_part.items() if amount]
        if summary.unknown:
            parts.append(f"{summary.unknown} not known")
        rank = "-" if summary.mean_rank is None else f"{summary.mean_rank:.1f} (fair: {summary.mean_middle:.1f})"
        whole = f"{signed(summary.whole)} {summary.currency}"
        listed.add_row(summary.account_id, str(len(summary.lines)), whole, "\n".join(parts) or "nothing", rank)
    console.print(listed)


def _print_lines(console: "Console", lines: Sequence[FidelityLine]) -> None:
    listed = table(console, "Copies, newest first", "time (UTC)", "what", "ideal", "was", "difference")
    listed.add_column("what made it", overflow="fold")
    for line in list(reversed(lines))[:PRINTED]:
        parts = line.difference.parts
        shown = zip(parts, to_cents([part.amount for part in parts]), strict=True)
        words = [f"{part.name} {signed(amount)}" for part, amount in shown if amount]
        listed.add_row(
            f"{line.at:%m-%d %H:%M:%S}",
            f"{line.side} {line.symbol}{' by hand' if line.kind == 'manual' else ''}",
            _traded(line.ideal_quantity, line.master_price),
            _traded(line.quantity, line.price),
            signed(line.difference.whole),
            "\n".join(words) or line.difference.why or "-",
        )
    console.print(listed)
    if len(lines) > PRINTED:
        console.print(f"… and {len(lines) - PRINTED} older ones (--json lists all).")


def _traded(quantity: Decimal | None, price: Decimal | None) -> str:
    if quantity is None:
        return "unknown"
    rounded = Decimal(f"{quantity:.6g}")
    return f"{units(rounded)} at {cents(price)}" if quantity and price is not None else "-"


def _print_order(console: "Console", spread: Mapping[str, Spread]) -> None:
    seconds = [one.first_to_last_seconds for one in spread.values() if one.first_to_last_seconds is not None]
    if seconds:
        words = f"From the first user's order to the last one's: {median(seconds):.3f} s in the middle"
        console.print(f"{words}, {max(seconds):.3f} s at most, of {count(len(seconds), 'signal')}.", soft_wrap=True)


def notes_of(lines: Sequence[FidelityLine], moment: datetime) -> Sequence[str]:
    """What a reader of the sums has to know."""
    found = []
    marked = [line.marked_at for line in lines if line.marked_at is not None and line.difference.whole is not None]
    if marked:
        words = "What the master has not sold yet is compared at the last price that was written down"
        found.append(f"{words}, the oldest of {since(min(marked), moment)}.")
    apart = {asset for line in lines for asset in line.fees_apart}
    if apart:
        found.append(f"Fees in {', '.join(sorted(apart))} are in no sum: what they were worth is not known.")
    merged = sum(any(part.cause.name == "PRICE" for part in line.difference.parts) for line in lines)
    seen = sum(any(part.cause.name == "LATENCY" for part in line.difference.parts) for line in lines)
    if merged > seen:
        found.append("Where nobody looked at the market while copies were planned, latency is a part of price.")
    under_way = sum(line.status == "planned" for line in lines)
    if under_way:
        found.append(f"{count(under_way, 'copy', 'copies')} under way.")
    return found
