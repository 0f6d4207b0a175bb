"""API keys of Binance, the signature of a request, and the time in which it may still be served."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string

from paper_exchange.api_keys import Account
from paper_exchange.binance.amounts import NANOSECONDS_PER_MILLISECOND
from paper_exchange.binance.errors import (
    BAD_KEY_FORMAT,
    BAD_RECV_WINDOW,
    BAD_SIGNATURE,
    BAD_TIMESTAMP,
    REJECTED_KEY,
    BinanceError,
    illegal_characters,
    missing,
)
from paper_exchange.binance.parameters import SIGNATURE, WHOLE_RANGE, Parameters
from paper_exchange.brokerage import KeyPair

KEY_CHARACTERS = string.ascii_letters + string.digits
KEY_LENGTH = 64
KEY_FORMAT = re.compile(rf"[A-Za-z0-9]{{{KEY_LENGTH}}}", re.ASCII)
DEFAULT_WINDOW_MS = 5000
LARGEST_WINDOW_MS = 60_000
AHEAD_NS = 1000 * NANOSECONDS_PER_MILLISECOND
"""How far ahead of the exchange a timestamp may be, whatever the window."""
WINDOW = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?", re.ASCII)
WINDOW_RANGE = r"^[0-9]{1,5}(\.[0-9]{1,3})?$"
TIMESTAMP = re.compile(r"[0-9]{1,16}", re.ASCII)
LARGEST_MILLISECONDS = 10**15
"""A timestamp from here on is in microseconds."""


def new_key_pair() -> KeyPair:
    """A key and a secret of 64 letters and digits each, as Binance gives them."""
    key, secret = ("".join(secrets.choice(KEY_CHARACTERS) for _ in range(KEY_LENGTH)) for _ in range(2))
    return KeyPair(api_key=key, api_secret=secret)


def sign(secret: str, text: bytes) -> str:
    """HMAC-SHA256 in hex."""
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def check_signed(parameters: Parameters, api_key: str, account: Account | None) -> Account:
    """The account whose key signed these parameters; the case of a signature is no matter. Raises BinanceError."""
    if not KEY_FORMAT.fullmatch(api_key):
        raise BinanceError(BAD_KEY_FORMAT)
    if account is None:
        raise BinanceError(REJECTED_KEY)
    given = parameters.text(SIGNATURE)
    if given is None:
        raise missing(SIGNATURE)
    expected = sign(account.api_secret, parameters.signed_text)
    if not hmac.compare_digest(given.lower().encode(), expected.encode()):
        raise BinanceError(BAD_SIGNATURE)
    return account


def check_times(parameters: Parameters, now_ns: int) -> None:
    """The rule on arrival, and again right before the engine: neither too early nor older than its window.

    Raises BinanceError.
    """
    timestamp_ns, window_ns = _timestamp_ns(parameters), _window_ns(parameters)
    if timestamp_ns >= now_ns + AHEAD_NS:
        raise BinanceError(BAD_TIMESTAMP, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ns - timestamp_ns > window_ns:
        raise BinanceError(BAD_TIMESTAMP)


def _timestamp_ns(parameters: Parameters) -> int:
    given = parameters.text("timestamp")
    if given is None:
        raise missing("timestamp")
    if not TIMESTAMP.fullmatch(given):
        raise illegal_characters("timestamp", WHOLE_RANGE)
    return int(given) * (1000 if int(given) >= LARGEST_MILLISECONDS else NANOSECONDS_PER_MILLISECOND)


def _window_ns(parameters: Parameters) -> int:
    given = parameters.text("recvWindow")
    if given is None:
        return DEFAULT_WINDOW_MS * NANOSECONDS_PER_MILLISECOND
    if not WINDOW.fullmatch(given):
        raise illegal_characters("recvWindow", WINDOW_RANGE)
    whole, _, fraction = given.partition(".")
    microseconds = int(whole) * 1000 + int(fraction.ljust(3, "0"))
    if microseconds > LARGEST_WINDOW_MS * 1000:
        raise BinanceError(BAD_RECV_WINDOW)
    return microseconds * 1000
