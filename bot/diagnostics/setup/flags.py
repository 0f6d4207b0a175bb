"""What an operator wants by the flags of `python bot.py init --yes`, and the keys of an `--env-file`."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.brokers.credential_names import variables_of
from bot.brokers.credentials import Credentials, MissingCredentials, duplicate_keys, find_credentials
from bot.diagnostics.setup.asked_settings import LIMITS, Asked, setting_of_flag
from bot.diagnostics.setup.dialogue import WrongAnswer
from bot.diagnostics.setup.key_entry import variables_with
from bot.diagnostics.setup.new_user import new_user
from bot.diagnostics.setup.place import Place
from bot.diagnostics.setup.questions import brokers_in
from bot.diagnostics.setup.user_lines import NewUser
from bot.diagnostics.setup.wanted import Wanted, idle_users, state_directory_for
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError
from bot.settings import Settings
from bot.settings.env_source import NOTIFICATION_VARIABLES, read_dotenv

USER_FORM = "id:brokerage, id:brokerage:class, id:brokerage:class:name or id:brokerage:class:name:paper balance"


def wanted_by_flags(words: argparse.Namespace, settings: Settings, place: Place) -> Wanted:
    """Raises `ConfigurationError` with a sentence for what cannot be."""
    try:
        brokers = brokers_in(" ".join(words.broker)) if words.broker else None
    except WrongAnswer as error:
        raise ConfigurationError(f"--broker: {error}") from error
    given = {
        each.name: setting_of_flag(each, text) for each in LIMITS if (text := given_limit(words, each)) is not None
    }
    directory = state_directory_for(words.mode, settings, place.config_dir.parent) if words.mode else ""
    running = brokers or [master.broker for master in settings.masters if master.enabled]
    return Wanted(
        mode=words.mode,
        brokers=brokers if brokers is not None or place.yaml_path.exists() else brokers_in("all"),
        users=_users(words.user, settings, place),
        leaving=idle_users(settings, running) if words.switch_off_idle else (),
        settings=given | ({"state_dir": directory} if directory else {}),
    )


def given_limit(words: argparse.Namespace, asked: Asked) -> str | None:
    """What the command line says of a limit, as it was typed; None = nothing."""
    text: str | None = getattr(words, asked.name.rpartition(".")[2])
    return text


def _users(texts: Sequence[str], settings: Settings, place: Place) -> Sequence[NewUser]:
    made: list[NewUser] = []
    for text in texts:
        parts = text.split(":")
        if not 2 <= len(parts) <= 5:
            raise ConfigurationError(f"--user {text!a}: write it as {USER_FORM}")
        names = ("user_id", "broker", "account_class", "name", "paper_balance")
        given = dict(zip(names, parts, strict=False))
        made.append(new_user(settings, place, others=made, **{"account_class": "retail"} | given))  # type: ignore[arg-type]
    return made


# -- keys -------------------------------------------------------------------------------------------------------------
def keys_of_file(path: Path, accounts: Sequence[AccountRef], user_ids: Sequence[str]) -> dict[str, str]:
    """Variables of a file in the form of `.env` that these accounts or notifications read.

    Raises `ConfigurationError`: a file that cannot be read, or a variable in it that nobody would read.
    """
    if not path.exists():
        raise ConfigurationError(f"--env-file {path}: there is no such file")
    found = read_dotenv(path)
    known = {name for account in accounts for name in variables_of(account, user_ids)} | NOTIFICATION_VARIABLES
    strange = [f"--env-file: no account of this set-up reads {name}" for name in found.values if name not in known]
    if found.problems or strange:
        raise ConfigurationError(*found.problems, *strange)
    return found.values


def credentials_in(
    environ: Mapping[str, str], accounts: Sequence[AccountRef], user_ids: Sequence[str]
) -> dict[AccountRef, Credentials]:
    """Those of the accounts that have any. Raises `ConfigurationError` for a defect, and for a key of two accounts."""
    found: dict[AccountRef, Credentials] = {}
    problems: list[str] = []
    for account in accounts:
        try:
            one = find_credentials(account, user_ids, environ)
        except ConfigurationError as error:
            problems += error.problems
            continue
        if not isinstance(one, MissingCredentials):
            found[account] = one
    for group in duplicate_keys(found):
        names = " and ".join(account.label for account in group)
        problems.append(f"{names} have the same key; each account needs a key of its own")
    if problems:
        raise ConfigurationError(*problems)
    return found


def variables_to_write(
    given: Mapping[str, str], found: Mapping[AccountRef, Credentials], user_ids: Sequence[str], there: Mapping[str, str]
) -> dict[str, str]:
    """What of the file goes into `.env`: keys as their form check repaired them, and everything else as it is."""
    of_keys = {name for account in found for name in variables_of(account, user_ids)}
    variables = {name: value for name, value in given.items() if name not in of_keys and value}
    for account, credentials in found.items():
        if any(name in given for name in credentials.variables):
            variables |= variables_with(account, user_ids, credentials, dict(there) | dict(given))
    return variables
