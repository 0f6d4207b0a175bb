"""Kraken's error texts, classed by what the caller does next. One table, read in two ways.

A reading that failed leaves a value unknown. An order is only ever "refused" or "not processed" on a text of this list:
everything else, also a text nobody has seen before or a new one of a known family, leaves its outcome unknown. The
texts and their classes are those of Kraken's API documentation; after `EService:Busy` and its like orders have been
seen to appear all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

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

LOCKOUT_SECONDS = 900.0
INVALID_NONCE = "EAPI:Invalid nonce"
TEMPORARY_LOCKOUT = "EGeneral:Temporary lockout"
# Said to the address, whichever key it used.
TOO_MANY_REQUESTS = "EGeneral:Too many requests"
TOO_MANY = 429
# The venue, and not an order or a market of it, does not work.
OUT_OF_SERVICE = ("EService:Unavailable", "EService:Busy", "EService:Timeout", "EGeneral:Internal error")
THROTTLED = "EService:Throttled"
DEADLINES = ("EService:Deadline elapsed", "EGeneral:Invalid arguments:deadline")
# The key itself, whatever it is used for. "Permission denied" and the trading locks are not among them: with a right
# missing for one method, or one market closed to this account, the rest goes on.
REFUSED_KEY = (
    "EAPI:Invalid key",
    "EAPI:Invalid signature",
    "EAuth:Account temporary disabled",
    "EAuth:Account unconfirmed",
    "EAuth:Failed",
)
# An order that was made by other rules of its market than the venue's present ones is refused with one of these.
MARKET_RULES = (
    "EGeneral:Invalid arguments:volume",
    "EGeneral:Invalid arguments:price",
    "EOrder:Order minimum not met",
    "EOrder:Cost minimum not met",
    "EOrder:Tick size check failed",
    "EOrder:Invalid price",
)
INVALID_SESSION = "ESession:Invalid session"
GONE_ORDER = ("EOrder:Unknown order", "EOrder:Invalid order")


@dataclass(frozen=True)
class Meaning:
    """What a text means after a reading, and after an order was sent."""

    reading: type[VenueError]
    order: type[VenueError]
    retry_after_seconds: float = 1.0


_NOT_PROCESSED = Meaning(RetryLater, RetryLater)
_RATE_LIMITED = Meaning(RetryLater, RetryLater, 5.0)
_KEY = Meaning(CredentialsRejected, CredentialsRejected)
_REFUSED = Meaning(UnreadableReply, OrderRefused)
_FUNDS = Meaning(UnreadableReply, InsufficientFunds)
_CLOSED = Meaning(VenueInMaintenance, VenueInMaintenance, 30.0)
_BUSY = Meaning(RetryLater, OutcomeUnknown, 2.0)
_DOUBTFUL = Meaning(UnreadableReply, OutcomeUnknown)

# The longest text that begins an error decides, so that a detail can change the meaning. Whole words only: a detail
# follows after a colon, and what goes on in any other way is another text.
MEANINGS: dict[str, Meaning] = {
    "EAPI:Invalid key": _KEY,
    "EAPI:Invalid signature": _KEY,
    INVALID_NONCE: _NOT_PROCESSED,
    "EAPI:Rate limit exceeded": _RATE_LIMITED,
    "EAPI:Bad request": _REFUSED,
    "EAPI:Feature disabled": _REFUSED,
    "EGeneral:Invalid arguments": _REFUSED,
    "EGeneral:Invalid arguments:cl_ord_id": _REFUSED,
    # Our clock and theirs disagree; with the time measured anew the same order is a good one.
    "EGeneral:Invalid arguments:deadline": _NOT_PROCESSED,
    # Our own id is already on an open order: an earlier copy of this very order lives.
    "EGeneral:Invalid arguments:cl_ord_id not unique": _DOUBTFUL,
    "EGeneral:Permission denied": _KEY,
    "EGeneral:Unknown method": _REFUSED,
    TEMPORARY_LOCKOUT: Meaning(RetryLater, RetryLater, LOCKOUT_SECONDS),
    TOO_MANY_REQUESTS: _RATE_LIMITED,
    "EGeneral:Internal error": _DOUBTFUL,
    "EDatabase:Internal error": _DOUBTFUL,
    "EService:Unavailable": _BUSY,
    "EService:Busy": _BUSY,
    "EService:Timeout": _BUSY,
    THROTTLED: _RATE_LIMITED,
    "EService:Market in cancel_only mode": _CLOSED,
    "EService:Market in post_only mode": _CLOSED,
    "EService:Market in limit_only mode": _CLOSED,
    "EService:Deadline elapsed": _NOT_PROCESSED,
    "EQuery:Unknown asset pair": _REFUSED,
    "EQuery:Invalid asset pair": _REFUSED,
    "EQuery:Unknown asset": _REFUSED,
    "EOrder:Order minimum not met": _REFUSED,
    "EOrder:Cost minimum not met": _REFUSED,
    "EOrder:Tick size check failed": _REFUSED,
    "EOrder:Invalid price": _REFUSED,
    "EOrder:Invalid order": _REFUSED,
    "EOrder:Unknown position": _REFUSED,
    "EOrder:Positions limit exceeded": _REFUSED,
    "EOrder:Scheduled orders limit exceeded": _REFUSED,
    "EOrder:Cannot open position": _REFUSED,
    "EOrder:Cannot open opposing position": _REFUSED,
    "EOrder:Margin allowance exceeded": _REFUSED,
    "EOrder:Margin level too low": _REFUSED,
    "EOrder:Margin position size exceeded": _REFUSED,
    "EOrder:Reduce only": _REFUSED,
    "EOrder:Post only order": _REFUSED,
    "EOrder:Insufficient funds": _FUNDS,
    "EOrder:Insufficient margin": _FUNDS,
    "EOrder:Insufficient initial margin": _FUNDS,
    "EOrder:Unknown order": _DOUBTFUL,
    "EOrder:Cancel pending": _DOUBTFUL,
    "EOrder:Orders limit exceeded": Meaning(RetryLater, RetryLater, 10.0),
    "EOrder:Rate limit exceeded": Meaning(RetryLater, RetryLater, 10.0),
    "EOrder:Domain rate limit exceeded": Meaning(RetryLater, RetryLater, 10.0),
    "EAccount:Invalid permissions": _KEY,
    "EAuth:Account temporary disabled": _KEY,
    "EAuth:Account unconfirmed": _KEY,
    "EAuth:Failed": _KEY,
    "EAuth:Rate limit exceeded": _RATE_LIMITED,
    "EAuth:Too many requests": _RATE_LIMITED,
    "ETrade:Invalid request": _REFUSED,
    "ETrade:Locked": _KEY,
    "ETrade:User Locked": _KEY,
    "EBM:limit exceeded:CAL": _REFUSED,
    # The WebSocket's token is no longer good: what came with it was not looked at.
    INVALID_SESSION: _NOT_PROCESSED,
}
_BY_LENGTH = sorted(MEANINGS, key=len, reverse=True)


def meaning_of(text: str) -> Meaning:
    """The class of one error text; an unlisted one proves nothing."""
    normal = normal_text(text)
    known = next((known for known in _BY_LENGTH if normal.startswith(known)), None)
    if known is None or normal[len(known) : len(known) + 1] not in ("", ":"):
        return _DOUBTFUL
    return MEANINGS[known]


def normal_text(text: str) -> str:
    """Some texts have a space after their first colon."""
    return text.replace(": ", ":", 1)


def throttled_seconds(text: str, now: datetime) -> float | None:
    """How long Kraken wants to be left alone by a key it throttles; None for any other text.

    It names the end as unix time. Without a sensible one the usual pause counts.
    """
    if not text.startswith(THROTTLED):
        return None
    told = text[len(THROTTLED) :].strip(": ")
    ends = float(told) if told.isascii() and told.isdigit() and len(told) <= 11 else 0.0
    return max(_RATE_LIMITED.retry_after_seconds, ends - now.timestamp())


def error_of(texts: Sequence[str], *, where: str, order_sent: bool) -> VenueError:
    """The error to raise for an answer's error list. Of several texts the one that leaves most open counts."""
    kinds = [(meaning_of(text), text) for text in texts]
    doubtful = [pair for pair in kinds if pair[0].order is OutcomeUnknown]
    meaning, text = (doubtful or kinds)[0]
    kind = meaning.order if order_sent else meaning.reading
    message = f"{where}: {text[:200]}"
    if issubclass(kind, RetryLater):
        return kind(message, venue_code=text, retry_after_seconds=meaning.retry_after_seconds)
    return kind(message, venue_code=text)
