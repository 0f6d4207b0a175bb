"""`verify_master_broker_independence.py`: proves that one master's broken brokerage leaves the others on time."""

import json
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from types import FrameType
from typing import NoReturn

from rich.text import Text

from bot import exit_codes
from bot.diagnostics.command import command_parser
from bot.diagnostics.independence_trial import MASTERS, Outcome, Trial
from bot.diagnostics.store_reading import NoStore
from bot.diagnostics.terminal import table, terminal
from bot.domain.errors import ConfigurationError, UnreadableReply

CODES = (
    "Exit code: 0 every other master stayed on time, 1 one did not (or breaking the one had no effect), "
    "2 wrong use, or the trial could not start."
)


def main(argv: Sequence[str] | None = None) -> int:
    """0 = every other master stayed on time, 1 = not proven, 2 = wrong use."""
    parser = command_parser(
        "verify_master_broker_independence.py",
        "Proves that one master's broken brokerage leaves the others on time. Starts a throw-away paper exchange with "
        "a bot\nof its own, lets every call of one master hang, and compares the others' cycles before and meanwhile.",
        examples=["", "--break kraken --seconds 20", "--json"],
        codes=CODES,
    )
    parser.add_argument(
        "--break", dest="broken", choices=MASTERS, default="coinbase", help="the brokerage to break (default coinbase)"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=12.0, help="how long to watch, before and during (5 to 600, default 12)"
    )
    arguments = parser.parse_args(argv)
    # So that everything started here is stopped also when this program is asked to end.
    signal.signal(signal.SIGTERM, _end)
    try:
        with ExitStack() as stack:
            outcome = Trial(stack, arguments.broken, arguments.seconds, _silent if arguments.json else _say).run()
    except (ConfigurationError, NoStore, UnreadableReply) as error:
        print(f"The trial could not be made: {error}", file=sys.stderr)
        return exit_codes.WRONG_USE
    _print(outcome, as_json=arguments.json)
    return exit_codes.OK if outcome.proven else exit_codes.SOMETHING_WRONG


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 5 <= seconds <= 600:
        raise ValueError(text)
    return seconds


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(exit_codes.UNCLEAN_STOP)


def _print(outcome: Outcome, *, as_json: bool) -> None:
    rows = [
        {
            "master": master.master,
            "cycles_before": len(master.before),
            "median_before_seconds": round(median(master.before), 3),
            "cycles_during": len(master.during),
            "median_during_seconds": round(median(master.during), 3) if master.during else None,
            "longest_during_seconds": round(max(master.during), 3) if master.during else None,
            "on_time": master.on_time,
        }
        for master in outcome.others
    ]
    if as_json:
        said = {"broken": outcome.broken, "broken_says": outcome.broken_says, "proven": outcome.proven}
        print(json.dumps(said | {"others": rows}, indent=2))
        return
    console = terminal()
    says = outcome.broken_says or "nothing, so nothing is proven"
    console.print(f"{outcome.broken} (broken on purpose) says: {says}", soft_wrap=True)
    headings = ("master", "before (median)", "during (median)", "during (longest)", "verdict")
    shown = table(console, "Seconds between cycles of the other masters", *headings)
    for row in rows:
        verdict = Text("on time", style="green") if row["on_time"] else Text("LATE", style="red")
        cells = (row["median_before_seconds"], row["median_during_seconds"], row["longest_during_seconds"])
        shown.add_row(str(row["master"]), *(str(cell) for cell in cells), verdict)
    console.print(shown)


def _say(text: str) -> None:
    print(text, flush=True)


def _silent(_text: str) -> None:
    return None
