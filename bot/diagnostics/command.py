"""What every diagnostic command shares: its arguments, its errors and its exit codes."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot import exit_codes
from bot.diagnostics.overview import Overview, read_overview
from bot.diagnostics.store_reading import BotState, NoStore
from bot.domain.errors import ConfigurationError
from bot.settings import Settings, load_settings

Show = Callable[[Overview], None]

EXIT_CODES = (
    "Exit code: 0 all well, 1 something is not, 2 wrong use or configuration, 3 the bot is not running "
    "(then the last state it wrote is shown)."
)


@dataclass(frozen=True)
class Extra:
    """What one command shows besides the accounts: lines, the same as JSON, and whether something is wrong in it."""

    lines: Sequence[str] = ()
    json: Mapping[str, Any] | None = None
    wrong: bool = False


def account_command(
    *,
    name: str,
    description: str,
    show: Show,
    wanted: Callable[[str], bool] = lambda _broker: True,
    extra: Callable[[Settings], Extra] = lambda _settings: Extra(),
    argv: Sequence[str] | None = None,
) -> int:
    """A command that shows accounts from the store; returns its exit code."""
    arguments = command_parser(name, description, examples=["", "--json"]).parse_args(argv)
    try:
        settings = load_settings()
        overview = read_overview(settings).only(wanted)
    except ConfigurationError as error:
        return configuration_error(error)
    except NoStore as error:
        return no_store(error, as_json=arguments.json)
    more = extra(settings)
    if arguments.json:
        print(json.dumps(overview.as_json() | dict(more.json or {}), indent=2))
    else:
        show(overview)
        for line in [*overview.notes(), *more.lines]:
            print(line)
    return exit_code(overview, more)


def command_parser(
    name: str, description: str, *, examples: Sequence[str], codes: str = EXIT_CODES
) -> argparse.ArgumentParser:
    """A parser with `--json`; its help ends with the exit codes and examples."""
    lines = "\n".join(f"  python3 {name} {arguments}".rstrip() for arguments in examples)
    parser = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=f"{codes}\n\nexamples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def exit_code(overview: Overview, more: Extra) -> int:
    """0 only when every account that should trade does; one without any key should not."""
    if not overview.state.running:
        return exit_codes.NOT_RUNNING
    meant = [account for account in overview.accounts if not account.not_configured]
    idle = any(account.why_not_trading for account in meant)
    if idle or more.wrong or overview.not_taken_up or not meant:
        return exit_codes.SOMETHING_WRONG
    return exit_codes.OK


def no_store(error: NoStore, *, as_json: bool) -> int:
    """Nothing was ever written: say what to run."""
    if as_json:
        print(json.dumps(Overview(BotState(False, "", None, None, str(error)), []).as_json(), indent=2))
    else:
        print(error, file=sys.stderr)
    return exit_codes.NOT_RUNNING


def configuration_error(error: ConfigurationError) -> int:
    for problem in error.problems:
        print(problem, file=sys.stderr)
    return exit_codes.WRONG_USE
