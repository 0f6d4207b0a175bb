"""An account's orders and wishes of one market or of all, as rows of an answer."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from bot.diagnostics.listing import short
from bot.diagnostics.why_answer import Cell, Listing, words
from bot.diagnostics.why_no_trade_copies import copies_of
from bot.domain.decision import EntryOutcome
from bot.domain.order import FINAL_STATES
from bot.storage.entry_decisions import EntryDecision
from bot.storage.intents import OrderIntent, intent_of
from bot.storage.schema import order_intent


def orders_of(connection: Connection, account_id: str, *, symbol: str | None, limit: int) -> Sequence[OrderIntent]:
    """The newest first."""
    query = select(order_intent).where(order_intent.c.account_id == account_id)
    if symbol is not None:
        query = query.where(order_intent.c.symbol == symbol)
    query = query.order_by(order_intent.c.sequence.desc()).limit(limit)
    return [intent_of(row) for row in connection.execute(query)]


def under_way(orders: Sequence[OrderIntent]) -> Sequence[OrderIntent]:
    """Those that have no end yet."""
    return [order for order in orders if order.state not in FINAL_STATES]


def order_sentence(order: OrderIntent) -> str:
    """What an order without an end waits for."""
    if order.needs_person:
        what = f"needs a person: {order.needs_person} (python bot.py resolve)"
    else:
        what = f"is {order.state}" + (f": {order.reason}" if order.reason else "")
    return f"Its order {short(order.client_order_id)} to {order.side} {order.quantity:f} {order.symbol} {what}"


def order_listing(orders: Sequence[OrderIntent]) -> Listing:
    columns = {
        "at": "at (UTC)",
        "order": "order",
        "side": "side",
        "symbol": "symbol",
        "quantity": "quantity",
        "filled": "filled",
        "state": "state",
        "why": "decided because; and what was said of it",
    }
    return Listing("orders", "Its last orders", columns, [_order(order) for order in orders])


def _order(order: OrderIntent) -> dict[str, Cell]:
    because = "; ".join(part for part in (order.decision, order.reason) if part)
    return {
        "at": order.created_at,
        "order": short(order.client_order_id),
        "client_order_id": order.client_order_id,
        "side": str(order.side),
        "symbol": order.symbol,
        "quantity": order.quantity,
        "filled": order.filled_quantity,
        "average_price": order.average_price,
        "state": str(order.state),
        "why": because,
    }


def wish_listing(wishes: Sequence[EntryDecision]) -> Listing:
    """What became of each wish of a strategy to buy."""
    columns = {
        "at": "at (UTC)",
        "symbol": "symbol",
        "wish": "the strategy's reason",
        "outcome": "outcome",
        "why": "because",
    }
    return Listing("signals", "Its last signals, and what became of each", columns, [_wish(each) for each in wishes])


def _wish(wish: EntryDecision) -> dict[str, Cell]:
    outcome = wish.outcome
    return {
        "at": wish.at,
        "symbol": wish.symbol,
        "strategy": wish.strategy,
        "confidence": wish.confidence,
        "wish": wish.reason,
        "outcome": outcome.word,
        "rule": outcome.rule,
        "client_order_id": outcome.client_order_id,
        "numbers": ", ".join(f"{name} {value}" for name, value in outcome.numbers.items()),
        "why": _ordered(outcome) if outcome.ordered else _vetoed(outcome),
    }


def _ordered(outcome: EntryOutcome) -> str:
    """The order, and what has set its size."""
    order = f"order {short(outcome.client_order_id)}" if outcome.client_order_id else ""
    set_by = outcome.numbers.get("set_by")
    return ", ".join(part for part in (order, set_by and f"its size set by {words(set_by)}") if part)


def _vetoed(outcome: EntryOutcome) -> str:
    """The rule, its sentence, and all that was compared."""
    numbers = ", ".join(f"{name} {value}" for name, value in outcome.numbers.items())
    return ": ".join(part for part in (outcome.rule, outcome.detail) if part) + (f" [{numbers}]" if numbers else "")


def copy_listing(connection: Connection, account_id: str, *, symbol: str | None, limit: int) -> Listing:
    """The account's answers to its master's signals, the newest first."""
    columns = {
        "at": "at (UTC)",
        "kind": "signal",
        "symbol": "symbol",
        "status": "answer",
        "filled": "filled",
        "why": "because",
    }
    rows: list[dict[str, Cell]] = [
        {
            "at": row.executed_at,
            "signal_id": row.signal_id,
            "kind": row.kind,
            "symbol": row.symbol,
            "status": row.status,
            "reason": row.reason,
            "filled": row.filled_quantity,
            "why": ": ".join(part for part in (row.reason, row.detail or row.last_error) if part) or "-",
        }
        for row in copies_of(connection, account_id, symbol=symbol, kind=None, limit=limit)
    ]
    return Listing("copies", "Its last copies", columns, rows)
