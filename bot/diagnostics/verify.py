"""`python bot.py verify`: whether fills and decisions are still what they were when they were sealed."""

import argparse
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, func, select

from bot import exit_codes
from bot.books.chain import Finding, Verdict, check_chain
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.listing import age, cannot_read, count, paper, print_json
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.seams.clock import format_time, parse_time
from bot.settings import Settings
from bot.storage import chain_links
from bot.storage.retention import gone_before
from bot.storage.schema import chain_link

PRINTED = 20
# Progress is told each time so many more links were followed.
TELL_EVERY = 50_000
# The least that `storage.keep_decisions_days` can be.
LEAST_DECISIONS_DAYS = 7
_DIGITS = frozenset("0123456789abcdef")


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "verify",
        "whether any fill or decision was changed, removed or slipped in after it was sealed",
        lambda settings, words: run(settings, as_json=words.json, expect=words.expect or ""),
        codes="0 all is as it was sealed, 1 something is not (each is listed), 2 the store cannot be read",
        examples=["verify", "verify --json", f"verify --expect {'3f9c21aa' * 8}"],
    )
    made.add_argument(
        "--expect",
        type=digest,
        metavar="HASH",
        help="a head that was noted before: found only in the chain it came from, not in an older copy put back",
    )


def digest(text: str) -> str:
    """A SHA-256 as 64 hexadecimal digits."""
    words = text.strip().lower()
    if len(words) != 64 or not _DIGITS.issuperset(words):
        raise argparse.ArgumentTypeError("must be the 64 hexadecimal digits that verify has printed as the head")
    return words


def run(settings: Settings, *, as_json: bool, expect: str = "") -> int:
    """Print the verdict. 0 = the chain holds, 1 = it does not, 2 = the store cannot be read."""
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=now(settings))
            verdict = examine(connection, expect=expect, tell=_teller(connection), let_go=_let_go(connection, settings))
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.WRONG_USE, empty={"holds": None, "findings": []})
    if as_json:
        print_json(state, **_json(verdict, expect))
    else:
        _print(state, verdict, expect, now(settings))
    return exit_codes.OK if verdict.holds else exit_codes.SOMETHING_WRONG


def examine(
    connection: Connection,
    *,
    expect: str = "",
    tell: Callable[[int], None] = lambda _links: None,
    let_go: Mapping[str, str] = MappingProxyType({}),
) -> Verdict:
    """Follow the whole chain beside the rows it seals; `let_go` as of `check_chain`."""
    return check_chain(
        chain_links.links(connection),
        {kind.name: chain_links.rows_of(connection, kind) for kind in chain_links.KINDS},
        unordered=chain_links.UNORDERED,
        expect=expect,
        let_go=let_go,
        progress=tell,
    )


def _let_go(connection: Connection, settings: Settings) -> Mapping[str, str]:
    """Decisions that were sealed before this moment may have been let go of, now or when they were kept less long.

    No setting lets go of a week's: what says that they are gone is not believed.
    """
    moment = now(settings)
    oldest = moment - timedelta(days=settings.storage.keep_decisions_days)
    remembered = min(gone_before(connection) or oldest, moment - timedelta(days=LEAST_DECISIONS_DAYS))
    return {chain_links.ENTRY_DECISION: format_time(max(oldest, remembered))}


def _teller(connection: Connection) -> Callable[[int], None]:
    """Progress of a long check, to a person who watches."""
    newest = connection.execute(select(func.max(chain_link.c.sequence))).scalar() or 0
    if newest < TELL_EVERY or not sys.stderr.isatty():
        return lambda _links: None

    def tell(done: int) -> None:
        if done % TELL_EVERY == 0:
            print(f"{done:,} of {newest:,} links", file=sys.stderr, flush=True)

    return tell


def _json(verdict: Verdict, expect: str) -> dict[str, Any]:
    return {
        "holds": verdict.holds,
        "links": verdict.links,
        "head": verdict.head,
        "head_sealed_at": verdict.head_sealed_at or None,
        "not_sealed_yet": sum(verdict.unsealed.values()),
        "not_sealed_yet_by_kind": {kind: rows for kind, rows in verdict.unsealed.items() if rows},
        "expected": expect or None,
        "expected_at_link": verdict.expected_at,
        "broken": verdict.broken,
        "let_go": verdict.let_go,
        "first": None if verdict.first is None else _finding(verdict.first),
        "findings": [_finding(each) for each in verdict.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what.name.lower(),
        "kind": finding.kind,
        "row": finding.key,
        "link": finding.link,
        "sentence": finding.sentence,
    }


def _print(state: BotState, verdict: Verdict, expect: str, moment: datetime) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    console.print(_about(verdict, moment), soft_wrap=True)
    if verdict.expected_at is not None:
        since = verdict.links - verdict.expected_at
        console.print(f"The head you have noted is link {verdict.expected_at} of it; {since} were sealed since.")
    for number, finding in enumerate(verdict.findings[:PRINTED]):
        console.print(f"- {'first: ' if number == 0 else ''}{finding.sentence}.", soft_wrap=True)
    if verdict.broken > PRINTED:
        console.print(f"- … and {verdict.broken - PRINTED} more (--json lists up to {len(verdict.findings)})")
    console.print(f"head {verdict.head}", soft_wrap=True)
    if verdict.holds:
        console.print("All sealed rows are as they were sealed.")
        if not expect:
            console.print("Note the head elsewhere, and give it with --expect: it tells an older copy put back.")
    else:
        console.print("NOT AS SEALED.")


def _about(verdict: Verdict, moment: datetime) -> str:
    waiting = sum(verdict.unsealed.values())
    rest = f"{count(waiting, 'newer row')} not sealed yet" if waiting else "nothing waits to be sealed"
    if not verdict.links:
        return f"Nothing is sealed yet; {rest}."
    try:
        sealed = f", the newest {age(parse_time(verdict.head_sealed_at), moment)} ago"
    except ValueError:
        sealed = ""
    return f"{count(verdict.links, 'row')} sealed{sealed}; {rest}."
