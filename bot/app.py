"""`python bot.py`: a command, or a run of the bot."""

import json
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from bot import exit_codes
from bot.diagnostics.commands import parser
from bot.domain.errors import ConfigurationError
from bot.settings import Settings, load_settings
from bot.supervision.private_process import keep_files_private, leave_no_core

SWITCH_SECONDS = 0.0005


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the process's exit code."""
    arguments = parser().parse_args(argv)
    leave_no_core()
    try:
        if (alone := getattr(arguments, "before_settings", None)) is not None:
            # A command that must answer although the settings cannot be read.
            return int(alone(arguments))
        settings = load_settings()
        if arguments.run is not None:
            code: int = arguments.run(settings, arguments)
            return code
        _trade(settings, arguments.seconds)
    except ConfigurationError as error:
        if getattr(arguments, "json", False):
            print(json.dumps({"said": "; ".join(error.problems), "problems": list(error.problems)}, indent=2))
        for problem in error.problems:
            print(f"NIJA cannot start: {problem}", file=sys.stderr)
        return exit_codes.WRONG_USE


def _trade(settings: Settings, seconds: float | None) -> NoReturn:
    # Only here: what trades is most of the program, and a command need not wait until it is loaded.
    from bot.service import Run

    keep_files_private()
    # One account's own code may keep the interpreter busy: every other thread would wait for 5 ms at each of its
    # calls to get it back.
    sys.setswitchinterval(SWITCH_SECONDS)
    _leave(Run(settings, seconds=seconds).run())


def _leave(code: int) -> NoReturn:
    """All is done: the interpreter's own end takes seconds when threads are left that hang in calls."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
