"""The declaration of `python bot.py doctor`."""

import argparse

from bot.diagnostics.command_line import Commands, add_command


def add(commands: Commands) -> None:
    made = add_command(
        commands,
        "doctor",
        "what is in order, what is not, and how to put it right: program, settings, keys, state, venues, accounts",
        lambda _settings, words: _run(words),
        codes="0 nothing to put right (there may be warnings), 1 something, 2 wrong use, or no readable configuration",
        examples=["doctor", "doctor kraken", "doctor --live", "doctor --offline --json"],
    )
    made.add_argument("broker", nargs="?", metavar="BROKER", help="one brokerage, as kraken; default: all")
    made.add_argument("--live", action="store_true", help="try the keys of .env as live mode would; nothing is traded")
    made.add_argument("--offline", action="store_true", help="ask no venue")
    # It tells what is wrong with the settings, so that it cannot wait for good ones.
    made.set_defaults(before_settings=_run)


def _run(words: argparse.Namespace) -> int:
    from bot.diagnostics.doctor import doctor

    return doctor.run(words)
