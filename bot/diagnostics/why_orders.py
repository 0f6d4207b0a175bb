"""An account's orders and wishes of one market or of all, as rows of an answer."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select

from bot.diagnostics.listing import short, since
from bot.diagnostics.why_answer import Cell, Listing, amount, words
from bot.diagnostics.why_no_trade_copies import copies_of
from bot.domain.decision import EntryOutcome
from bot.domain.order import FINAL_STATES
from bot.storage.entry_decisions import EntryDecision
from bot.storage.intents import OrderIntent, intent_of
from bot.storage.order_chains import steps_of
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


def chain_sentence(connection: Connection, account_id: str, symbol: str, at: datetime) -> str:
    """How the newest order of a market that rested came along, moved as often as it was; empty = none ever did."""
    query = select(order_intent.c.chain_id).where(
        order_intent.c.account_id == account_id, order_intent.c.symbol == symbol, order_intent.c.chain_id.is_not(None)
    )
    newest = connection.execute(query.order_by(order_intent.c.sequence.desc()).limit(1)).scalar()
    if newest is None:
        return ""
    steps = steps_of(connection, [newest])[0]
    first, last = steps[0], steps[-1]
    filled = sum((step.filled_quantity for step in steps), Decimal(0))
    what = f"to {first.side} {amount(first.quantity)} {symbol}"
    tries = "1 order" if len(steps) == 1 else f"{len(steps)} orders, one after the other"
    done = f"{tries}, {amount(filled)} filled"
    if last.chain_end is None:
        limit = "at the market" if last.limit_price is None else f"now at {amount(last.limit_price)}"
        return f"It waits {what}: {done}, {limit}"
    return f"Its last try {what} began {since(first.created_at, at)} and is over, {done}: {last.chain_end}"


def order_listing(orders: Sequence[OrderIntent]) -> Listing:
    columns = {
        "at": "at (UTC)",
        "order": "order",
        "side": "side",
        "symbol": "symbol",
        "quantity": "quantity",
        "filled": "filled",
        "step": "try",
        "state": "state",
        "why": "decided because; and what was said of it",
    }
    # Of each chain its newest order says how it ended; the same is written on them all.
    newest = {order.chain_id: order.client_order_id for order in reversed(orders)}
    rows = [_order(order, newest=newest[order.chain_id] == order.client_order_id) for order in orders]
    return Listing("orders", "Its last orders", columns, rows)


def _order(order: OrderIntent, *, newest: bool) -> dict[str, Cell]:
    end = order.chain_end if newest else None
    because = "; ".join(part for part in (order.decision, order.reason, end) if part)
    return {
        "at": order.created_at,
        "order": short(order.client_order_id),
        "client_order_id": order.client_order_id,
        "side": str(order.side),
        "symbol": order.symbol,
        "quantity": order.quantity,
        "filled": order.filled_quantity,
        "average_price": order.average_price,
        "limit_price": order.limit_price,
        "chain_id": order.chain_id,
        "step": None if order.chain_id is None else order.chain_step + 1,
        "chain_end": order.chain_end,
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
