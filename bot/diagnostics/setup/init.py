"""`python bot.py init`: from questions or flags to a configuration that is proved to load, and a first run on paper."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bot import exit_codes
from bot.brokers.credentials import Credentials
from bot.diagnostics.setup.dialogue import Abandoned, Dialogue, at_the_terminal
from bot.diagnostics.setup.file_change import FileChange, write_all
from bot.diagnostics.setup.flags import credentials_in, keys_of_file, variables_to_write, wanted_by_flags
from bot.diagnostics.setup.key_entry import KeyEntry
from bot.diagnostics.setup.paper_run import PaperRun, paper_run
from bot.diagnostics.setup.place import Place
from bot.diagnostics.setup.planned_changes import overruled, planned_changes, tried
from bot.diagnostics.setup.questions import Questions
from bot.diagnostics.setup.refusal import refused
from bot.diagnostics.setup.remarks import remarks, summary
from bot.diagnostics.setup.tried_key import TryKey
from bot.diagnostics.setup.wanted import Wanted
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError
from bot.notifications.ways import find_ways
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.settings.loading import process_environment

NOTHING_CHANGED = "Nothing was changed."
INTERRUPTED = 130


def run(settings: Settings, words: argparse.Namespace) -> int:
    """Set NIJA up; returns the exit code. Nothing is written before all of it is known to load."""
    say = (lambda line: print(line, file=sys.stderr)) if words.json else print
    if not words.yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(
            "init asks questions, and this is no terminal. Answer by flags: python bot.py init --help", file=sys.stderr
        )
        return exit_codes.WRONG_USE
    if words.json and not words.yes:
        print("--json is for --yes: questions are for a person", file=sys.stderr)
        return exit_codes.WRONG_USE
    try:
        if words.yes:
            return _by_flags(settings, words, say)
        with at_the_terminal() as dialogue:
            return by_questions(settings, words, dialogue)
    except ConfigurationError as error:
        return refused(error)
    except Abandoned:
        print(f"\n{NOTHING_CHANGED}")
        return INTERRUPTED


# -- by questions -----------------------------------------------------------------------------------------------------
def by_questions(settings: Settings, words: argparse.Namespace, dialogue: Dialogue) -> int:
    """Raises `Abandoned` as long as nothing is written."""
    place = Place.of_this_process()
    wanted, future, changes = _agreed(settings, words, dialogue, place)
    if changes and not words.dry_run:
        if not dialogue.agrees("Write this", default=True):
            raise Abandoned
        write_all(changes)
    return _finish(wanted, future, words, dialogue.say)


def _agreed(
    settings: Settings, words: argparse.Namespace, dialogue: Dialogue, place: Place
) -> tuple[Wanted, Settings, Sequence[FileChange]]:
    """Until here Ctrl-C leaves everything as it was."""
    try:
        return _asked(settings, words, dialogue, place)
    except KeyboardInterrupt as error:
        raise Abandoned from error


def _asked(
    settings: Settings, words: argparse.Namespace, dialogue: Dialogue, place: Place
) -> tuple[Wanted, Settings, Sequence[FileChange]]:
    dialogue.say("NIJA's set-up. Enter takes the answer in [brackets]; Ctrl-C leaves everything as it is.")
    questions = Questions(dialogue, settings, place)
    wanted = questions.wanted()
    future = tried(planned_changes(wanted, place), place)
    questions.heading(6, "Keys")
    wanted = _with_typed_keys(wanted, future, words, dialogue)
    changes = planned_changes(wanted, place)
    future = tried(changes, place)
    dialogue.say("")
    _show(wanted, future, changes, place, dialogue.say)
    return wanted, future, changes


def _with_typed_keys(wanted: Wanted, future: Settings, words: argparse.Namespace, dialogue: Dialogue) -> Wanted:
    if wanted.mode == "paper" and not dialogue.agrees("  Paper needs no keys. Type some now, for later", default=False):
        return wanted
    with _trials(future, words) as try_key:
        entry = KeyEntry(dialogue, user_ids=_user_ids(future), environ=process_environment(), try_key=try_key)
        entry.ask(_accounts(future))
    return replace(wanted, variables={**wanted.variables, **entry.variables})


# -- by flags ---------------------------------------------------------------------------------------------------------
def _by_flags(settings: Settings, words: argparse.Namespace, say: Callable[[str], None]) -> int:
    place = Place.of_this_process()
    wanted = wanted_by_flags(words, settings, place)
    future = tried(planned_changes(wanted, place), place)
    wanted, unfit = _with_given_keys(wanted, future, words, say)
    if unfit:
        say(f"{NOTHING_CHANGED} With --offline the keys are written all the same.")
        return exit_codes.SOMETHING_WRONG
    changes = planned_changes(wanted, place)
    future = tried(changes, place)
    _show(wanted, future, changes, place, say)
    if not words.dry_run:
        write_all(changes)
    return _finish(wanted, future, words, say, changes=changes)


def _with_given_keys(
    wanted: Wanted, future: Settings, words: argparse.Namespace, say: Callable[[str], None]
) -> tuple[Wanted, bool]:
    """With those of the `--env-file`; and whether a brokerage finds anything wrong with any key."""
    accounts, user_ids, there = _accounts(future), _user_ids(future), process_environment()
    given = keys_of_file(Path(words.env_file), accounts, user_ids) if words.env_file else {}
    if not given and future.trading_mode == "paper":
        return wanted, False
    found = credentials_in({**there, **given}, accounts, user_ids)
    for account, credentials in found.items():
        for warning in credentials.warnings:
            say(f"{account.label}: {warning}")
    wanted = replace(wanted, variables=variables_to_write(given, found, user_ids, there))
    with _trials(future, words) as try_key:
        proven = [try_key is None or _proves_itself(try_key, account, found[account], say) for account in found]
    return wanted, not all(proven)


@contextmanager
def _trials(settings: Settings, words: argparse.Namespace) -> Iterator[TryKey | None]:
    """How keys are tried; None = no brokerage is to be asked."""
    if words.offline or words.dry_run:
        yield None
        return
    # Only here: what talks to the brokerages is most of the program.
    from bot.diagnostics.setup.key_trial import KeyTrials

    trials = KeyTrials(settings)
    try:
        yield trials.try_key
    finally:
        trials.close()


def _proves_itself(try_key: TryKey, account: AccountRef, credentials: Credentials, say: Callable[[str], None]) -> bool:
    result = try_key(account, credentials)
    for sentence in (result.problem or f"good: {result.proof}", *result.doubts):
        say(f"{account.label}: {sentence}")
    return not result.problem


# -- what both end with -----------------------------------------------------------------------------------------------
def _accounts(settings: Settings) -> Sequence[AccountRef]:
    """Those that trade, each master before its users."""
    found: list[AccountRef] = []
    for master in settings.masters:
        if master.enabled:
            found.append(AccountRef.master(master.broker))
            found += [
                user.account
                for user in settings.users
                if user.broker is master.broker and user.enabled and not user.shadow
            ]
    return found


def _user_ids(settings: Settings) -> Sequence[str]:
    return sorted({user.user_id for user in settings.users})


def _show(
    wanted: Wanted, future: Settings, changes: Sequence[FileChange], place: Place, say: Callable[[str], None]
) -> None:
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


def _finish(
    wanted: Wanted,
    future: Settings,
    words: argparse.Namespace,
    say: Callable[[str], None],
    *,
    changes: Sequence[FileChange] = (),
) -> int:
    done = None
    if words.dry_run:
        say(f"{NOTHING_CHANGED} This was --dry-run.")
    elif not words.no_run:
        done = _first_run(words.run_seconds, say)
    if not words.dry_run:
        _say_next(future, {**process_environment(), **wanted.variables}, say)
    if words.json:
        _print_json(changes, words, done)
    return exit_codes.OK if done is None or done.copied else exit_codes.SOMETHING_WRONG


def _first_run(seconds: float, say: Callable[[str], None]) -> PaperRun:
    say("")
    say(f"A first run on paper, {seconds:g} s at most; its books are thrown away afterwards.")
    done = paper_run(seconds, say)
    if done.first_seconds is not None:
        say(f"The first copied fill was there after {done.first_seconds:.0f} s.")
    else:
        say("No copy was filled in that time. The last that was said:")
        say(done.last_words)
    return done


def _say_next(settings: Settings, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
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


def _print_json(changes: Sequence[FileChange], words: argparse.Namespace, done: PaperRun | None) -> None:
    ran = None if done is None else {"copied": done.copied, "first_copied_fill_seconds": done.first_seconds}
    files = [str(change.path) for change in changes]
    print(json.dumps({"written": [] if words.dry_run else files, "would_write": files, "paper_run": ran}, indent=2))
