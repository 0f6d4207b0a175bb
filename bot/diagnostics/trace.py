"""`python bot.py trace ID`: one trade from the master's decision to every user's fill and the books."""

import argparse
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from bot.books.exactly import multiply
from bot.diagnostics.amounts_shown import signed
from bot.diagnostics.command_line import Commands, add_command, venue_id
from bot.diagnostics.listed_answer import Seen, tell
from bot.diagnostics.listing import count, short
from bot.diagnostics.orders import order_table
from bot.diagnostics.positions import rounded_price
from bot.diagnostics.row_fields import fields_of
from bot.diagnostics.trace_chain import Chain, chain_of
from bot.diagnostics.trace_log import lines_naming
from bot.diagnostics.why_answer import Answer, Cell, Listing
from bot.domain.money import plain
from bot.settings import Settings

_SIGNAL = (
    *("signal_id", "sequence", "broker", "account_id", "symbol", "side", "kind", "size", "quantity"),
    *("reference_price", "venue_order_id", "executed_at", "created_at", "planned_at"),
)
_COPY = (
    *("account_id", "status", "reason", "detail", "planned_quantity", "filled_quantity", "average_price"),
    *("client_order_id", "planned_at", "answered_at", "last_error"),
)
_FILL = (
    *("account_id", "symbol", "side", "quantity", "price", "fee", "fee_currency", "trade_id", "venue_order_id"),
    *("client_order_id", "executed_at", "recorded_at", "sequence"),
)
_TRIP = ("account_id", "symbol", "opened_at", "closed_at", "bought_quote", "sold_quote", "fees_quote", "exit_rule")


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "trace",
        "one trade: decision, signal, each user's copy, orders, fills, books, and the log's lines",
        _run,
        codes="0 shown, 1 shown and a copy failed or an order needs a person, 2 no such id, 3 the bot is not running",
        examples=["trace 3f9c21aa", "trace OQCLML-BW3P3-BUCMWZ --json"],
    )
    made.add_argument(
        "id",
        type=venue_id,
        metavar="ID",
        help="of a signal or an order of ours (its first 6 characters will do), or a brokerage's order or trade",
    )


def _run(settings: Settings, words: argparse.Namespace) -> int:
    typed: str = words.id
    return tell(settings, lambda seen, answer: trace(seen, answer, typed), name="orders", as_json=words.json)


def trace(seen: Seen, answer: Answer, typed: str) -> None:
    """In the order in which it happened. Raises `Unknown`."""
    chain = chain_of(seen.connection, typed)
    _say(chain, answer)
    answer.show(_decisions(chain))
    answer.show(_copies(chain))
    answer.show(order_table(seen.connection, chain.orders, seen.now))
    answer.show(_fills(chain))
    answer.show(_trips(chain))
    lines = lines_naming(seen.settings.state_dir, chain.ids)
    rows: list[dict[str, Cell]] = [{"line": line} for line in lines]
    answer.show(Listing("log", "Lines of the log that name it", {"line": ""}, rows))
    failed = any(row.status == "failed" for row in chain.copies)
    answer.wrong = failed or any(order.needs_person for order in chain.orders)


def _say(chain: Chain, answer: Answer) -> None:
    one = chain.signal
    answer.facts["signal"] = None if one is None else fields_of(one, _SIGNAL)
    if one is None:
        answer.say("No signal belongs to this order: nobody has copied it, or it has told of nothing yet")
        return
    part = "" if one.kind == "entry" else f", {plain((one.size * 100).normalize())} % of the position"
    bought = (
        f"{one.side} {rounded_price(plain(one.quantity))} {one.symbol} at {rounded_price(plain(one.reference_price))}"
    )
    answer.say(f"Signal {short(one.signal_id)}: {one.kind} of {one.account_id}, {bought}{part}, at {_moment(one)}")
    copied = sum(row.status == "copied" for row in chain.copies)
    answer.say(f"{copied} of {count(len(chain.copies), 'user')} copied it" if chain.copies else "No user follows it")


def _moment(one: Row[Any]) -> str:
    return f"{one.executed_at:%Y-%m-%d %H:%M:%S} UTC"


def _decisions(chain: Chain) -> Listing:
    rows: list[dict[str, Cell]] = [_decision(row) for row in chain.decisions]
    columns = {"at": "at (UTC)", "account": "account", "what": "decided", "because": "because"}
    return Listing("decisions", "Why the master did it", columns, rows, wraps=("because",))


def _decision(row: Row[Any]) -> dict[str, Cell]:
    """An entry that a strategy wished for, or an exit by a rule."""
    is_entry = "strategy" in row._mapping
    return {
        "at": row.at,
        "account": row.account_id,
        "symbol": row.symbol,
        "what": row.strategy if is_entry else f"exit: {row.rule}",
        "because": row.reason,
        "client_order_id": row.client_order_id,
        "numbers": row.numbers_json if is_entry else row.rules_json,
    }


def _copies(chain: Chain) -> Listing:
    columns = {"account": "account", "answer": "answer", "filled": "filled", "order": "order", "after": "after"}
    rows = [_copy(row, chain.signal) for row in chain.copies]
    exact = [fields_of(row, _COPY) for row in chain.copies]
    return Listing("copies", "What each user made of it", columns, rows, exact, wraps=("answer",))


def _copy(row: Row[Any], one: Row[Any] | None) -> dict[str, Cell]:
    why = ": ".join(part for part in (row.reason, row.detail or row.last_error) if part)
    filled = "-" if row.filled_quantity is None else rounded_price(plain(row.filled_quantity))
    at = "" if row.average_price is None else f" at {rounded_price(plain(row.average_price))}"
    took = None if one is None or row.answered_at is None else (row.answered_at - one.executed_at).total_seconds()
    return {
        "account": row.account_id,
        "answer": row.status.replace("_", " ") + (f" ({why})" if why else ""),
        "filled": filled + at,
        "order": "-" if row.client_order_id is None else short(row.client_order_id),
        "after": "-" if took is None else f"{max(0.0, took):.2f} s",
    }


# -- the books ----------------------------------------------------------------------------------------------------
def _fills(chain: Chain) -> Listing:
    """As they stand in the books: what came into the account, and what left it."""
    columns = {"at": "at (UTC)", "account": "account", "what": "fill", "cash": "cash", "fee": "fee", "trade": "trade"}
    rows = [_fill(row) for row in chain.fills]
    exact = [fields_of(row, _FILL) | {"cash": plain(cash_of(row))} for row in chain.fills]
    return Listing("fills", "Fills, as they are booked", columns, rows, exact, wraps=("trade",))


def _fill(row: Row[Any]) -> dict[str, Cell]:
    return {
        "at": f"{row.executed_at:%H:%M:%S}",
        "account": row.account_id,
        "what": f"{row.side} {rounded_price(plain(row.quantity))} at {rounded_price(plain(row.price))}",
        "cash": signed(cash_of(row)),
        "fee": f"{rounded_price(plain(row.fee))} {row.fee_currency}",
        "trade": row.trade_id,
    }


def cash_of(row: Row[Any]) -> Decimal:
    """What a fill did to the cash before its fee: less for what was bought, more for what was sold."""
    value = multiply(row.quantity, row.price)
    return -value if row.side == "buy" else value


def _trips(chain: Chain) -> Listing:
    columns = {
        "account": "account",
        "symbol": "market",
        "made": "made",
        "fees": "fees",
        "rule": "sold by",
        "at": "closed",
    }
    rows = [_trip(row) for row in chain.trips]
    exact: Sequence[Mapping[str, Any]] = [fields_of(row, _TRIP) for row in chain.trips]
    return Listing("round_trips", "Positions that it began or ended, and what they made", columns, rows, exact)


def _trip(row: Row[Any]) -> dict[str, Cell]:
    made = None if row.fees_quote is None else row.sold_quote - row.bought_quote - row.fees_quote
    return {
        "account": row.account_id,
        "symbol": row.symbol,
        "made": signed(made),
        "fees": "unknown" if row.fees_quote is None else rounded_price(plain(row.fees_quote)),
        "rule": row.exit_rule.replace("_", " ") or "-",
        "at": row.closed_at,
    }
