"""Why Binance refuses an order: the engine's reasons under the venue's codes and messages."""

from __future__ import annotations

from paper_exchange.binance.errors import BAD_SYMBOL, NEW_ORDER_REJECTED, BinanceError, filter_failure
from paper_exchange.orders import NewOrder, Refusal, RefusalCode

CLOSED = "Market is closed."
WRONG_PHASE = "This order type is not possible in this trading phase."
FILTERS = {
    RefusalCode.QUANTITY_BELOW_MINIMUM: "LOT_SIZE",
    RefusalCode.NOTIONAL_BELOW_MINIMUM: "NOTIONAL",
    RefusalCode.TICK_SIZE: "PRICE_FILTER",
    RefusalCode.INVALID_PRICE: "PRICE_FILTER",
    RefusalCode.LOT_SIZE: "LOT_SIZE",
    RefusalCode.INVALID_QUANTITY: "LOT_SIZE",
    RefusalCode.TOO_MANY_OPEN_ORDERS: "MAX_NUM_ORDERS",
}
"""Refusals of a filter never reach the engine at the venue."""
REJECTIONS = {
    RefusalCode.INSUFFICIENT_FUNDS: "Account has insufficient balance for requested action.",
    RefusalCode.POST_ONLY_WOULD_CROSS: "Order would immediately match and take.",
    RefusalCode.STOP_WOULD_TRIGGER: "Order would trigger immediately.",
    RefusalCode.MARKET_HALTED: CLOSED,
    RefusalCode.CANCEL_ONLY: CLOSED,
    RefusalCode.POST_ONLY_MODE: WRONG_PHASE,
    RefusalCode.LIMIT_ONLY_MODE: WRONG_PHASE,
    RefusalCode.INVALID_COMBINATION: "Unsupported order combination.",
    RefusalCode.NO_LIQUIDITY: "No orders on book for symbol.",
}
DUPLICATE = "Duplicate order sent."


def problem_of(refusal: Refusal, new: NewOrder) -> BinanceError:
    """The venue's error for a refusal of the engine."""
    code = refusal.code
    if code is RefusalCode.UNKNOWN_SYMBOL:
        return BinanceError(BAD_SYMBOL)
    if code is RefusalCode.QUANTITY_BELOW_MINIMUM and new.quote_amount is not None:
        return filter_failure("NOTIONAL")  # The client gave no quantity that could be too small.
    if code in FILTERS:
        return filter_failure(FILTERS[code])
    return BinanceError(NEW_ORDER_REJECTED, REJECTIONS.get(code, refusal.detail))
