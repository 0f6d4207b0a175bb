"""What ccxt's error classes mean for the caller. Its classes are all there is: the codes behind them are unknown here.

An order is taken for refused only on three families of classes, and only when an answer of the exchange below HTTP 500
has raised them. After sending, everything else leaves its outcome unknown: a wrong class would cost a second order.
"""

import re

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

ORDER_NOT_FOUND = "OrderNotFound"
# Of the refusing families, and yet no proof that this order does not exist.
NO_PROOF = frozenset({"DuplicateOrderId", ORDER_NOT_FOUND, "OrderNotCached"})
REFUSING = frozenset({"InvalidOrder", "BadRequest"})
# Many duplicates are plain invalid orders to ccxt, and one says that the order exists.
OF_A_DUPLICATE = re.compile(r"duplicate|already|exists|not unique|repeat", re.IGNORECASE)
# The key itself is refused; a missing right is not among them.
KEY = frozenset({"AuthenticationError", "AccountSuspended"})
DEFAULT_RETRY_SECONDS = 5.0
MAX_WORDS = 300


def families_of(error: Exception) -> frozenset[str]:
    """The names of the error's class and of all above it. ccxt is not imported for this."""
    return frozenset(kind.__name__ for kind in type(error).__mro__)


def is_of_ccxt(error: Exception) -> bool:
    return type(error).__module__.startswith("ccxt.")


def order_error(error: Exception, *, where: str, sent: bool, status: int) -> VenueError:
    """What became of an order. Not `sent` = ccxt itself would not make a request of it."""
    code, families = type(error).__name__, families_of(error)
    text = f"{where}: {code} {_words(error)}"
    if not sent:
        return OrderRefused(f"not sent: {text}", venue_code=code)
    if status >= 500 or families & NO_PROOF or OF_A_DUPLICATE.search(text):
        return OutcomeUnknown(text, venue_code=code)
    if "InsufficientFunds" in families:
        return InsufficientFunds(text, venue_code=code)
    return (OrderRefused if families & REFUSING else OutcomeUnknown)(text, venue_code=code)


def reading_error(error: Exception, *, where: str, retry_after_seconds: float | None = None) -> VenueError:
    """Why a reading failed."""
    code, families = type(error).__name__, families_of(error)
    text = f"{where}: {code} {_words(error)}"
    if "AuthenticationError" in families:
        return CredentialsRejected(text, venue_code=code)
    if "OnMaintenance" in families:
        return VenueInMaintenance(text, venue_code=code, retry_after_seconds=_wish(retry_after_seconds))
    if families & {"RateLimitExceeded", "DDoSProtection", "InvalidNonce"}:
        return RetryLater(text, venue_code=code, retry_after_seconds=_wish(retry_after_seconds))
    return UnreadableReply(text, venue_code=code)


def cancel_error(error: Exception, *, where: str, sent: bool) -> VenueError:
    """A refused cancel says nothing of the order, unless it says that there is none."""
    code = type(error).__name__
    if not sent:
        return RetryLater(f"not sent: {where}: {code} {_words(error)}", venue_code=code)
    found = ORDER_NOT_FOUND if ORDER_NOT_FOUND in families_of(error) else code
    return OutcomeUnknown(f"{where}: {code} {_words(error)}", venue_code=found)


def _wish(seconds: float | None) -> float:
    return DEFAULT_RETRY_SECONDS if seconds is None else seconds


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:MAX_WORDS]
