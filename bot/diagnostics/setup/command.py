"""The commands of the set-up as the command line knows them; what they do is imported when they run."""

import argparse
from pathlib import Path

from bot.diagnostics.command_line import Commands, add_command, name, seconds
from bot.settings import Settings

RUN_SECONDS = 60.0


def add(commands: Commands) -> None:
    """Declare both."""
    _add_init(commands)
    _add_init_user(commands)


def _add_init(commands: Commands) -> None:
    made = add_command(
        commands,
        "init",
        "set NIJA up: brokerages, users, limits, notifications and keys; ends with a short run on paper",
        _init,
        codes="0 set up, 1 a brokerage refuses a key or no copy was filled, 2 wrong use or configuration",
        examples=[
            "init",
            "init --yes --broker kraken --user anna_lee:kraken",
            'init --yes --broker kraken --broker coinbase --mode paper --user "anna_lee:kraken:retail:Anna Lee:2500"',
            "init --yes --mode live --env-file keys.env --no-run",
        ],
    )
    made.add_argument("--yes", action="store_true", help="ask nothing: what no flag says stays as it is")
    made.add_argument("--mode", choices=["paper", "live"], help="live: real money moves, at the next start")
    made.add_argument("--broker", action="append", default=[], metavar="BROKER", help="runs a master; several times")
    made.add_argument(
        "--user", action="append", default=[], metavar="USER", help="id:brokerage[:class[:name[:paper balance]]]"
    )
    made.add_argument("--switch-off-idle", action="store_true", help="switch off users whose master does not run")
    for flag, text in (
        ("--max-daily-loss-percent", "no entries for the rest of the day after losing so much"),
        ("--max-drawdown-percent", "no entries after losing so much since the peak"),
        ("--max-positions", "most positions of one account"),
        ("--order-fraction-of-balance-percent", "part of the balance in one entry"),
    ):
        made.add_argument(flag, metavar="NUMBER", help=text)
    made.add_argument("--env-file", type=Path, metavar="FILE", help="keys to take over into .env, as NAME=value lines")
    made.add_argument("--offline", action="store_true", help="do not ask the brokerages whether the keys work")
    made.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    made.add_argument("--no-run", action="store_true", help="without the run on paper at the end")
    made.add_argument(
        "--run-seconds",
        type=seconds,
        default=RUN_SECONDS,
        metavar="SECONDS",
        help=f"its length (default {RUN_SECONDS:g})",
    )


def _init(settings: Settings, words: argparse.Namespace) -> int:
    from bot.diagnostics.setup import init

    return init.run(settings, words)


def _add_init_user(commands: Commands) -> None:
    made = add_command(
        commands,
        "init-user",
        "add one user: writes it into its file, names its variables and the smallest balance that makes sense",
        _init_user,
        codes="0 added, 2 wrong use or configuration, or it is there already",
        examples=["init-user anna_lee --broker kraken", "init-user bo --broker okx --balance 2500 --dry-run --json"],
    )
    made.add_argument("user", metavar="USER_ID", help="small letters, digits, _ and -, as anna_lee")
    made.add_argument("--broker", required=True, metavar="BROKER", help="whose master it copies")
    made.add_argument("--name", type=name, default=None, help="as it is shown (default: made of the id)")
    made.add_argument("--class", dest="account_class", choices=["retail", "investor"], default="retail")
    made.add_argument("--balance", default="", metavar="AMOUNT", help="what it starts with on paper (default 1000)")
    made.add_argument(
        "--copy-mode",
        choices=["balance_ratio", "equity_ratio", "fixed_amount", "fixed_ratio"],
        help="what its sizes come from (default: as in the section copying)",
    )
    made.add_argument("--risk-multiplier", metavar="NUMBER", help="multiplies every copied size")
    made.add_argument("--fixed-amount-usd", metavar="AMOUNT", help="size of every copy, with fixed_amount")
    made.add_argument("--fixed-ratio", metavar="NUMBER", help="part of the master's size, with fixed_ratio")
    made.add_argument("--max-trade-notional-usd", metavar="AMOUNT", help="largest single copy")
    made.add_argument("--dry-run", action="store_true", help="say it all, and write nothing")


def _init_user(settings: Settings, words: argparse.Namespace) -> int:
    from bot.diagnostics.setup import init_user

    return init_user.run(settings, words)
