"""What a venue's own code means for the caller, whatever class ccxt would have made of it.

An order is believed not to exist only on a code whose meaning proves it. A code that no table lists proves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from bot.brokers.http_session import HttpReply
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

DEFAULT_RETRY_SECONDS = 5.0
EDGE_RETRY_SECONDS = 30.0
EDGE_REFUSALS = (403, 418, 429)


class Meaning(Enum):
    """All but the last two prove that an order was not taken."""

    REFUSED = "this order does not exist and will not"
    FUNDS = "refused because the account cannot pay for it"
    MARKET_CLOSED = "refused because the market takes no orders for now"
    TOO_MANY = "not processed: too many requests"
    TOO_MANY_ORDERS = "not processed: too many orders"
    LATE = "not processed: its own deadline had passed"
    CLOCK = "not processed: signed by a wrong time"
    KEY = "the key itself is refused"
    RIGHT = "the key lacks a right"
    DOWN = "the venue says that it is out of service"
    UNKNOWN = "proves nothing"


_ORDER_ERRORS: Mapping[Meaning, type[VenueError]] = MappingProxyType(
    {
        Meaning.REFUSED: OrderRefused,
        Meaning.FUNDS: InsufficientFunds,
        Meaning.MARKET_CLOSED: VenueInMaintenance,
        Meaning.TOO_MANY: RetryLater,
        Meaning.TOO_MANY_ORDERS: RetryLater,
        Meaning.LATE: RetryLater,
        Meaning.CLOCK: RetryLater,
        Meaning.KEY: CredentialsRejected,
        Meaning.RIGHT: CredentialsRejected,
    }
)
_READING_ERRORS: Mapping[Meaning, type[VenueError]] = MappingProxyType(
    {
        Meaning.TOO_MANY: RetryLater,
        Meaning.TOO_MANY_ORDERS: RetryLater,
        Meaning.CLOCK: RetryLater,
        Meaning.KEY: CredentialsRejected,
        Meaning.RIGHT: CredentialsRejected,
        Meaning.DOWN: VenueInMaintenance,
    }
)


@dataclass(frozen=True)
class Refusal:
    """The API's "no": its code, its words, what they mean, and what the operator is told besides."""

    code: str
    words: str
    meaning: Meaning
    advice: str = ""


def refusal_error(
    refusal: Refusal, *, where: str, changes_orders: bool, status: int = 200, retry_after_seconds: float | None = None
) -> VenueError:
    """With a status of 500 and above an order's fate is unknown, whatever the code says."""
    table = _ORDER_ERRORS if changes_orders else _READING_ERRORS
    otherwise: type[VenueError] = OutcomeUnknown if changes_orders else UnreadableReply
    kind = otherwise if changes_orders and status >= 500 else table.get(refusal.meaning, otherwise)
    text = f"{where}: {refusal.code} {refusal.words}".rstrip()[:300]
    if refusal.advice:
        text = f"{text}: {refusal.advice}"
    if issubclass(kind, RetryLater):
        seconds = DEFAULT_RETRY_SECONDS if retry_after_seconds is None else retry_after_seconds
        return kind(text, venue_code=refusal.code, retry_after_seconds=seconds)
    return kind(text, venue_code=refusal.code)


def page_error(reply: HttpReply, *, where: str, changes_orders: bool) -> VenueError:
    """The error for an answer that is not the API's own: it comes from something in front of it and proves nothing."""
    text = f"{where}: HTTP {reply.status}, and not in the API's form"
    if changes_orders:
        return OutcomeUnknown(text, venue_code=str(reply.status))
    if reply.status in EDGE_REFUSALS:
        wish = reply.retry_after_seconds
        return RetryLater(
            text, venue_code=str(reply.status), retry_after_seconds=EDGE_RETRY_SECONDS if wish is None else wish
        )
    return UnreadableReply(text, venue_code=str(reply.status))
