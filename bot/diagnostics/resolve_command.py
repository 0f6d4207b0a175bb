"""The words of `python bot.py resolve`."""

import argparse

from bot.diagnostics import resolve
from bot.diagnostics.command_line import Commands, add_command, name, venue_id
from bot.settings import Settings


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "resolve",
        "orders that need a person; with an ORDER, a person's word about it",
        _resolve,
        codes=(
            "without ORDER as for lists (0, 1, 2, 3); with it 0 carried out, 1 written down and not\n"
            "carried out yet, 2 refused, 3 written down and the bot is not running (done at its next start)"
        ),
        examples=[
            "resolve",
            "resolve 3f9c21aa --accepted-as OQCLML-BW3P3-BUCMWZ --by Anna",
            'resolve 3f9c21aa --not-accepted --by Anna --reason "not in the order history" --yes',
        ],
    )
    made.add_argument("order", nargs="?", metavar="ORDER", help="the order's id, or its beginning")
    made.add_argument(
        "--accepted-as", type=venue_id, metavar="VENUE_ORDER_ID", help="the brokerage has it, as this one"
    )
    made.add_argument("--not-accepted", action="store_true", help="the brokerage never took it")
    made.add_argument("--by", type=name, metavar="NAME", help="who says so")
    made.add_argument("--reason", type=name, metavar="TEXT", help="why you are sure")
    made.add_argument("--yes", action="store_true", help="do not ask again")
    made.set_defaults(refuse=made.error)


def _resolve(settings: Settings, words: argparse.Namespace) -> int:
    if words.order is None:
        if words.accepted_as or words.not_accepted or words.by or words.reason or words.yes:
            words.refuse("which order? python bot.py resolve lists those that need a person")
        return resolve.list_orders(settings, as_json=words.json)
    if (words.accepted_as is None) == (not words.not_accepted):
        words.refuse("say one of --accepted-as VENUE_ORDER_ID and --not-accepted")
    if not words.by:
        words.refuse("say who decides: --by NAME")
    word = resolve.Word(
        order=words.order, accepted_as=words.accepted_as, by=words.by, reason=words.reason or "", sure=words.yes
    )
    return resolve.decide(settings, word, as_json=words.json)
