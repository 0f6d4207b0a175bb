"""Copies: each signal with a line per user, and what it cost a user compared with the ideal."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from bot.console.answers import Asked, Refusal
from bot.console.query_words import before_id, number
from bot.diagnostics.copies import signals_of
from bot.diagnostics.fidelity import first_to_last, line_fields
from bot.storage.copies import latest_copies, signal_with_copies
from bot.storage.fidelity_rows import fidelity_of
from bot.storage.schema import copy_result, order_intent, signal


def copies(asked: Asked) -> dict[str, Any]:
    """The newest signals, each with a line per user: `?limit=`, `?before=` (a sequence)."""
    limit = number(asked.query, "limit", default=30, most=200)
    with asked.context.read() as connection:
        rows = latest_copies(connection, signals=limit, before=before_id(asked.query))
        found = signals_of(rows)
        _add_latency(connection, found)
    return {"signals": found, "before": found[-1]["sequence"] if len(found) == limit else None}


def one_signal(asked: Asked) -> dict[str, Any]:
    """One signal: per user size asked, size got, reason, latency, slippage, and the parts of what it cost."""
    signal_id = asked.path["signal_id"]
    with asked.context.read() as connection:
        found = signals_of(signal_with_copies(connection, signal_id))
        if not found:
            raise Refusal(404, f"there is no signal {signal_id[:64]!r}")
        _add_latency(connection, found)
        _add_fidelity(connection, found[0])
    return found[0]


def _add_latency(connection: Connection, found: list[dict[str, Any]]) -> None:
    """Milliseconds from the master's trade being known to the user's order being sent, and the slippage in percent."""
    ids = [one["signal_id"] for one in found]
    query = (
        select(copy_result.c.signal_id, copy_result.c.account_id, order_intent.c.sent_at, signal.c.created_at)
        .join(order_intent, order_intent.c.client_order_id == copy_result.c.client_order_id)
        .join(signal, signal.c.signal_id == copy_result.c.signal_id)
        .where(copy_result.c.signal_id.in_(ids))
    )
    sent = {(row.signal_id, row.account_id): row for row in connection.execute(query)}
    for one in found:
        for user in one["users"]:
            row = sent.get((one["signal_id"], user["account_id"]))
            known = row is not None and row.sent_at is not None
            user["latency_ms"] = round((row.sent_at - row.created_at).total_seconds() * 1000) if row and known else None
            user["slippage_percent"] = _slippage(one, user)


def _slippage(one: dict[str, Any], user: dict[str, Any]) -> str | None:
    """How much worse than the master's the user's price was; negative = better."""
    if user["average_price"] is None or not float(one["price"]):
        return None
    worse = float(user["average_price"]) / float(one["price"]) - 1
    return f"{100 * (worse if one['side'] == 'buy' else -worse):.3f}"


def _add_fidelity(connection: Connection, one: dict[str, Any]) -> None:
    row = connection.execute(select(signal.c.executed_at).where(signal.c.signal_id == one["signal_id"])).one()
    begin, end = row.executed_at, row.executed_at + timedelta(microseconds=1)
    spread = first_to_last(connection, {one["signal_id"]})
    for user in one["users"]:
        lines = fidelity_of(connection, user["account_id"], begin, end)
        user["fidelity"] = [line_fields(line, spread) for line in lines if line.signal_id == one["signal_id"]]
