"""Kraken's answers: the envelope, its error texts, and numbers as text."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from paper_exchange.clock import NANOSECONDS_PER_SECOND, rfc3339
from paper_exchange.http import Reply
from paper_exchange.orders import RefusalCode


class KrakenError(Exception):
    """A refusal with Kraken's own text, such as ``EOrder:Insufficient funds``."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


INVALID_KEY = "EAPI:Invalid key"
INVALID_SIGNATURE = "EAPI:Invalid signature"
INVALID_NONCE = "EAPI:Invalid nonce"
RATE_LIMIT = "EAPI:Rate limit exceeded"
ORDER_RATE_LIMIT = "EOrder:Rate limit exceeded"
PERMISSION_DENIED = "EGeneral:Permission denied"
UNKNOWN_METHOD = "EGeneral:Unknown method"
UNKNOWN_PAIR = "EQuery:Unknown asset pair"
UNKNOWN_ASSET = "EQuery:Unknown asset"
UNKNOWN_ORDER = "EOrder:Unknown order"
INVALID_ORDER = "EOrder:Invalid order"
CL_ORD_ID_NOT_UNIQUE = "EGeneral:Invalid arguments:cl_ord_id not unique"

REFUSALS = {
    RefusalCode.INSUFFICIENT_FUNDS: "EOrder:Insufficient funds",
    RefusalCode.QUANTITY_BELOW_MINIMUM: "EGeneral:Invalid arguments:volume minimum not met",
    RefusalCode.NOTIONAL_BELOW_MINIMUM: "EOrder:Cost minimum not met",
    RefusalCode.TICK_SIZE: "EOrder:Tick size check failed",
    RefusalCode.LOT_SIZE: "EGeneral:Invalid arguments:volume",
    RefusalCode.POST_ONLY_WOULD_CROSS: "EOrder:Post only order",
    RefusalCode.STOP_WOULD_TRIGGER: "EOrder:Invalid price",
    RefusalCode.UNKNOWN_SYMBOL: UNKNOWN_PAIR,
    RefusalCode.MARKET_HALTED: "EService:Market in cancel_only mode",
    RefusalCode.CANCEL_ONLY: "EService:Market in cancel_only mode",
    RefusalCode.POST_ONLY_MODE: "EService:Market in post_only mode",
    RefusalCode.LIMIT_ONLY_MODE: "EService:Market in limit_only mode",
    RefusalCode.INVALID_PRICE: "EOrder:Invalid price",
    RefusalCode.INVALID_QUANTITY: "EGeneral:Invalid arguments:volume",
    RefusalCode.INVALID_EXPIRY: "EGeneral:Invalid arguments:expiretm",
    RefusalCode.INVALID_COMBINATION: "EGeneral:Invalid arguments:ordertype",
    RefusalCode.DEADLINE_ELAPSED: "EService:Deadline elapsed",
    RefusalCode.TOO_MANY_OPEN_ORDERS: "EOrder:Orders limit exceeded",
    RefusalCode.NO_LIQUIDITY: INVALID_ORDER,
}
"""The engine's refusals in Kraken's words. A refusal of the engine was never executed."""


def invalid_argument(field: str) -> KrakenError:
    return KrakenError(f"EGeneral:Invalid arguments:{field}")


def success(result: object) -> Reply:
    return Reply(msgspec.json.encode({"error": [], "result": result}))


def failure(text: str) -> Reply:
    return Reply(msgspec.json.encode({"error": [text]}), error=text)


def fixed(amount: Decimal, decimals: int) -> str:
    """Plain text with exactly ``decimals`` decimals."""
    return format(amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN), "f")


def seconds(time_ns: int) -> float:
    """Unix seconds with the 0.1 ms that Kraken shows."""
    return round(time_ns / NANOSECONDS_PER_SECOND, 4)


def milliseconds(time_ns: int) -> int:
    return time_ns // 1_000_000


def second_text(time_ns: int) -> str:
    """As in ``2026-01-01T00:00:00Z``."""
    return f"{rfc3339(time_ns)[:19]}Z"


def whole_seconds(time_ns: int) -> int:
    return time_ns // NANOSECONDS_PER_SECOND
