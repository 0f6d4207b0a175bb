"""The words of `python bot.py limits`."""

import argparse

from bot.diagnostics import limits, possible_order_shown
from bot.diagnostics.command_line import Commands, add_command, name
from bot.settings import Settings


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "limits",
        "each account's limits; of one the largest and smallest order it could make now; reset ends a drawdown",
        _limits,
        codes=(
            "0 none vetoes or done, 1 one vetoes or no order is possible, 2 refused, wrong use or configuration,\n"
            "3 the bot is not running"
        ),
        examples=[
            "limits",
            "limits kraken",
            "limits daivon_frazier_kraken BTC/USD --json",
            'limits reset kraken --by Anna --reason "reviewed the week, goes on"',
        ],
    )
    made.add_argument(
        "action", nargs="?", metavar="ACCOUNT", help="as kraken or daivon_frazier_kraken; or the word reset"
    )
    made.add_argument(
        "account", nargs="?", metavar="SYMBOL", help="one market, as BTC/USD; after reset whose drawdown begins anew"
    )
    made.add_argument("--account", dest="only", metavar="ACCOUNT", help="list the limits of this one only")
    made.add_argument("--by", type=name, metavar="NAME", help="who says so")
    made.add_argument("--reason", type=name, metavar="TEXT", help="why the account may go on")
    made.set_defaults(refuse=made.error)


def _limits(settings: Settings, words: argparse.Namespace) -> int:
    if words.action is None:
        return limits.show(settings, account=words.only, as_json=words.json)
    if words.action != "reset":
        return possible_order_shown.show(settings, words.action, words.account, as_json=words.json)
    if words.account is None:
        words.refuse("say which: python bot.py limits reset ACCOUNT")
    if not words.by or not words.reason:
        words.refuse("say who and why: --by NAME --reason TEXT")
    return limits.reset(settings, words.account, by=words.by, reason=words.reason, as_json=words.json)
