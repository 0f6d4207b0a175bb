"""`python bot.py audit`: proves from the store that every user has one answer to every signal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, moment, number
from bot.diagnostics.listing import cannot_read, count, paper, print_json, time_text
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.domain.signal import CopyStatus
from bot.settings import Settings
from bot.storage import audited_amounts, audited_answers, audited_orders, audits
from bot.storage.audits import Finding, Patience, Scope

# A broken rule may break everywhere: so many of one are listed, the others are counted.
LISTED = 1000
PRINTED = 50

RULES: Sequence[tuple[str, Callable[[Connection, Scope, Patience], Iterator[Finding]]]] = (
    ("each user that was active has one answer to each signal", audited_answers.missing_rows),
    ("nobody else has one", lambda c, s, _p: audited_answers.rows_of_strangers(c, s)),
    (
        "each answer is final with a reason of the list, or is worked on",
        lambda c, s, _p: audited_answers.wrong_answers(c, s),
    ),
    ("no entry is worked on after its time", audited_answers.overdue_entries),
    ("signals equal the master's booked fills", lambda c, s, _p: audited_amounts.wrong_signals(c, s)),
    ("each copied order belongs to a copy", lambda c, s, _p: audited_orders.orders_without_copy(c, s)),
    ("one entry order at most for a signal and user", lambda c, s, _p: audited_orders.second_entries(c, s)),
    ("orders equal their booked fills", lambda c, s, _p: audited_amounts.wrong_orders(c, s)),
    ("states and their changes are of the list", lambda c, s, _p: audited_orders.illegal_states(c, s)),
    ("answers agree with their orders", lambda c, s, _p: audited_orders.disagreeing_answers(c, s)),
)


@dataclass(frozen=True)
class Selection:
    """What is audited: since a time, the newest signals, or (neither) all of it."""

    since: datetime | None = None
    signals: int | None = None

    def scope(self, connection: Connection) -> Scope:
        if self.since is not None:
            return audits.scope_since(connection, self.since)
        if self.signals is not None:
            return audits.scope_of_newest(connection, self.signals)
        return Scope()


@dataclass(frozen=True)
class Rule:
    """One rule as it was found: how often it is broken, and the first of the findings."""

    name: str
    broken: int
    findings: Sequence[Finding]


@dataclass(frozen=True)
class Report:
    """The outcome of an audit. `counts` are signals, orders and copies by status."""

    rules: Sequence[Rule]
    counts: dict[str, int]
    exit_debts: int

    @property
    def proven(self) -> bool:
        return not any(rule.broken for rule in self.rules)

    @property
    def entries_under_way(self) -> int:
        return self.counts.get(str(CopyStatus.PLANNED), 0) - self.exit_debts


def examine(connection: Connection, scope: Scope, patience: Patience) -> Report:
    """Apply every rule to what the connection shows."""
    rules = [_apply(name, check(connection, scope, patience)) for name, check in RULES]
    return Report(rules, audited_answers.counts(connection, scope), audited_answers.exit_debt_count(connection, scope))


def _apply(name: str, findings: Iterator[Finding]) -> Rule:
    kept: list[Finding] = []
    broken = 0
    for finding in findings:
        broken += 1
        if len(kept) < LISTED:
            kept.append(finding)
    return Rule(name, broken, kept)


def patience_of(settings: Settings, connection: Connection, moment: datetime) -> Patience:
    """How long an answer may take, by the settings and the start of the last run."""
    return Patience(
        now=moment,
        running_since=bot_state(connection, now=moment).started_at,
        max_signal_age_seconds=settings.copying.max_signal_age_seconds,
    )


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "audit",
        "proof from the store that every user has one answer to every signal, and the books add up",
        lambda settings, words: run(settings, Selection(words.since, words.signals), as_json=words.json),
        codes="0 proven, 1 something is missing or wrong (each is listed), 2 the store cannot be read",
        examples=["audit", "audit --signals 100", "audit --since 2026-01-31T12:00Z --json"],
    )
    which = made.add_mutually_exclusive_group()
    which.add_argument("--since", type=moment, metavar="TIME", help="only what was made since then (UTC if no zone)")
    which.add_argument("--signals", type=number, metavar="N", help="only the newest N signals")


def run(settings: Settings, selection: Selection, *, as_json: bool) -> int:
    """Print the proof. 0 = proven, 1 = something is missing or wrong, 2 = the store cannot be read."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            report = examine(connection, selection.scope(connection), patience_of(settings, connection, moment))
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.WRONG_USE, empty={"proven": None, "findings": []})
    if as_json:
        _print_json(state, report, moment)
    else:
        _print(state, report)
    return exit_codes.OK if report.proven else exit_codes.SOMETHING_WRONG


def _print_json(state: BotState, report: Report, moment: datetime) -> None:
    print_json(
        state,
        proven=report.proven,
        audited_at=time_text(moment),
        counts=report.counts,
        exit_debts=report.exit_debts,
        entries_under_way=report.entries_under_way,
        rules=[{"rule": rule.name, "broken": rule.broken} for rule in report.rules],
        findings=[_finding(rule, finding) for rule in report.rules for finding in rule.findings],
    )


def _finding(rule: Rule, finding: Finding) -> dict[str, Any]:
    return {"rule": rule.name, "sentence": finding.sentence, "ids": dict(finding.ids)}


def _print(state: BotState, report: Report) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    console.print(_about(report), soft_wrap=True)
    for rule in report.rules:
        console.print(f"  {'yes' if not rule.broken else 'NO '}  {rule.name}{_times(rule.broken)}")
    for rule in report.rules:
        for finding in rule.findings[:PRINTED]:
            console.print(f"- {finding.sentence}.", soft_wrap=True)
        if rule.broken > PRINTED:
            console.print(f"- … and {rule.broken - PRINTED} more: {rule.name} (--json lists {LISTED})")
    console.print("Proven." if report.proven else "NOT PROVEN.")


def _about(report: Report) -> str:
    words = [
        f"{report.counts[status]} {status.replace('_', ' ')}"
        for status in map(str, CopyStatus)
        if status in report.counts and status != CopyStatus.PLANNED
    ]
    if report.entries_under_way:
        words.append(f"{report.entries_under_way} under way")
    if report.exit_debts:
        words.append(f"{count(report.exit_debts, 'exit')} owed (python bot.py debts)")
    answers = ", ".join(words) or "no copy"
    return f"{count(report.counts['signals'], 'signal')}: {answers}. {count(report.counts['orders'], 'order')}."


def _times(broken: int) -> str:
    return f": broken {count(broken, 'time')}" if broken else ""
