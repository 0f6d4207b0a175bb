"""Coinbase's refusals, classed by what the caller does next.

An order is refused with status 200 and `success: false`; only a reason of this list proves that it does not exist.
"""

from bot.brokers.http_session import HttpReply
from bot.brokers.replies import as_object, decode_json, optional_text
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
        "INVALID_CANCEL_REQUEST",
        "INVALID_ORDER_CONFIG",
        "INVALID_END_TIME",
        "STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
        "STOP_PRICE_BELOW_LAST_TRADE_PRICE",
    }
)
GONE_ORDER = frozenset({"UNKNOWN_CANCEL_ORDER", "INVALID_CANCEL_REQUEST", "DUPLICATE_CANCEL_REQUEST"})
DEFAULT_RETRY_SECONDS = 5.0


def refusal(reasons: list[str], message: str, *, where: str) -> VenueError:
    """The error for `success: false`. An unlisted reason, or a duplicate id, proves nothing."""
    named = [reason.removeprefix("PREVIEW_") for reason in reasons if reason not in NO_REASON]
    code = named[0] if named else "UNKNOWN_FAILURE_REASON"
    text = f"{where}: {code} {message}".rstrip()[:300]
    for known, kind in ((FUNDS, InsufficientFunds), (REFUSED, OrderRefused), (CLOSED, VenueInMaintenance)):
        if any(reason in known for reason in named):
            return kind(text, venue_code=code)
    return OutcomeUnknown(text, venue_code=code)


def status_error(reply: HttpReply, *, where: str, order_sent: bool) -> VenueError:
    """The error for an HTTP status other than 2xx."""
    code, message = _words(reply)
    text = f"{where}: HTTP {reply.status} {message}".rstrip()[:300]
    if reply.status == 429:
        seconds = reply.retry_after_seconds or DEFAULT_RETRY_SECONDS
        return RetryLater(text, venue_code="429", retry_after_seconds=seconds)
    if reply.status == 401 or (reply.status == 403 and code):
        return CredentialsRejected(text, venue_code=code or str(reply.status))
    if order_sent:
        # 400 and 404 in the API's own words are refusals; a page of the edge in front of it proves nothing.
        refused = reply.status in (400, 404) and code
        return (OrderRefused if refused else OutcomeUnknown)(text, venue_code=code or str(reply.status))
    if reply.status == 403:
        return RetryLater(text, venue_code="403", retry_after_seconds=reply.retry_after_seconds or 30.0)
    return UnreadableReply(text, venue_code=code or str(reply.status))


def _words(reply: HttpReply) -> tuple[str, str]:
    """The API's error code and words; both empty when the body is not its JSON."""
    try:
        fields = as_object(decode_json(reply.body, where="error"), where="error")
    except UnreadableReply:
        return "", ""
    message = optional_text(fields, "error_details") or optional_text(fields, "message") or ""
    return optional_text(fields, "error") or "", message
