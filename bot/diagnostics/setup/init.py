"""`python bot.py init`: from questions or flags to a configuration that is proved to load, and a first run on paper."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bot import exit_codes
from bot.brokers.credentials import Credentials
from bot.diagnostics.setup.asked_settings import LIMITS
from bot.diagnostics.setup.dialogue import Abandoned, Dialogue, at_the_terminal
from bot.diagnostics.setup.ending import NOTHING_CHANGED, end, end_with_refused_keys, show
from bot.diagnostics.setup.file_change import FileChange, write_all
from bot.diagnostics.setup.flags import credentials_in, given_limit, keys_of_file, variables_to_write, wanted_by_flags
from bot.diagnostics.setup.key_entry import KeyEntry
from bot.diagnostics.setup.place import Place
from bot.diagnostics.setup.planned_changes import planned_changes, tried
from bot.diagnostics.setup.questions import Questions
from bot.diagnostics.setup.refusal import refused
from bot.diagnostics.setup.tried_key import TryKey
from bot.diagnostics.setup.wanted import Wanted
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError
from bot.settings import Settings
from bot.settings.loading import process_environment

INTERRUPTED = 130


def run(settings: Settings, words: argparse.Namespace) -> int:
    """Set NIJA up; returns the exit code. Nothing is written before all of it is known to load."""
    say = (lambda line: print(line, file=sys.stderr)) if words.json else print
    misuse = "" if words.yes else _misuse(words)
    if misuse:
        print(misuse, file=sys.stderr)
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


def _misuse(words: argparse.Namespace) -> str:
    """Why no questions can be asked; empty = they can."""
    if words.json:
        return "--json is for --yes: questions are for a person"
    answers = (words.mode, words.broker, words.user, words.env_file, words.switch_off_idle)
    if any(answers) or any(given_limit(words, each) is not None for each in LIMITS):
        return "These flags are answers, and are for --yes; without them init asks"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "init asks questions, and this is no terminal. Answer by flags: python bot.py init --help"
    return ""


# -- by questions -----------------------------------------------------------------------------------------------------
def by_questions(settings: Settings, words: argparse.Namespace, dialogue: Dialogue) -> int:
    """Raises `Abandoned` as long as nothing is written."""
    place = Place.of_this_process()
    try:
        wanted, future, changes = _asked(settings, words, dialogue, place)
        if changes and not words.dry_run and not dialogue.agrees("Write this", default=True):
            raise Abandoned
    except KeyboardInterrupt as error:
        raise Abandoned from error
    return _written(wanted, future, changes, words, dialogue.say)


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
    show(wanted, future, changes, place, dialogue.say)
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
        return end_with_refused_keys(words)
    changes = planned_changes(wanted, place)
    future = tried(changes, place)
    show(wanted, future, changes, place, say)
    return _written(wanted, future, changes, words, say)


def _written(
    wanted: Wanted,
    future: Settings,
    changes: Sequence[FileChange],
    words: argparse.Namespace,
    say: Callable[[str], None],
) -> int:
    if not words.dry_run:
        write_all(changes)
    return end(future, {**process_environment(), **wanted.variables}, changes, words, say)


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


# -- whose keys -------------------------------------------------------------------------------------------------------
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
