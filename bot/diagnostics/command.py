"""What every diagnostic command shares: its arguments, its errors and its exit codes."""

import argparse
import sys
from collections.abc import Callable, Sequence

from bot import exit_codes
from bot.diagnostics.accounts import Account, print_json, read_accounts
from bot.diagnostics.store_reading import BotState, NoStore
from bot.domain.errors import ConfigurationError
from bot.settings import Settings, load_settings

Show = Callable[[BotState, Sequence[Account]], None]


def account_command(
    *,
    name: str,
    description: str,
    show: Show,
    wanted: Callable[[Account], bool] = lambda _account: True,
    argv: Sequence[str] | None = None,
) -> int:
    """A command that shows accounts from the store; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog="Exit code: 0 all well, 1 something is not, 2 wrong use or configuration, 3 the bot is not running "
        "(then the last state it wrote is shown).",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args(argv)
    try:
        state, accounts = read_accounts(load_settings())
    except NoStore as error:
        print(error, file=sys.stderr)
        return exit_codes.NOT_RUNNING
    except ConfigurationError as error:
        return configuration_error(error)
    chosen = [account for account in accounts if wanted(account)]
    if arguments.json:
        print_json(state, chosen)
    else:
        show(state, chosen)
    return exit_code(state, chosen)


def exit_code(state: BotState, accounts: Sequence[Account]) -> int:
    if not state.running:
        return exit_codes.NOT_RUNNING
    if not accounts or any(account.why_not_trading for account in accounts):
        return exit_codes.SOMETHING_WRONG
    return exit_codes.OK


def configuration_error(error: ConfigurationError) -> int:
    for problem in error.problems:
        print(problem, file=sys.stderr)
    return exit_codes.WRONG_USE


def settings_or_exit() -> Settings:
    """The settings, or the end of the process with the problems named."""
    try:
        return load_settings()
    except ConfigurationError as error:
        raise SystemExit(configuration_error(error)) from error
