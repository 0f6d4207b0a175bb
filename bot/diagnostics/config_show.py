"""`python bot.py config show`: every setting in force and where it came from, the users, and which keys are there."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot import exit_codes
from bot.brokers.credential_names import unknown_variables, variables_of
from bot.brokers.credentials import Credentials, MissingCredentials, duplicate_keys, find_credentials
from bot.diagnostics import config_reference
from bot.diagnostics.command_line import Commands, add_command
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError
from bot.environment import ALREADY_TRIED
from bot.settings import Settings, process_environment
from bot.settings.env_source import KNOWN_VARIABLES, PREFIX
from bot.settings.model import OperatorSettings
from bot.settings.origins import dotted, leaves, unit_of, value_text

if TYPE_CHECKING:
    from rich.console import Console

# When the output goes into a file or a pipe nobody's window limits it.
WIDTH_WITHOUT_TERMINAL = 1000
BLANK = "—"


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "config",
        "the settings in force",
        _show_or_explain,
        codes="0 shown, 1 a key that is set cannot be used, 2 wrong configuration",
        examples=["config show", "config reference"],
    )
    made.add_argument(
        "action",
        choices=["show", "reference"],
        help="show: each value and where it came from; reference: what each setting means, as docs/configuration.md",
    )


def _show_or_explain(settings: Settings, words: argparse.Namespace) -> int:
    if words.action == "reference":
        return config_reference.run(as_json=words.json)
    return run(settings, as_json=words.json)


def run(settings: Settings, *, as_json: bool, environ: Mapping[str, str] | None = None) -> int:
    """Print it all, secrets masked; 1 when a key that is set cannot be used, else 0.

    Keys are looked for in `environ` (this process's and `.env`). A key that is absent is no defect: paper mode needs
    none, and a live account without one waits.
    """
    shown = _everything(settings, process_environment() if environ is None else environ)
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        _print_tables(shown)
    defects = shown["shared_keys"] or any(account["problems"] for account in shown["accounts"])
    return exit_codes.SOMETHING_WRONG if defects else exit_codes.OK


def _everything(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    keys = _Keys.look_for(settings, environ)
    others = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
    unknown = unknown_variables(others, keys.user_ids, KNOWN_VARIABLES | {ALREADY_TRIED}, settings.brokers())
    return {
        "trading_mode": settings.trading_mode,
        "settings": list(settings_rows(settings)),
        "users": [user_row_of(settings, index) for index in range(len(settings.users))],
        "accounts": [keys.account(account, environ) for account in keys.accounts],
        "shared_keys": keys.shared(),
        "unknown_variables": [str(variable) for variable in unknown],
    }


def settings_rows(settings: Settings) -> Iterable[dict[str, str]]:
    """Every setting with its value, unit and source; secrets masked."""
    for location, value, info in leaves(settings):
        if location[0] not in OperatorSettings.model_fields and location[0] != "pace":
            continue
        name = dotted(location)
        origin = settings.origins.get(name)
        yield {
            "name": name,
            "value": origin.value_text if origin else value_text(value),
            "unit": unit_of(str(location[-1]), info),
            "source": origin.source if origin else "",
            "description": info.description or "",
        }


def user_row_of(settings: Settings, index: int) -> dict[str, Any]:
    """What one user has set."""
    user = settings.users[index]
    return {
        "account": user.account.label,
        "name": user.name,
        "account_type": user.account_type,
        "broker": str(user.broker),
        "enabled": user.enabled,
        "when_disabled": str(user.when_disabled),
        "copy_on_join": user.copy_on_join,
        "shadow": user.shadow,
        "paper_balance": value_text(user.paper_balance),
        "copy": {name: value_text(value) for (name,), value, _ in leaves(user.copy_rules)},
        "source": user.source_file,
    }


@dataclass(frozen=True)
class _Keys:
    """What was found for each account: its credentials, that there are none, or what is wrong with them."""

    accounts: Sequence[AccountRef]
    user_ids: frozenset[str]
    found: Mapping[AccountRef, Credentials | MissingCredentials | ConfigurationError]

    @classmethod
    def look_for(cls, settings: Settings, environ: Mapping[str, str]) -> "_Keys":
        masters = [AccountRef.master(master.broker) for master in settings.masters if master.enabled]
        accounts = [*masters, *(user.account for user in settings.users if user.enabled)]
        user_ids = frozenset(user.user_id for user in settings.users)
        return cls(accounts, user_ids, {account: _find(account, user_ids, environ) for account in accounts})

    def account(self, account: AccountRef, environ: Mapping[str, str]) -> dict[str, Any]:
        found = self.found[account]
        return {
            "account": account.label,
            "key": found.masked_key if isinstance(found, Credentials) else None,
            "variables": [
                {"name": name, "state": _state(environ.get(name))} for name in variables_of(account, self.user_ids)
            ],
            "problems": list(found.problems) if isinstance(found, ConfigurationError) else [],
            "warnings": list(found.warnings) if isinstance(found, Credentials) else [],
        }

    def shared(self) -> list[str]:
        usable = {account: found for account, found in self.found.items() if isinstance(found, Credentials)}
        return [
            f"{' and '.join(account.label for account in group)} have the same key; each account needs its own"
            for group in duplicate_keys(usable)
        ]


def _find(
    account: AccountRef, user_ids: frozenset[str], environ: Mapping[str, str]
) -> Credentials | MissingCredentials | ConfigurationError:
    try:
        return find_credentials(account, user_ids, environ)
    except ConfigurationError as error:
        return error


def _state(value: str | None) -> str:
    if value is None:
        return "unset"
    return "set" if value.strip() else "blank"


def _print_tables(shown: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    _print(
        console,
        "Settings",
        ("name", "value", "unit", "source"),
        [[row["name"], row["value"], row["unit"], row["source"]] for row in shown["settings"]],
    )
    _print(
        console,
        "Users",
        ("account", "name", "enabled", "shadow", "paper balance", "copies by", "source"),
        [_user_row(user) for user in shown["users"]],
    )
    _print(
        console,
        "Keys (paper mode needs none)" if shown["trading_mode"] == "paper" else "Keys",
        ("account", "key", "looked for"),
        [_account_row(account) for account in shown["accounts"]],
    )
    for sentence in _remarks(shown):
        console.print(sentence)


def _print(console: "Console", title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell or BLANK) for cell in row))
    console.print(table)


def _user_row(user: Mapping[str, Any]) -> list[str]:
    yes_no = {True: "yes", False: "no"}
    return [
        user["account"],
        user["name"],
        "yes" if user["enabled"] else f"no, {user['when_disabled']}",
        yes_no[user["shadow"]],
        user["paper_balance"],
        f"{user['copy']['copy_mode']} × {user['copy']['risk_multiplier']}",
        user["source"],
    ]


def _account_row(account: Mapping[str, Any]) -> list[str]:
    looked_for = "\n".join(f"{variable['name']} {variable['state']}" for variable in account["variables"])
    return [account["account"], account["key"] or ("cannot be used" if account["problems"] else ""), looked_for]


def _remarks(shown: Mapping[str, Any]) -> Iterable[str]:
    for account in shown["accounts"]:
        yield from (f"{account['account']}: {text}" for text in (*account["problems"], *account["warnings"]))
    yield from shown["shared_keys"]
    yield from shown["unknown_variables"]
