"""The words of `python bot.py kill | pause | flatten | resume | halts`."""

import argparse

from bot.diagnostics import flatten, halts
from bot.diagnostics.command_line import Commands, add_command, name, number, seconds
from bot.settings import Settings

_SET = "0 so it is, 2 refused, wrong use or configuration"
_SOLD = (
    "0 all of it is done, 1 not done yet or something is left (said of each), 2 refused,\n"
    "3 written down, and the bot is not running (it sells at its next start)"
)
_TARGET = "all, a brokerage, an account's label, or a symbol as BTC/USD (account:kraken is the master alone)"


def add(commands: Commands) -> None:
    """Declare all of them."""
    _add_kill(commands)
    _add_pause(commands)
    _add_flatten(commands)
    _add_resume(commands)
    _add_halts(commands)


def _add_kill(commands: Commands) -> None:
    made = add_command(
        commands,
        "kill",
        "stop all entries of all accounts at once; with --flatten also sell what the bot holds",
        _kill,
        codes=f"{_SET}; with --flatten as of flatten",
        examples=["kill", 'kill --reason "the news"', "kill --flatten --yes --wait 60"],
    )
    made.add_argument("--flatten", action="store_true", help="also sell what the bot holds, at the market")
    _add_wish(made)
    _add_sure(made)


def _kill(settings: Settings, words: argparse.Namespace) -> int:
    if words.flatten:
        return _flatten(settings, argparse.Namespace(**vars(words), target="all"))
    return halts.kill(settings, _wish(words), as_json=words.json)


def _add_pause(commands: Commands) -> None:
    made = add_command(
        commands,
        "pause",
        "stop entries of a brokerage, an account or a symbol; exits go on",
        lambda settings, words: halts.pause(settings, words.target, _wish(words), sure=words.yes, as_json=words.json),
        codes=_SET,
        examples=["pause kraken", "pause daivon_frazier_kraken --by Anna", 'pause BTC/USD --reason "the fork"'],
    )
    made.add_argument("target", metavar="TARGET", help=_TARGET)
    _add_wish(made)
    made.add_argument("--yes", action="store_true", help="also a symbol that was never traded here")


def _add_flatten(commands: Commands) -> None:
    made = add_command(
        commands,
        "flatten",
        "stop entries and sell at the market what the bot holds; shows what is sold and what is left",
        _flatten,
        codes=_SOLD,
        examples=["flatten kraken", "flatten all --yes --wait 60", "flatten BTC/USD --yes --json"],
    )
    made.add_argument("target", metavar="TARGET", help=_TARGET)
    _add_wish(made)
    _add_sure(made)


def _flatten(settings: Settings, words: argparse.Namespace) -> int:
    return flatten.flatten(
        settings, words.target, _wish(words), sure=words.yes, wait_seconds=words.wait, as_json=words.json
    )


def _add_resume(commands: Commands) -> None:
    made = add_command(
        commands,
        "resume",
        "lift what was stopped, in two steps: the first shows it and a code, the second takes the code",
        _resume,
        codes="0 lifted, or nothing is halted; 1 shown and not lifted yet, 2 refused (nothing was lifted)",
        examples=["resume", "resume kraken", 'resume kraken --code 3F9C2A --by Anna --reason "all is well"'],
    )
    made.add_argument("target", nargs="?", metavar="TARGET", help=f"{_TARGET}; nothing is all that is halted")
    made.add_argument("--code", type=name, metavar="CODE", help="what the first step has shown")
    _add_wish(made)
    made.set_defaults(refuse=made.error)


def _resume(settings: Settings, words: argparse.Namespace) -> int:
    if words.code is None:
        return halts.resume(settings, words.target, words.by or halts.operator(), as_json=words.json)
    if not words.reason:
        words.refuse("say why it may go on: --reason TEXT")
    return halts.confirm_resume(settings, words.target, words.code, _wish(words), as_json=words.json)


def _add_halts(commands: Commands) -> None:
    made = add_command(
        commands,
        "halts",
        "what is stopped, by whom, when and why; how far a flatten is",
        _halts,
        codes="0 nothing is halted, 1 something is, 2 wrong use, 3 the bot is not running; --flatten as of flatten",
        examples=["halts", "halts --all --json", "halts --flatten 3"],
    )
    made.add_argument("--all", action="store_true", help="also what was lifted")
    made.add_argument("--flatten", type=number, metavar="ID", help="what this flatten has done in each account")


def _halts(settings: Settings, words: argparse.Namespace) -> int:
    if words.flatten is not None:
        return flatten.show_progress(settings, words.flatten, wait_seconds=0.0, as_json=words.json)
    return halts.list_halts(settings, as_json=words.json, lifted_too=words.all)


def _add_wish(made: argparse.ArgumentParser) -> None:
    made.add_argument("--by", type=name, metavar="NAME", help="who says so (default: the system's user)")
    made.add_argument("--reason", type=name, metavar="TEXT", help="why; shown to everybody")


def _add_sure(made: argparse.ArgumentParser) -> None:
    made.add_argument("--yes", action="store_true", help="do not ask again")
    made.add_argument("--wait", type=seconds, default=0.0, metavar="SECONDS", help="wait so long for all to be done")


def _wish(words: argparse.Namespace) -> halts.Wish:
    return halts.Wish(by=words.by or halts.operator(), reason=words.reason or "")
