"""What an account's stream tells: ``executionReport``, ``outboundAccountPosition`` and ``balanceUpdate``."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from paper_exchange.binance.amounts import milliseconds, text
from paper_exchange.binance.order_form import type_name
from paper_exchange.binance.order_records import commission_asset, is_working, quantity_of, status, working_ms
from paper_exchange.binance.symbols import SELF_TRADE_PREVENTION, Symbols
from paper_exchange.engine import Engine
from paper_exchange.orders import (
    ZERO,
    Accepted,
    Balance,
    Canceled,
    CloseReason,
    Event,
    Expired,
    Filled,
    LedgerEntry,
    Trade,
)

Report = dict[str, object]
NO_TRADE = -1
EXECUTIONS: dict[type[Event], str] = {Accepted: "NEW", Filled: "TRADE", Canceled: "CANCELED", Expired: "EXPIRED"}
"""A stop that triggers is told by its fills."""


def execution_report(event: Event, symbols: Symbols, *, cancel_id: str | None) -> Report | None:
    """An order's report as it stood right after the event; None for an event that is not told."""
    if type(event) not in EXECUTIONS:
        return None
    order, trade = event.order, event.trade if isinstance(event, Filled) else None
    cancelled_by_user = isinstance(event, Canceled) and status(order) == "CANCELED"
    return {
        "e": "executionReport",
        "E": milliseconds(event.time_ns),
        "s": symbols.name(order.symbol),
        "c": (cancel_id or "") if cancelled_by_user else order.client_order_id or "",
        "S": order.side.value.upper(),
        "o": type_name(order),
        "f": order.time_in_force.value.upper(),
        "q": text(quantity_of(order)),
        "p": text(order.limit_price or ZERO),
        "P": text(order.trigger_price or ZERO),
        "F": text(ZERO),
        "g": -1,
        "C": order.client_order_id or "" if cancelled_by_user else "",
        "x": _execution(event),
        "X": status(order),
        "r": "NONE",
        "i": int(order.order_id),
        **_last_fill(trade),
        "z": text(order.filled_quantity),
        "T": milliseconds(event.time_ns),
        "I": order.sequence,
        "w": order.is_live and is_working(order),
        "M": False,
        "O": milliseconds(order.opened_at_ns),
        "Z": text(order.filled_cost),
        "Q": text(order.quote_amount or ZERO),
        "W": working_ms(order),
        "V": SELF_TRADE_PREVENTION,
    }


def account_position(engine: Engine, account_id: str, assets: Iterable[str], time_ns: int) -> Report:
    """The balances that may have changed, as they are now."""
    owned = engine.balances(account_id)
    rows = [(asset, owned.get(asset, Balance(ZERO, ZERO))) for asset in assets]
    return {
        "e": "outboundAccountPosition",
        "E": milliseconds(time_ns),
        "u": milliseconds(time_ns),
        "B": [{"a": asset, "f": text(balance.available), "l": text(balance.held)} for asset, balance in rows],
    }


def balance_update(entry: LedgerEntry) -> Report:
    """Money that came or went without an order."""
    return {
        "e": "balanceUpdate",
        "E": milliseconds(entry.time_ns),
        "a": entry.asset,
        "d": text(entry.amount - entry.fee),
        "T": milliseconds(entry.time_ns),
    }


def terminated(time_ns: int) -> Report:
    """The last word of a stream."""
    return {"e": "eventStreamTerminated", "E": milliseconds(time_ns)}


def _execution(event: Event) -> str:
    order = event.order
    if isinstance(event, Canceled) and status(order) != "CANCELED":
        return "TRADE_PREVENTION" if order.close_reason == CloseReason.SELF_TRADE.value else "EXPIRED"
    return EXECUTIONS[type(event)]


def _last_fill(trade: Trade | None) -> Report:
    last: Decimal = trade.quantity if trade is not None else ZERO
    return {
        "l": text(last),
        "L": text(trade.price if trade is not None else ZERO),
        "n": text(trade.fee) if trade is not None else "0",
        "N": commission_asset(trade) if trade is not None else None,
        "t": int(trade.trade_id) if trade is not None else NO_TRADE,
        "m": trade.maker if trade is not None else False,
        "Y": text(trade.cost if trade is not None else ZERO),
    }
