"""What every command of `python bot.py` is declared with: its help, its examples, and the words people type."""

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from bot.settings import Settings

Command = Callable[[Settings, argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

LISTS = (
    "0 nothing, 1 something to look into, 2 wrong use or configuration, 3 the bot is not running (then: as last seen)"
)
FIGURES = "0 all is known, 1 something is not known or not proved, 2 wrong use, 3 the bot is not running (as last seen)"
DOCUMENT = "0 written and all is known, 1 written and something is not known or not proved, 2 refused, 3 no store yet"
_LONGEST = 200


def add_command(
    commands: Commands,
    name: str,
    text: str,
    run: Command,
    *,
    codes: str = LISTS,
    examples: Sequence[str],
) -> argparse.ArgumentParser:
    """A command with `--json`; its help ends with the exit codes and examples."""
    lines = "\n".join(f"  python bot.py {example}" for example in examples)
    made = commands.add_parser(
        name,
        help=text,
        description=text[:1].upper() + text[1:] + ".",
        epilog=f"exit code: {codes}\n\nexamples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    made.set_defaults(run=run)
    return made


def add_account(made: argparse.ArgumentParser) -> None:
    """One account, as a word or as an option: people type both."""
    made.add_argument("account", nargs="?", metavar="ACCOUNT", help="only this one, as kraken or daivon_frazier_kraken")
    made.add_argument("--account", dest="only", metavar="ACCOUNT", help="the same")
    made.set_defaults(refuse=made.error)


def account_of(words: argparse.Namespace) -> str | None:
    """The account that was chosen; None = all. Two different ones end the program."""
    if words.account and words.only and words.account != words.only:
        words.refuse(f"{words.account} or {words.only}? Say one account")
    chosen: str | None = words.account or words.only
    return chosen


def number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 100000")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def moment(text: str) -> datetime:
    """A time; one without a zone is UTC, as every time that is shown."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write it as 2026-01-31T12:00Z") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def name(text: str) -> str:
    """Words of a person: one line that can be shown anywhere."""
    words = text.strip()
    if not words or len(words) > _LONGEST or not words.isprintable():
        raise argparse.ArgumentTypeError(f"must be 1 to {_LONGEST} printable characters")
    return words


def venue_id(text: str) -> str:
    """A brokerage's order id, as it is copied from its page."""
    words = text.strip()
    if not words or len(words) > 100 or not words.isascii() or not words.isprintable() or " " in words:
        raise argparse.ArgumentTypeError(f"{text!r} is not an order id of a brokerage")
    return words


def above_zero(text: str) -> Decimal:
    amount = not_negative(text)
    if not amount:
        raise argparse.ArgumentTypeError("must be above 0")
    return amount


def not_negative(text: str) -> Decimal:
    """A plain number of a person: digits and a point."""
    try:
        amount = Decimal(text.strip())
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; write it as 1234.56") from error
    if not amount.is_finite() or amount < 0 or amount > Decimal("1e15"):
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount from 0 on")
    return amount


def percent(text: str) -> Decimal:
    amount = not_negative(text)
    if amount > 100:
        raise argparse.ArgumentTypeError("a performance fee is at most 100 percent")
    return amount
