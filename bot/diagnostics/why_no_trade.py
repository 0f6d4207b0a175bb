"""`python bot.py why-no-trade`: the funnel of a master's last scans, or of a user's last copies."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, moment, number
from bot.diagnostics.listing import cannot_read, paper, print_json, since, time_text
from bot.diagnostics.store_reading import NoStore, now, read_store
from bot.diagnostics.why_no_trade_copies import CopyFunnel, copies_of, copy_funnel, copy_obstacle
from bot.diagnostics.why_no_trade_funnel import STAGES, Funnel, funnel_of, obstacle, percent
from bot.diagnostics.why_subject import Subject, Unknown, find_subject
from bot.settings import Settings
from bot.storage.scan_cycles import scans_of

DEFAULT_CYCLES = 60
BAR = 40
_FULL = "█"


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "why-no-trade",
        "how many markets were left after each step of the last scans, and what took the others",
        _run,
        codes=(
            "0 shown, 1 the sums do not match (each place is said), 2 no such account or wrong use,\n"
            "3 the bot is not running (then: as last seen)"
        ),
        examples=[
            "why-no-trade kraken",
            "why-no-trade kraken --since 2026-01-31T12:00Z",
            "why-no-trade daivon_frazier_kraken --cycles 200 --json",
        ],
    )
    made.add_argument("account", metavar="ACCOUNT", help="as kraken or daivon_frazier_kraken")
    which = made.add_mutually_exclusive_group()
    which.add_argument(
        "--cycles",
        type=number,
        metavar="N",
        help=f"the newest N that were written down, of a user N entries (default {DEFAULT_CYCLES})",
    )
    which.add_argument("--since", type=moment, metavar="TIME", help="all since then (UTC if no zone)")


def _run(settings: Settings, words: argparse.Namespace) -> int:
    limit = None if words.since is not None else words.cycles or DEFAULT_CYCLES
    return run(settings, words.account, from_moment=words.since, limit=limit, as_json=words.json)


def run(settings: Settings, account: str, *, from_moment: datetime | None, limit: int | None, as_json: bool) -> int:
    """Print it. 0 = shown, 1 = the sums do not match, 2 = no such account, 3 = the bot is not running."""
    try:
        with read_store(settings) as connection:
            subject = find_subject(connection, settings, account)
            seen = _read(connection, subject, now(settings), from_moment, limit)
    except NoStore as error:
        code = exit_codes.WRONG_USE if isinstance(error, Unknown) else exit_codes.NOT_RUNNING
        return cannot_read(error, as_json=as_json, code=code, empty={"account": account, "funnel": None})
    if as_json:
        print_json(subject.state, account=subject.label, **seen.json())
    else:
        _print(subject, seen)
    if seen.wrong:
        return exit_codes.SOMETHING_WRONG
    return exit_codes.OK if subject.state.running else exit_codes.NOT_RUNNING


@dataclass(frozen=True)
class _Seen:
    """What was read, of a master or of a user."""

    at: datetime
    funnel: Funnel | None = None
    copies: CopyFunnel | None = None
    now_not_trading: str = ""

    @property
    def wrong(self) -> bool:
        return self.funnel is not None and bool(self.funnel.mismatches)

    def json(self) -> dict[str, Any]:
        if self.funnel is not None:
            found = _master_json(self.funnel)
        else:
            assert self.copies is not None, "it is the one or the other"
            found = _user_json(self.copies)
        return found | {"why_not_trading": self.now_not_trading}


def funnel_fields(connection: Connection, settings: Settings, account: str, *, limit: int) -> dict[str, Any]:
    """What `--json` prints, of the newest `limit` scans. Raises `Unknown`."""
    subject = find_subject(connection, settings, account)
    return {"account": subject.label, **_read(connection, subject, now(settings), None, limit).json()}


def _read(
    connection: Connection, subject: Subject, at: datetime, from_moment: datetime | None, limit: int | None
) -> _Seen:
    idle = subject.account.why_not_trading
    if subject.is_master:
        rows = scans_of(connection, subject.label, since=from_moment, limit=limit)
        until = at if subject.state.running else subject.state.last_seen_at or at
        return _Seen(at, funnel=funnel_of(rows, until=until), now_not_trading=idle)
    copies = copies_of(connection, subject.label, since=from_moment, limit=limit)
    return _Seen(at, copies=copy_funnel(copies), now_not_trading=idle)


# -- as JSON ------------------------------------------------------------------------------------------------------
def _master_json(funnel: Funnel) -> dict[str, Any]:
    return {
        "kind": "master",
        "scans": funnel.scans,
        "waitings": funnel.waitings,
        "first_at": time_text(funnel.first_at),
        "last_at": time_text(funnel.last_at),
        "waited_share": round(funnel.waited_share, 4),
        "waited": [{"why": why, "share": round(share, 4)} for why, share in funnel.waited],
        "funnel": {
            "listed": funnel.listed,
            "passed": funnel.passed,
            "asked": funnel.ready,
            "signals": funnel.signals,
            "ordered": funnel.ordered,
        }
        | {stage: dict(funnel.loss(stage).rules) for stage in STAGES},
        "obstacle": obstacle(funnel),
        "mismatches": list(funnel.mismatches),
    }


def _user_json(funnel: CopyFunnel) -> dict[str, Any]:
    return {
        "kind": "user",
        "first_at": time_text(funnel.first_at),
        "last_at": time_text(funnel.last_at),
        "funnel": {
            "signals": funnel.signals,
            "copied": funnel.copied,
            "under_way": funnel.under_way,
            "not_copied": dict(funnel.reasons),
        },
        "obstacle": copy_obstacle(funnel),
        "mismatches": [],
    }


# -- for people ---------------------------------------------------------------------------------------------------
def _print(subject: Subject, seen: _Seen) -> None:
    console = paper()
    console.print(f"{subject.state.sentence}.", soft_wrap=True)
    if seen.now_not_trading:
        console.print(f"{subject.label} does not trade now: {seen.now_not_trading}.", soft_wrap=True)
    lines = _user_lines(subject, seen) if seen.funnel is None else _master_lines(subject, seen.funnel, seen.at)
    for line in lines:
        console.print(line, soft_wrap=True)


def _master_lines(subject: Subject, funnel: Funnel, at: datetime) -> Iterator[str]:
    yield f"{obstacle(funnel)}."
    for why, share in funnel.waited:
        yield f"  waited {percent(share)} of the time: {why}"
    if funnel.scans:
        yield ""
        scans = "1 scan" if funnel.scans == 1 else f"{funnel.scans} scans"
        yield f"{subject.label}, {scans} from {since(funnel.first_at, at)} to {since(funnel.last_at, at)}:"
        yield from _bars(_steps(funnel))
        yield "Each count is of looks at markets: a market counts once in every scan."
    for mismatch in funnel.mismatches:
        yield f"ERROR: the sums do not match: {mismatch}"


def _steps(funnel: Funnel) -> Sequence[tuple[str, int]]:
    steps: list[tuple[str, int]] = [("listed", funnel.listed)]
    for name, left, stages in (
        ("passed the filters", funnel.passed, ("filtered", "held")),
        ("asked of the strategy", funnel.ready, ("missing",)),
        ("signals", funnel.signals, ("no_entry",)),
        ("ordered", funnel.ordered, ("vetoed",)),
    ):
        for stage in stages:
            words = f"{stage.replace('_', ' ')}: "
            steps += [(f"  - {words}{rule.replace('_', ' ')}", lost) for rule, lost in funnel.loss(stage).rules]
        steps.append((name, left))
    return steps


def _user_lines(subject: Subject, seen: _Seen) -> Iterator[str]:
    funnel = seen.copies
    assert funnel is not None, "a user has copies"
    yield f"{copy_obstacle(funnel)}."
    if not funnel.signals:
        return
    yield ""
    yield f"{subject.label}, entries from {since(funnel.first_at, seen.at)} to {since(funnel.last_at, seen.at)}:"
    yield from _bars(
        [
            ("the master's entries", funnel.signals),
            *[(f"  - not copied: {reason.replace('_', ' ')}", lost) for reason, lost in funnel.reasons],
            *([("under way", funnel.under_way)] if funnel.under_way else []),
            ("copied", funnel.copied),
        ]
    )


def _bars(steps: Sequence[tuple[str, int]]) -> Iterator[str]:
    """A line each: its name, its number, and a bar in proportion; what is not nothing has one block at least."""
    width = max(len(name) for name, _ in steps)
    largest = max(1, *(number for _, number in steps))
    digits = len(f"{largest:,}")
    for name, number_of in steps:
        blocks = max(1, round(BAR * number_of / largest)) if number_of else 0
        yield f"  {name:<{width}}  {number_of:>{digits},}  {_FULL * blocks}".rstrip()
