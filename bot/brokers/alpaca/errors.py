"""Alpaca's refusals, classed by what the caller does next.

An order does not exist only on the API's own word with one of the statuses of `DEFINITE`; anything else after sending
leaves it unknown. One message of a 422 says the opposite: that an order with this id exists.
"""

import re
from dataclasses import dataclass

from bot.brokers.http_session import HttpReply
from bot.brokers.replies import as_object, decode_json, optional_text
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    MarketClosed,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
)

DEFINITE = frozenset({400, 401, 403, 422})
TOO_MANY = 429
UNAUTHORIZED = 401
FORBIDDEN = 403
NOT_FOUND = 404
NOT_CANCELABLE = 422
# The key itself was refused, whatever was asked with it.
REFUSED_KEY = "401"
# A body that is not signed with a code, and that the venue gives to a key it does not know.
UNKNOWN_KEY_WORDS = "forbidden."
DUPLICATE_ID = "duplicate_client_order_id"
DAY_TRADE = "day_trade_protection"
WASH_TRADE = "wash_trade"
# What is said to an order that was made by other rules of its market than the venue's present ones.
MARKET_RULES = frozenset({"42210000"})
DEFAULT_RETRY_SECONDS = 5.0
EDGE_RETRY_SECONDS = 30.0

_DUPLICATE = re.compile(r"client[_ ]order[_ ]id must be unique", re.IGNORECASE)
_FUNDS = re.compile(r"insufficient (buying power|qty|quantity|balance|day ?trading buying power)", re.IGNORECASE)
_DAY_TRADE = re.compile(
    r"pattern day trad|day[- ]?trad(e|ing) (protection|rule|restriction)|trade denied", re.IGNORECASE
)
_WASH_TRADE = re.compile(r"wash trade|opposite side", re.IGNORECASE)
_CLOSED = re.compile(r"market (is )?closed|outside (of )?(regular )?market hours|market hours", re.IGNORECASE)


@dataclass(frozen=True)
class ApiWords:
    """What the API itself said: its number and sentence. Both empty = it was not the API that spoke."""

    code: str = ""
    message: str = ""

    @property
    def from_api(self) -> bool:
        return bool(self.code)


def words_of(reply: HttpReply) -> ApiWords:
    """The error document of an answer that is none of the 2xx."""
    try:
        fields = as_object(decode_json(reply.body, where="error"), where="error")
    except UnreadableReply:
        return ApiWords()
    code, message = fields.get("code"), optional_text(fields, "message") or ""
    if isinstance(code, int) and not isinstance(code, bool) and code >= 40_000_000:
        return ApiWords(str(code), message)
    if reply.status in (UNAUTHORIZED, FORBIDDEN) and message == UNKNOWN_KEY_WORDS:
        return ApiWords(REFUSED_KEY, message)
    return ApiWords()


def order_error(reply: HttpReply, *, where: str) -> VenueError:
    """The error for an order or a cancel that was answered with a status other than 2xx."""
    words = words_of(reply)
    text = _text(reply, words, where)
    if reply.status == TOO_MANY and words.from_api:
        return _later(reply, text, DEFAULT_RETRY_SECONDS)
    if reply.status not in DEFINITE or not words.from_api:
        return OutcomeUnknown(text, venue_code=words.code or str(reply.status))
    if _is_key_refused(reply, words):
        return CredentialsRejected(text, venue_code=REFUSED_KEY)
    if _DUPLICATE.search(words.message):
        return OutcomeUnknown(f"{text}: an order with this id exists", venue_code=DUPLICATE_ID)
    return _refusal(words, text)


def _refusal(words: ApiWords, text: str) -> VenueError:
    if _FUNDS.search(words.message):
        return InsufficientFunds(text, venue_code=words.code)
    if _CLOSED.search(words.message):
        return MarketClosed(text)
    for pattern, name in ((_DAY_TRADE, DAY_TRADE), (_WASH_TRADE, WASH_TRADE)):
        if pattern.search(words.message):
            return OrderRefused(text, venue_code=name)
    return OrderRefused(text, venue_code=words.code)


def reading_error(reply: HttpReply, *, where: str, market_data: bool = False) -> VenueError:
    """The error for a reading that was answered with a status other than 2xx.

    A "no" of the market data host is about what the account has subscribed to, and makes that reading fail alone.
    """
    words = words_of(reply)
    text = _text(reply, words, where)
    if reply.status == FORBIDDEN and words.code.startswith("403") and not market_data:
        return CredentialsRejected(text, venue_code=words.code)
    if _is_key_refused(reply, words) or reply.status == UNAUTHORIZED:
        return CredentialsRejected(text, venue_code=REFUSED_KEY)
    if reply.status == TOO_MANY:
        return _later(reply, text, DEFAULT_RETRY_SECONDS)
    if reply.status == FORBIDDEN and not words.from_api:
        return _later(reply, text, EDGE_RETRY_SECONDS)
    return UnreadableReply(text, venue_code=words.code or str(reply.status))


def is_not_found(error: VenueError) -> bool:
    """Whether the API said that there is no such thing; a 404 of something in front of it is no such word."""
    return error.venue_code.startswith("404") and len(error.venue_code) == 8


def _is_key_refused(reply: HttpReply, words: ApiWords) -> bool:
    return words.code == REFUSED_KEY or (reply.status == UNAUTHORIZED and words.from_api)


def _later(reply: HttpReply, text: str, default: float) -> RetryLater:
    seconds = default if reply.retry_after_seconds is None else reply.retry_after_seconds
    return RetryLater(text, venue_code=str(reply.status), retry_after_seconds=seconds)


def _text(reply: HttpReply, words: ApiWords, where: str) -> str:
    return f"{where}: HTTP {reply.status} {words.code} {words.message}".rstrip()[:300]
