"""How a set-up ends: what it changes is shown, a run on paper shows that it trades, and what to do next is said."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from bot import exit_codes
from bot.diagnostics.setup.file_change import FileChange
from bot.diagnostics.setup.paper_run import PaperRun, brokers_with_users, paper_run
from bot.diagnostics.setup.place import Place
from bot.diagnostics.setup.planned_changes import overruled
from bot.diagnostics.setup.remarks import remarks, summary
from bot.diagnostics.setup.wanted import Wanted
from bot.notifications.ways import find_ways
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.settings.loading import process_environment

NOTHING_CHANGED = "Nothing was changed."
Say = Callable[[str], None]


def show(wanted: Wanted, future: Settings, changes: Sequence[FileChange], place: Place, say: Say) -> None:
    """What will be written, and what should be known of it before. `future` are the settings as they will be."""
    for line in summary(wanted, future):
        say(line)
    if not changes:
        say("All files are as they should be; there is nothing to write.")
    for change in changes:
        say(f"{place.shown(change.path)}:")
        for line in change.shown():
            say(line)
    environ = {**process_environment(), **wanted.variables}
    for sentence in (*overruled(wanted, future), *remarks(future, environ)):
        say(f"Note: {sentence}")


def end(
    settings: Settings, environ: Mapping[str, str], changes: Sequence[FileChange], words: argparse.Namespace, say: Say
) -> int:
    """The first run, unless it is not wanted or nobody would copy, and what is next. Returns the exit code."""
    done = None
    if words.dry_run:
        say(f"{NOTHING_CHANGED} This was --dry-run.")
    elif not words.no_run and brokers_with_users(settings):
        done = _first_run(words.run_seconds, say)
    if not words.dry_run:
        _say_next(settings, environ, say)
    if words.json:
        _print_json(changes, written=not words.dry_run, done=done)
    return exit_codes.OK if done is None or done.copied else exit_codes.SOMETHING_WRONG


def end_with_refused_keys(words: argparse.Namespace) -> int:
    """Nothing was written."""
    if words.json:
        _print_json([], written=False, done=None)
    return exit_codes.SOMETHING_WRONG


def _first_run(seconds: float, say: Say) -> PaperRun:
    say("")
    say(f"A first run on paper, {seconds:g} s at most; its books are thrown away afterwards.")
    done = paper_run(seconds, say)
    if done.first_seconds is not None:
        say(f"The first copied fill was there after {done.first_seconds:.0f} s.")
    else:
        say("No copy was filled in that time. The last that was said:")
        say(done.last_words)
    return done


def _say_next(settings: Settings, environ: Mapping[str, str], say: Say) -> None:
    say("")
    say("What is next:")
    for command, text in _next_steps(settings, environ):
        say(f"  {command:<29}{text}")


def _next_steps(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    live = settings.trading_mode == "live"
    if live:
        yield "python bot.py doctor --live", "are the keys, the clock and the balances in order?"
    if find_ways(settings.notifications, environ, SystemClock()).channels:
        yield "python bot.py notify test", "a test message to whoever is told"
    yield "./start.sh", f"start NIJA ({settings.trading_mode})"
    if settings.console.enabled:
        yield f"http://127.0.0.1:{settings.console.port}", "the page, while it runs"
    yield "python bot.py status", "does every account trade?"
    if not live:
        yield "python bot.py init", "once more, for real money: answer live"


def _print_json(changes: Sequence[FileChange], *, written: bool, done: PaperRun | None) -> None:
    ran = None if done is None else {"copied": done.copied, "first_copied_fill_seconds": done.first_seconds}
    files = [str(change.path) for change in changes]
    print(json.dumps({"written": files if written else [], "would_write": files, "paper_run": ran}, indent=2))
