"""Why OKX refuses an order: the engine's reasons under the venue's codes."""

from __future__ import annotations

from paper_exchange.catalogue import Listing
from paper_exchange.matching import hold_asset
from paper_exchange.okx.replies import OrderRefused
from paper_exchange.orders import STOP_LOSS_KINDS, OrderKind, Refusal, RefusalCode, Side

CODES = {
    RefusalCode.INSUFFICIENT_FUNDS: "51008",
    RefusalCode.QUANTITY_BELOW_MINIMUM: "51020",
    RefusalCode.NOTIONAL_BELOW_MINIMUM: "51020",
    RefusalCode.LOT_SIZE: "51121",
    RefusalCode.UNKNOWN_SYMBOL: "51001",
    RefusalCode.MARKET_HALTED: "51022",
    RefusalCode.CANCEL_ONLY: "51022",
    RefusalCode.POST_ONLY_MODE: "51022",
    RefusalCode.LIMIT_ONLY_MODE: "51022",
    RefusalCode.DEADLINE_ELAPSED: "50037",
}
PLAIN = {
    RefusalCode.TICK_SIZE: ("51000", "Parameter px error"),
    RefusalCode.INVALID_PRICE: ("51000", "Parameter px error"),
    RefusalCode.INVALID_QUANTITY: ("51000", "Parameter sz error"),
    RefusalCode.INVALID_COMBINATION: ("51000", "Parameter ordType error"),
    RefusalCode.INVALID_EXPIRY: ("51000", "Parameter expTime error"),
    RefusalCode.TOO_MANY_OPEN_ORDERS: ("51025", "Order count exceeds the limit"),
    RefusalCode.NO_LIQUIDITY: ("51109", "There is no available depth in the order book"),
}
AMENDING = {
    RefusalCode.INSUFFICIENT_FUNDS: ("51502", "Order modification failed for insufficient margin or balance."),
    RefusalCode.POST_ONLY_WOULD_CROSS: (
        "51511",
        "Order modification failed as the order price did not meet the requirement for Post Only.",
    ),
}
WRONG_SIDE = {
    (Side.BUY, False): ("51277", "TP trigger price can not be higher than the last price"),
    (Side.BUY, True): ("51278", "SL trigger price can not be lower than the last price"),
    (Side.SELL, False): ("51279", "TP trigger price can not be lower than the last price"),
    (Side.SELL, True): ("51280", "SL trigger price can not be higher than the last price"),
}
"""A stop that would trigger at once, by side and whether it is to stop a loss."""


def refused(refusal: Refusal, side: Side, kind: OrderKind, listing: Listing) -> OrderRefused:
    """The engine's refusal of a new order, as OKX says it."""
    if refusal.code is RefusalCode.STOP_WOULD_TRIGGER:
        return OrderRefused(*WRONG_SIDE[side, kind in STOP_LOSS_KINDS])
    if refusal.code is RefusalCode.INSUFFICIENT_FUNDS:
        return OrderRefused("51008", f"Order failed. Insufficient {hold_asset(side, listing)} balance in account")
    return _plain(refusal)


def amendment_refused(refusal: Refusal) -> OrderRefused:
    found = AMENDING.get(refusal.code)
    return OrderRefused(*found) if found is not None else _plain(refusal)


def _plain(refusal: Refusal) -> OrderRefused:
    found = PLAIN.get(refusal.code)
    return OrderRefused(*found) if found is not None else OrderRefused(CODES[refusal.code])
