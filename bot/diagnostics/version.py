"""`python bot.py --version`: which build this is, and what it works with."""

import argparse
import platform
from typing import Any


class ShowVersion(argparse.Action):
    """An option that needs no configuration: it must answer where nothing else does."""

    def __init__(self, option_strings: list[str], dest: str, **named: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help="which build this is, and end")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(version_text())
        parser.exit()


def version_text() -> str:
    """One line for a report: the build, the tables that it knows, the Python that it runs on."""
    # Only here: every command declares this option, and hardly any shows it.
    from bot.build import build_id
    from bot.storage.migrations import head

    return f"NIJA build {build_id()}, schema {head()}, Python {platform.python_version()}"
