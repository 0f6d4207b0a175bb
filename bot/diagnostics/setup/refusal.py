"""Saying what is wrong with what was asked for."""

import sys

from bot import exit_codes
from bot.domain.errors import ConfigurationError


def refused(error: ConfigurationError) -> int:
    """Say what is wrong; nothing was written, since everything is tried before."""
    for problem in error.problems:
        print(problem, file=sys.stderr)
    return exit_codes.WRONG_USE
