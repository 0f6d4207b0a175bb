"""`python bot.py orders`: the orders of each account, with the life of each and how old it is."""

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from bot.diagnostics.command_line import Commands, account_of, add_account, add_command, number
from bot.diagnostics.listed_accounts import listed_accounts
from bot.diagnostics.listed_answer import Seen, tell
from bot.diagnostics.listing import age, count, seconds_since, short, time_text
from bot.diagnostics.positions import rounded_price
from bot.diagnostics.row_fields import fields_of
from bot.diagnostics.why_answer import Answer, Cell, Listing
from bot.domain.money import plain
from bot.domain.order import FINAL_STATES, IntentState
from bot.settings import Settings
from bot.storage.schema import order_event, order_intent

DEFAULT_LIMIT = 20
COLUMNS = {
    "order": "order",
    "account": "account",
    "what": "what",
    "filled": "filled",
    "life": "its life",
    "age": "age",
}
EXACT = (
    *("client_order_id", "account_id", "signal_id", "symbol", "side", "kind", "order_type", "quantity", "limit_price"),
    *("stop_price", "state", "reason", "decision", "created_at", "sent_at", "updated_at", "venue_order_id"),
    *("filled_quantity", "average_price", "needs_person", "chain_id", "chain_step", "chain_end"),
)
# Every order goes through these: only what is unusual in a life, and its end, takes room on a terminal.
_USUAL = (IntentState.SUBMITTED, IntentState.ACKNOWLEDGED)
OPEN_STATES = tuple(str(state) for state in IntentState if state not in FINAL_STATES)


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "orders",
        "orders of each account, newest first, with each state of their life and when it came",
        _run,
        codes="0 shown, 1 one needs a person or its outcome is not known, 2 no such account, 3 the bot is not running",
        examples=["orders", "orders kraken --open", "orders daivon_frazier_kraken --limit 50 --json"],
    )
    add_account(made)
    which = made.add_mutually_exclusive_group()
    which.add_argument("--open", action="store_true", help="only those that have no end yet")
    which.add_argument("--all", action="store_true", help="also those that have ended (the default)")
    made.add_argument(
        "--limit", type=number, default=DEFAULT_LIMIT, metavar="N", help=f"how many (default {DEFAULT_LIMIT})"
    )


def _run(settings: Settings, words: argparse.Namespace) -> int:
    account = account_of(words)

    def ask(seen: Seen, answer: Answer) -> None:
        list_orders(seen, answer, account=account, only_open=words.open, limit=words.limit)

    return tell(settings, ask, name="orders", as_json=words.json)


def list_orders(seen: Seen, answer: Answer, *, account: str | None, only_open: bool, limit: int) -> None:
    """The newest of one account or of all. Raises `UnknownName`."""
    listed_accounts(seen.connection, seen.settings, account)
    chosen: list[ColumnElement[bool]] = [] if account is None else [order_intent.c.account_id == account]
    chosen += [order_intent.c.state.in_(OPEN_STATES)] if only_open else []
    query = select(order_intent).where(*chosen).order_by(order_intent.c.sequence.desc()).limit(limit)
    rows = seen.connection.execute(query).all()
    answer.wrong = any(row.needs_person or row.state == IntentState.UNKNOWN for row in rows)
    kind = "open order" if only_open else "order"
    answer.say(f"{count(len(rows), kind)}, newest first" if rows else f"There is no {kind}")
    for row in rows:
        answer.say(f"{short(row.client_order_id)} needs a person: {row.needs_person}" if row.needs_person else "")
    answer.show(order_table(seen.connection, rows, seen.now))


def order_table(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> Listing:
    """A row for each order; the JSON has every digit and every step."""
    lives = lives_of(connection, [row.client_order_id for row in rows])
    shown = [order_row(row, lives.get(row.client_order_id, ()), now) for row in rows]
    exact = [exact_order(row, lives.get(row.client_order_id, ()), now) for row in rows]
    return Listing("orders", "Orders", COLUMNS, shown, exact, wraps=("life",))


def lives_of(connection: Connection, orders: Sequence[str]) -> Mapping[str, Sequence[Row[Any]]]:
    """Every change of state of these orders, the earliest first."""
    query = select(order_event).where(order_event.c.client_order_id.in_(orders)).order_by(order_event.c.id)
    found: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.client_order_id, []).append(row)
    return found


def order_row(row: Row[Any], life: Sequence[Row[Any]], now: datetime) -> dict[str, Cell]:
    """For a person: rounded, and its life in one line."""
    return {
        "order": short(row.client_order_id),
        "account": row.account_id,
        "what": f"{row.side} {rounded_price(plain(row.quantity))} {row.symbol}",
        "filled": filled_words(row.quantity, row.filled_quantity, row.average_price),
        "life": life_words(row, life),
        "age": age(row.created_at, now),
    }


def filled_words(quantity: Decimal, filled: Decimal, price: Decimal | None) -> str:
    """`all at 497.22`, `0.4 at 497.22`, `nothing`."""
    if not filled:
        return "nothing"
    how_much = "all" if filled == quantity else rounded_price(plain(filled))
    return how_much if price is None else f"{how_much} at {rounded_price(plain(price))}"


def life_words(row: Row[Any], life: Sequence[Row[Any]]) -> str:
    """`filled after 0.05 s`, what was unusual before, and the reason; the JSON has each step with its time."""
    steps = [step for step in life if step.new != step.old]
    told = ", ".join(_kept([step.new for step in steps if step.new not in _USUAL])) or str(row.state)
    if steps:
        told += f" after {max(0.0, (steps[-1].at - row.created_at).total_seconds()):.2f} s"
    return f"{told}: {row.reason}" if row.reason else told


def _kept(steps: Sequence[str]) -> Sequence[str]:
    """An order may be filled in a thousand parts: the first and the last steps say enough."""
    return steps if len(steps) <= 5 else [*steps[:2], "…", *steps[-2:]]


def exact_order(row: Row[Any], life: Sequence[Row[Any]], now: datetime) -> dict[str, Any]:
    """For JSON."""
    steps = [{"at": time_text(step.at), "state": step.new, "detail": step.detail} for step in life]
    return fields_of(row, EXACT) | {"age_seconds": seconds_since(row.created_at, now), "life": steps}
