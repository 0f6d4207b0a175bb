"""`python bot.py init-user`: adds one user, names its variables, and says what balance makes sense."""

import argparse
import json

from bot import exit_codes
from bot.brokers.credential_names import candidates_of, fields_of
from bot.diagnostics.setup.file_change import write_all
from bot.diagnostics.setup.new_user import COPY_AMOUNTS, new_user
from bot.diagnostics.setup.place import Place
from bot.diagnostics.setup.planned_changes import planned_changes, tried
from bot.diagnostics.setup.refusal import refused
from bot.diagnostics.setup.smallest_start import SmallestStart, smallest_start
from bot.diagnostics.setup.user_lines import NewUser
from bot.diagnostics.setup.wanted import Wanted
from bot.domain.errors import ConfigurationError
from bot.domain.money import plain
from bot.position_sizer import rules_of
from bot.settings import Settings


def run(settings: Settings, words: argparse.Namespace) -> int:
    """Add the user and print what it needs; returns the exit code."""
    try:
        return _add(settings, words)
    except ConfigurationError as error:
        return refused(error)


def _add(settings: Settings, words: argparse.Namespace) -> int:
    place = Place.of_this_process()
    user = new_user(
        settings,
        place,
        user_id=words.user,
        broker=words.broker,
        account_class=words.account_class,
        name=words.name or "",
        paper_balance=words.balance,
        copying=_copying(words),
    )
    changes = planned_changes(Wanted(users=[user]), place)
    future = tried(changes, place)
    added = next(one for one in future.users if one.account == user.account)
    least = smallest_start(future, user.broker, rules_of(added.copy_rules))
    if not words.dry_run:
        write_all(changes)
    _print(user, future, least, words, place)
    return exit_codes.OK


def _copying(words: argparse.Namespace) -> dict[str, str]:
    names = ("copy_mode", *COPY_AMOUNTS)
    return {name: text for name in names if (text := getattr(words, name)) is not None}


def _variables(user: NewUser, settings: Settings) -> list[str]:
    ids = sorted({one.user_id for one in settings.users})
    return [candidates_of(user.account, field, ids)[0].variable for field in fields_of(user.broker)]


def _print(user: NewUser, settings: Settings, least: SmallestStart, words: argparse.Namespace, place: Place) -> None:
    variables, path = _variables(user, settings), place.shown(place.user_path(user.file_name))
    if words.json:
        shown = {
            "account": user.account.label,
            "file": path,
            "written": not words.dry_run,
            "variables": variables,
            "smallest_balance": None if least.balance is None else plain(least.balance),
            "currency": least.currency,
            "why": least.why,
        }
        print(json.dumps(shown, indent=2))
        return
    print(f"{user.name} ({user.account.label}) {'would be' if words.dry_run else 'is'} in {path}.")
    print(f"{least.sentence}.")
    if least.balance is not None and user.paper_balance < least.balance:
        print(f"Its {plain(user.paper_balance)} {least.currency} on paper are less than that: it may copy little.")
    print(f"For live trading its key goes into .env: {', '.join(variables)}. Paper needs none.")
    print("It is taken up at the next start: ./start.sh")
