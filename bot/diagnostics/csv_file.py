"""Tables for a spreadsheet: exact numbers, times in UTC, and no text that a spreadsheet would run as a formula."""

import csv
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from bot.domain.money import plain
from bot.seams.clock import format_time

STANDARD_OUTPUT = "-"
_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


class Sheet(Protocol):
    """Where rows are written to."""

    def writerow(self, row: Sequence[str], /) -> object: ...


@contextmanager
def open_sheet(target: str) -> Iterator[Sheet]:
    """A sheet that becomes the file `target` when the block ends without an error, and not before; `-` is printed.

    Only its owner can read the file. Raises `OSError`.
    """
    if target == STANDARD_OUTPUT:
        yield csv.writer(sys.stdout, lineterminator="\n")
        return
    path = Path(target)
    fresh = path.with_name(path.name + ".part")
    fresh.unlink(missing_ok=True)
    try:
        with open(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline=""
        ) as file:
            yield csv.writer(file, lineterminator="\n")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def cell(value: Any) -> str:
    """As it is written; what is not known is empty and never 0."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, bool | int):
        return str(value)
    text = str(value)
    # A venue's or a person's words: an apostrophe keeps them words.
    return f"'{text}" if text.startswith(_FORMULA_BEGINNINGS) else text
