"""Why Coinbase refuses an order: the engine's reasons under the venue's names."""

from __future__ import annotations

from paper_exchange.coinbase.replies import json_reply
from paper_exchange.http import Reply
from paper_exchange.orders import NewOrder, OrderKind, RefusalCode, Side

REASONS = {
    RefusalCode.INSUFFICIENT_FUNDS: "INSUFFICIENT_FUND",
    RefusalCode.QUANTITY_BELOW_MINIMUM: "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL",
    RefusalCode.NOTIONAL_BELOW_MINIMUM: "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL",
    RefusalCode.TICK_SIZE: "INVALID_PRICE_PRECISION",
    RefusalCode.LOT_SIZE: "INVALID_SIZE_PRECISION",
    RefusalCode.POST_ONLY_WOULD_CROSS: "INVALID_LIMIT_PRICE_POST_ONLY",
    RefusalCode.UNKNOWN_SYMBOL: "INVALID_PRODUCT_ID",
    RefusalCode.MARKET_HALTED: "ORDER_ENTRY_DISABLED",
    RefusalCode.CANCEL_ONLY: "ORDER_ENTRY_DISABLED",
    RefusalCode.POST_ONLY_MODE: "ORDER_ENTRY_DISABLED",
    RefusalCode.LIMIT_ONLY_MODE: "UNSUPPORTED_ORDER_CONFIGURATION",
    RefusalCode.INVALID_PRICE: "INVALID_LIMIT_PRICE",
    RefusalCode.INVALID_QUANTITY: "INVALID_REQUEST",
    RefusalCode.INVALID_EXPIRY: "INVALID_REQUEST",
    RefusalCode.INVALID_COMBINATION: "UNSUPPORTED_ORDER_CONFIGURATION",
    RefusalCode.DEADLINE_ELAPSED: "INVALID_REQUEST",
    RefusalCode.TOO_MANY_OPEN_ORDERS: "COMMANDER_REJECTED_NEW_ORDER",
    RefusalCode.NO_LIQUIDITY: "INVALID_NO_LIQUIDITY",
}
ORDER_REASONS = frozenset(
    {
        "INSUFFICIENT_FUND",
        "UNSUPPORTED_ORDER_CONFIGURATION",
        "INVALID_SIDE",
        "INVALID_PRODUCT_ID",
        "INVALID_SIZE_PRECISION",
        "INVALID_PRICE_PRECISION",
        "INVALID_LIMIT_PRICE",
        "INVALID_LIMIT_PRICE_POST_ONLY",
        "INVALID_LEDGER_BALANCE",
        "ORDER_ENTRY_DISABLED",
        "INELIGIBLE_PAIR",
        "INVALID_NO_LIQUIDITY",
        "INVALID_REQUEST",
        "COMMANDER_REJECTED_NEW_ORDER",
    }
)
"""Reasons that are the order's own. Those that only the preview knows carry its prefix and leave ``error`` unknown."""
MESSAGES = {"INSUFFICIENT_FUND": "Insufficient balance in source account"}
"""Where clients look for a certain wording."""


class OrderRefused(Exception):
    """The order is refused: ``reason`` is Coinbase's name for why, ``message`` a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


def reason_of(code: RefusalCode, new: NewOrder) -> str:
    """The venue's name for a refusal of the engine."""
    if code is RefusalCode.STOP_WOULD_TRIGGER:
        return stop_reason(new.side, new.kind)
    if code is RefusalCode.QUANTITY_BELOW_MINIMUM and new.quote_amount is not None:
        return REASONS[RefusalCode.NOTIONAL_BELOW_MINIMUM]  # The client gave no quantity that could be too small.
    return REASONS[code]


def stop_reason(side: Side, kind: OrderKind) -> str:
    """A stop on the wrong side of the last trade: one that waits for a fall lies above it, or the other way round."""
    waits_for_fall = (side is Side.SELL) == (kind is OrderKind.STOP_LOSS_LIMIT)
    return f"PREVIEW_STOP_PRICE_{'ABOVE' if waits_for_fall else 'BELOW'}_LAST_TRADE_PRICE"


def refusal_reply(reason: str, message: str, configuration: object) -> Reply:
    """A refused order: HTTP 200, ``success`` false, and the reason in up to three places."""
    plain = reason.removeprefix("PREVIEW_")
    error = {
        "error": plain if plain in ORDER_REASONS else "UNKNOWN_FAILURE_REASON",
        "message": MESSAGES.get(plain, message),
        "error_details": "",
        "preview_failure_reason": f"PREVIEW_{plain}",
        "new_order_failure_reason": plain if plain in ORDER_REASONS else "UNKNOWN_FAILURE_REASON",
    }
    body = {
        "success": False,
        "failure_reason": "UNKNOWN_FAILURE_REASON",
        "order_id": "",
        "error_response": error,
        "order_configuration": configuration,
    }
    return json_reply(body, error=plain)
