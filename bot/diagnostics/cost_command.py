"""The words of `python bot.py cost`."""

import argparse

from bot.diagnostics import cost
from bot.diagnostics.chosen_days import day_of_text
from bot.diagnostics.command_line import Commands, above_zero, add_command, name, not_negative
from bot.settings import Settings


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "cost",
        "coins whose cost nobody knows; with an ASSET, a person's dated word on what they cost",
        _cost,
        codes="without ASSET as for lists (0, 1, 2, 3); with it 0 written down, 2 refused (nothing was written)",
        examples=[
            "cost",
            "cost kraken BTC --quantity 0.5 --cost 21000 --date 2024-03-01 --by Anna --reason 'invoice 17'",
        ],
    )
    made.add_argument("account", nargs="?", metavar="ACCOUNT", help="nothing lists all accounts")
    made.add_argument("asset", nargs="?", metavar="ASSET", help="as BTC")
    made.add_argument("--quantity", type=above_zero, metavar="UNITS", help="how many of them")
    made.add_argument("--cost", type=not_negative, metavar="AMOUNT", help="of all of them, in the account's currency")
    made.add_argument("--date", dest="on", type=day_of_text, metavar="DAY", help="when they were acquired, 2024-03-01")
    made.add_argument("--by", type=name, metavar="NAME", help="who says so")
    made.add_argument("--reason", type=name, metavar="TEXT", help="from where it is known")
    made.set_defaults(refuse=made.error)


def _cost(settings: Settings, words: argparse.Namespace) -> int:
    given = (words.quantity, words.cost, words.on, words.by, words.reason)
    if words.asset is None:
        if any(value is not None for value in given):
            words.refuse("of which asset? python bot.py cost lists what has an unknown cost")
        return cost.show(settings, account=words.account, as_json=words.json)
    if any(value is None for value in given):
        words.refuse("say all of it: --quantity UNITS --cost AMOUNT --date DAY --by NAME --reason TEXT")
    word = cost.Word(
        account=words.account,
        asset=words.asset.upper(),
        quantity=words.quantity,
        cost=words.cost,
        on=words.on,
        by=words.by,
        reason=words.reason,
    )
    return cost.say(settings, word, as_json=words.json)
