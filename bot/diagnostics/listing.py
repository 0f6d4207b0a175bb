"""What the commands share that list what is open in the store: times with their age, a width, one way to say no."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.diagnostics.store_reading import BotState, NoStore, describe_age
from bot.diagnostics.terminal import terminal
from bot.seams.clock import format_time

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100
# As much of an id as a person types; any unambiguous beginning is taken.
SHORT_ID = 8


def paper() -> "Console":
    """Where a list is printed: as wide as the window, and into a file or pipe not wider than a page."""
    return terminal(width_without_terminal=WIDTH)


def since(moment: datetime | None, now: datetime) -> str:
    """`2026-01-31 12:00:00 (4 min)`: UTC and how long ago."""
    if moment is None:
        return "-"
    return f"{format_time(moment)[:19].replace('T', ' ')} ({age(moment, now)})"


def age(moment: datetime, now: datetime) -> str:
    """How long ago, in words."""
    return describe_age(now - moment)


def age_words(seconds: float | None) -> str:
    """The same of an age that is known in seconds; `-` for one that is not."""
    return "-" if seconds is None else describe_age(timedelta(seconds=seconds))


def seconds_since(moment: datetime | None, now: datetime) -> float | None:
    """For JSON: a number, never below 0 (clocks are set back), or null."""
    return None if moment is None else max(0.0, round((now - moment).total_seconds(), 3))


def time_text(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def short(order_id: str) -> str:
    """The beginning of an id."""
    return order_id[:SHORT_ID]


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 order`, `2 orders`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def print_json(state: BotState | None, **fields: Any) -> None:
    """The fields, after whether the bot runs (which an unreadable store cannot tell)."""
    head = {"running": state is not None and state.running, "said": state.sentence if state else fields.pop("said", "")}
    print(json.dumps(head | fields, indent=2))


def cannot_read(error: NoStore, *, as_json: bool, code: int, empty: Mapping[str, Any] | Sequence[str] = ()) -> int:
    """Say why nothing can be listed; `empty` is what the JSON has then besides. Returns the exit code."""
    if as_json:
        fields = dict(empty) if isinstance(empty, Mapping) else {name: [] for name in empty}
        print_json(None, said=str(error), **fields)
    else:
        print(error, file=sys.stderr)
    return code


def refused(said: str, *, as_json: bool, code: int) -> int:
    """Nothing was done, and why; returns the exit code."""
    if as_json:
        print(json.dumps({"done": False, "said": said}, indent=2))
    else:
        print(said, file=sys.stderr)
    return code
