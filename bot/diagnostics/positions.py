"""`python bot.py positions`: what each account holds, what it is worth now, and how far its exits are."""

import argparse
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.diagnostics.amounts_shown import signed
from bot.diagnostics.command_line import Commands, account_of, add_account, add_command
from bot.diagnostics.held_positions import nearest_first, read_positions
from bot.diagnostics.listed_accounts import listed_accounts
from bot.diagnostics.listed_answer import Seen, tell
from bot.diagnostics.listing import age_words, count
from bot.diagnostics.why_answer import Answer, Cell, Listing, words
from bot.diagnostics.why_held import nearest
from bot.domain.decision import ExitStatus
from bot.settings import Settings

COLUMNS = {
    "account": "account",
    "symbol": "market",
    "quantity": "quantity",
    "entry": "bought at",
    "price": "bid",
    "unrealised": "unrealised",
    "percent": "%",
    "exits": "nearest exit",
}


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "positions",
        "what each account holds: bought at, the price now with its age, unrealised, the nearest exit",
        _run,
        codes="0 all are guarded, 1 nothing guards one of them, 2 no such account, 3 the bot is not running",
        examples=["positions", "positions daivon_frazier_kraken", "positions --json"],
    )
    add_account(made)


def _run(settings: Settings, typed: argparse.Namespace) -> int:
    account = account_of(typed)
    return tell(settings, lambda seen, answer: ask(seen, answer, account), name="positions", as_json=typed.json)


def ask(seen: Seen, answer: Answer, account: str | None) -> None:
    """All that is held, nearest to an exit first. Raises `UnknownName`."""
    listed_accounts(seen.connection, seen.settings, account)
    held = nearest_first(read_positions(seen.connection, seen.now, account))
    unguarded = sum(is_unguarded(one) for one in held)
    answer.wrong = bool(unguarded)
    accounts = len({one["account_id"] for one in held})
    answer.say(f"{count(len(held), 'position')} in {count(accounts, 'account')}" if held else "Nothing is held")
    answer.say(f"NOTHING GUARDS {unguarded} of them: python bot.py why ACCOUNT SYMBOL" if unguarded else "")
    answer.say(_oldest_price(held))
    answer.show(position_listing(held))


def position_listing(held: Sequence[Mapping[str, Any]]) -> Listing:
    """A row for each; the JSON has every rule besides."""
    rows = [_row(one) for one in held]
    return Listing(
        "positions", "Positions, whichever is nearest to an exit first", COLUMNS, rows, held, wraps=("exits",)
    )


def is_unguarded(one: Mapping[str, Any]) -> bool:
    """No rule can sell it now."""
    return one["exits"] is not None and one["exits"]["status"] == ExitStatus.UNGUARDED


def _row(one: Mapping[str, Any]) -> dict[str, Cell]:
    return {
        "account": one["account_id"],
        "symbol": one["symbol"],
        "quantity": rounded_price(one["quantity"]),
        "entry": rounded_price(one["average_entry_price"]),
        "price": rounded_price(one["bid"]),
        "unrealised": _unrealised(one),
        "percent": "-" if one["profit_percent"] is None else str(one["profit_percent"]),
        "exits": nearest_exit(one["exits"]),
    }


def rounded_price(text: str | None) -> str:
    """Seven digits that count: enough to compare."""
    if text is None:
        return "unknown"
    number = Decimal(text)
    shown = Decimal(f"{number:.7g}")
    return f"{number:,.2f}" if abs(number) >= 100_000 else f"{shown:f}"


def _unrealised(one: Mapping[str, Any]) -> str:
    return signed(None if one["profit_quote"] is None else Decimal(one["profit_quote"]))


def _oldest_price(held: Sequence[Mapping[str, Any]]) -> str:
    ages = [one["price_age_seconds"] for one in held if one["price_age_seconds"] is not None]
    return f"The oldest of these prices is {age_words(max(ages))} old" if ages else ""


def nearest_exit(exits: Mapping[str, Any] | None) -> str:
    """`target 1.20 %`, that far from the bid, or why none is near."""
    if exits is None:
        return "not judged yet"
    if exits["status"] == ExitStatus.ARMED:
        near = nearest(exits["rules"])
        return "armed" if near is None else f"{words(near.rule)} {near.distance:.2f} %"
    if exits["status"] == ExitStatus.UNGUARDED:
        return f"UNGUARDED: {exits['reason']}"
    return f"{exits['status']}: {words(exits['rule'] or '')} {exits['reason']}".strip()
