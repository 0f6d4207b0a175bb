"""`python bot.py notify`: a test message by each way to people, and what they were told or are to be told."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot import exit_codes
from bot.diagnostics.alert_causes import CAUSES
from bot.diagnostics.command_line import Commands, add_command, number
from bot.diagnostics.listing import cannot_read, count, paper, print_json, since, time_text
from bot.diagnostics.store_reading import NoStore, bot_state, now, read_store
from bot.diagnostics.terminal import table
from bot.notifications.delivery import Channel, Message, NotDelivered
from bot.notifications.ways import Ways, find_ways, secrets_in
from bot.notifications.wording import Wording
from bot.observability.redactor import Redactor
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings import Settings, process_environment
from bot.storage.notifications import Notification, Telling, count_waiting, latest_notifications

DEFAULT_LIMIT = 20
NOBODY = "Nobody is told of anything: no way is set up. docs/notifications.md says how"
_WORDS = {
    Telling.WAITING: "waits",
    Telling.SENT: "sent",
    Telling.GROUPED: "sent along",
    Telling.GIVEN_UP: "GIVEN UP",
}


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "notify",
        "send a test message to people, or list what they were told",
        _run,
        codes=(
            "test: 0 each way took it, 1 one did not, or not for everybody, 2 there is no such way or none at all;\n"
            "list: 0 all was told, 1 something waits after a failure or was given up, 3 the bot is not running"
        ),
        examples=["notify test", "notify test --channel telegram", "notify list", "notify list --limit 50 --json"],
    )
    made.add_argument(
        "action", choices=["test", "list"], help="test sends now; list shows what was sent and what waits"
    )
    made.add_argument(
        "--channel", metavar="NAME", help="test: only this one, as telegram, telegram:42, webhook, email or apprise"
    )
    made.add_argument(
        "--limit", type=number, default=DEFAULT_LIMIT, metavar="N", help=f"list: how many (default {DEFAULT_LIMIT})"
    )


def _run(settings: Settings, words: argparse.Namespace) -> int:
    if words.action == "test":
        return send_test(settings, words.channel, as_json=words.json)
    return show_list(settings, as_json=words.json, limit=words.limit)


# -- test ---------------------------------------------------------------------------------------------------------
def send_test(settings: Settings, only: str | None, *, as_json: bool) -> int:
    """Send by each way, one after the other, and say what came of it."""
    environ, clock = process_environment(), SystemClock()
    ways = find_ways(settings.notifications, environ, clock)
    chosen = [one for one in ways.channels if only is None or only in (one.name, one.name.partition(":")[0])]
    if not chosen:
        return _no_way(ways, only, as_json=as_json)
    redactor = Redactor(secrets_in(environ))
    wording = Wording(
        name=settings.notifications.name,
        mode=settings.trading_mode,
        installation="",
        meaning=lambda cause: CAUSES.get(cause, ""),
        clean=redactor.clean,
    )
    message = wording.test_message(token=SystemIds().token(), now=clock.now())
    results = []
    for channel in chosen:
        before = clock.monotonic()
        sent, problem = _sent(channel, message)
        took = round((clock.monotonic() - before) * 1000)
        results.append({"channel": channel.name, "sent": sent, "milliseconds": took, "problem": problem})
    _print_results(results, [] if only else ways.problems, redactor, as_json=as_json)
    wrong = any(one["problem"] for one in results) or (only is None and bool(ways.problems))
    return exit_codes.SOMETHING_WRONG if wrong else exit_codes.OK


def _sent(channel: Channel, message: Message) -> tuple[bool, str]:
    """Whether somebody has it, and what kept it from others, "" = nothing."""
    try:
        return True, channel.send(message)
    except NotDelivered as error:
        return False, str(error)
    except Exception as error:  # noqa: BLE001
        # A way is code of others in part. What such an error says can have an address in it, so it is not quoted.
        return False, f"it has failed in a way that nobody thought of ({type(error).__name__})"


def _no_way(ways: Ways, only: str | None, *, as_json: bool) -> int:
    known = ", ".join(one.name for one in ways.channels)
    said = f"There is no way {only}. There are: {known}" if known else NOBODY
    if as_json:
        print_json(None, said=said, results=[], problems=ways.problems)
    else:
        paper().print("\n".join([*ways.problems, f"{said}."]), soft_wrap=True)
    return exit_codes.WRONG_USE


def _print_results(
    results: Sequence[dict[str, Any]], problems: Sequence[str], redactor: Redactor, *, as_json: bool
) -> None:
    results = [{**one, "problem": redactor.clean(one["problem"])} for one in results]
    good = sum(one["sent"] for one in results)
    said = f"{good} of {count(len(results), 'way')} took the test message"
    if as_json:
        print_json(None, said=said, results=list(results), problems=list(problems))
        return
    paper().print("\n".join([*map(_result_line, results), *problems, f"{said}."]), soft_wrap=True)


def _result_line(one: dict[str, Any]) -> str:
    if not one["sent"]:
        return f"{one['channel']}: {one['problem']}"
    but = f", but {one['problem']}" if one["problem"] else ""
    return f"{one['channel']}: sent, in {one['milliseconds']} ms{but}"


# -- list ---------------------------------------------------------------------------------------------------------
def show_list(settings: Settings, *, as_json: bool, limit: int) -> int:
    """What was told, newest first. 0 = all of it, 1 = something failed, 3 = the bot is not running."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            rows = latest_notifications(connection, limit=limit)
            waiting = count_waiting(connection)
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("notifications",))
    if as_json:
        print_json(state, waiting=waiting, notifications=[_fields(row) for row in rows])
    else:
        _print_list(state.sentence, rows, waiting, moment)
    if not state.running:
        return exit_codes.NOT_RUNNING
    failed = any(row.state is Telling.GIVEN_UP or (row.state is Telling.WAITING and row.tries) for row in rows)
    return exit_codes.SOMETHING_WRONG if failed else exit_codes.OK


def _print_list(sentence: str, rows: Sequence[Notification], waiting: int, moment: datetime) -> None:
    console = paper()
    console.print(sentence, soft_wrap=True)
    if not rows:
        console.print("Nobody was told of anything yet.")
        return
    made = table(console, f"Told to people, newest first; {count(waiting, 'message')} still to be told", *_HEADINGS)
    for told in _by_what(rows):
        first = told[0]
        made.add_row(
            since(first.at, moment),
            ", ".join(row.channel for row in told),
            _state(first),
            _what(first),
        )
    console.print(made)


_HEADINGS = ("when (UTC)", "by", "state", "what")
_LONGEST_TEXT = 120


def _what(row: Notification) -> str:
    text = row.text if len(row.text) <= _LONGEST_TEXT else f"{row.text[: _LONGEST_TEXT - 1]}…"
    return f"{' '.join(filter(None, (row.severity, row.cause, row.subject)))}: {text}"


def _by_what(rows: Sequence[Notification]) -> list[list[Notification]]:
    """The same thing by several ways is one line, as long as it has come as far by each."""
    lines: dict[tuple[object, ...], list[Notification]] = {}
    for row in rows:
        lines.setdefault((row.at, row.cause, row.subject, row.severity, row.text, _state(row)), []).append(row)
    return list(lines.values())


def _state(row: Notification) -> str:
    if row.state is Telling.WAITING and row.tries:
        return f"failed {count(row.tries, 'time')}: {row.problem}"
    return f"{_WORDS[row.state]}{f': {row.problem}' if row.problem else ''}"


def _fields(row: Notification) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": time_text(row.at),
        "channel": row.channel,
        "cause": row.cause,
        "subject": row.subject,
        "severity": row.severity,
        "text": row.text,
        "state": str(row.state),
        "tries": row.tries,
        "due_at": time_text(row.due_at),
        "ended_at": time_text(row.ended_at),
        "problem": row.problem,
    }
