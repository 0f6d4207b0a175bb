"""Coinbase's refusals, classed by what the caller does next.

An order is refused with status 200 and `success: false`; only a reason of this list proves that it does not exist.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bot.brokers.http_session import HttpReply
from bot.brokers.replies import as_list, as_object, decode_json, optional_text
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
    VenueInMaintenance,
)

NO_REASON = frozenset({"", "UNKNOWN_FAILURE_REASON", "UNKNOWN_PREVIEW_FAILURE_REASON", "UNKNOWN"})
FUNDS = frozenset({"INSUFFICIENT_FUND", "INSUFFICIENT_FUNDS", "INVALID_LEDGER_BALANCE"})
CLOSED = frozenset({"ORDER_ENTRY_DISABLED"})
REFUSED = frozenset(
    {
        "UNSUPPORTED_ORDER_CONFIGURATION",
        "INVALID_SIDE",
        "INVALID_PRODUCT_ID",
        "INVALID_SIZE_PRECISION",
        "INVALID_PRICE_PRECISION",
        "INVALID_LIMIT_PRICE",
        "INVALID_LIMIT_PRICE_POST_ONLY",
        "INELIGIBLE_PAIR",
        "INVALID_NO_LIQUIDITY",
        "INVALID_REQUEST",
        "COMMANDER_REJECTED_NEW_ORDER",
        "INVALID_BASE_SIZE_TOO_SMALL",
        "INVALID_BASE_SIZE_TOO_LARGE",
        "INVALID_QUOTE_SIZE_TOO_SMALL",
        "INVALID_QUOTE_SIZE_TOO_LARGE",
        "INVALID_BASE_SIZE",
        "INVALID_QUOTE_SIZE",
        "INVALID_ORDER_CONFIG",
        "INVALID_END_TIME",
        "STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
        "STOP_PRICE_BELOW_LAST_TRADE_PRICE",
    }
)
# What is said to an order that was made by other rules of its market than the venue's present ones.
MARKET_RULES = frozenset(
    {
        "INVALID_SIZE_PRECISION",
        "INVALID_PRICE_PRECISION",
        "INVALID_LIMIT_PRICE",
        "INVALID_BASE_SIZE_TOO_SMALL",
        "INVALID_BASE_SIZE_TOO_LARGE",
        "INVALID_QUOTE_SIZE_TOO_SMALL",
        "INVALID_QUOTE_SIZE_TOO_LARGE",
        "INVALID_BASE_SIZE",
        "INVALID_QUOTE_SIZE",
    }
)
# The token, and so the key, whatever is asked with it. A right that it lacks is a 403 and concerns one path.
REFUSED_KEY = "401"
TOO_MANY = 429
GONE_ORDER = frozenset({"UNKNOWN_CANCEL_ORDER", "INVALID_CANCEL_REQUEST"})
BEING_CANCELLED = frozenset({"DUPLICATE_CANCEL_REQUEST"})
DEFAULT_RETRY_SECONDS = 5.0
EDGE_RETRY_SECONDS = 30.0

# What an order may be told in place of an answer and still be certain not to exist: status and the API's own code. A
# page of whatever stands in front of the API proves nothing, whatever its status.
ORDER_STATUSES: Mapping[tuple[int, str], type[VenueError]] = MappingProxyType(
    {
        (400, "INVALID_ARGUMENT"): OrderRefused,
        (401, "Unauthorized"): CredentialsRejected,
        (403, "PERMISSION_DENIED"): CredentialsRejected,
        (404, "NOT_FOUND"): OrderRefused,
        (429, "rate_limit_exceeded"): RetryLater,
    }
)


def refusal(reasons: Sequence[str], message: str, *, where: str) -> VenueError:
    """The error for `success: false`. An unlisted reason among them, or a duplicate id, proves nothing."""
    named = [reason.removeprefix("PREVIEW_") for reason in reasons if reason not in NO_REASON]
    code = named[0] if named else "UNKNOWN_FAILURE_REASON"
    text = f"{where}: {code} {message}".rstrip()[:300]
    if not named or any(reason not in FUNDS | REFUSED | CLOSED for reason in named):
        return OutcomeUnknown(text, venue_code=code)
    for known, kind in ((FUNDS, InsufficientFunds), (CLOSED, VenueInMaintenance)):
        if any(reason in known for reason in named):
            return kind(text, venue_code=code)
    return OrderRefused(text, venue_code=code)


def status_error(reply: HttpReply, *, where: str, order_sent: bool) -> VenueError:
    """The error for an HTTP status other than 2xx."""
    code, message = _words(reply)
    text = f"{where}: HTTP {reply.status} {message}".rstrip()[:300]
    kind = _order_error(reply.status, code) if order_sent else _reading_error(reply.status, code)
    if issubclass(kind, RetryLater):
        default = DEFAULT_RETRY_SECONDS if reply.status == TOO_MANY else EDGE_RETRY_SECONDS
        seconds = default if reply.retry_after_seconds is None else reply.retry_after_seconds
        return kind(text, venue_code=str(reply.status), retry_after_seconds=seconds)
    return kind(text, venue_code=str(reply.status) if reply.status == 401 else code or str(reply.status))


def _order_error(status: int, code: str) -> type[VenueError]:
    return ORDER_STATUSES.get((status, code), OutcomeUnknown)


def _reading_error(status: int, code: str) -> type[VenueError]:
    if status == 401 or (status == 403 and code):
        return CredentialsRejected
    return RetryLater if status in (403, 429) else UnreadableReply


def is_api_document(reply: HttpReply) -> bool:
    """Whether it is the API that speaks, with whatever status, and not something in front of it."""
    return bool(_words(reply)[0])


def _words(reply: HttpReply) -> tuple[str, str]:
    """The API's error code and words; both empty when the body is not the API's."""
    if reply.status == 401 and reply.body.strip() == b"Unauthorized":
        return "Unauthorized", "Unauthorized"  # plain text, and never why
    try:
        fields = as_object(decode_json(reply.body, where="error"), where="error")
        listed = fields.get("errors")
        first = as_object(as_list(listed, where="errors")[:1][0], where="errors") if listed else {}
    except UnreadableReply:
        return "", ""
    code = optional_text(fields, "error") or optional_text(first, "id") or ""
    message = optional_text(fields, "error_details") or optional_text(fields, "message") or ""
    return code, message or optional_text(first, "message") or ""
