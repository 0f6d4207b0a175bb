"""Who logs in on a socket: key, passphrase, a time in seconds, and a signature over ``GET /users/self/verify``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paper_exchange.api_keys import Account
from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.okx.query import plain_decimal
from paper_exchange.okx.signature import signature_is_valid
from paper_exchange.okx.ws.messages import SocketRefused

SIGNED = "GET/users/self/verify"
CLOCK_WINDOW_SECONDS = 30


def account_of(fields: Mapping[str, object], by_key: Callable[[str], Account | None], now_ns: int) -> Account:
    """The account that the login proves. Raises SocketRefused."""
    key, passphrase, timestamp, sign = (
        str(fields.get(name) or "") for name in ("apiKey", "passphrase", "timestamp", "sign")
    )
    account = by_key(key)
    if account is None:
        raise SocketRefused("60005")
    seconds = plain_decimal(timestamp)
    if seconds is None:
        raise SocketRefused("60004")
    if abs(now_ns // NANOSECONDS_PER_SECOND - seconds) > CLOCK_WINDOW_SECONDS:
        raise SocketRefused("60006")
    if passphrase != account.passphrase:
        raise SocketRefused("60024")
    if not signature_is_valid(account.api_secret, (timestamp + SIGNED).encode(), sign):
        raise SocketRefused("60007")
    return account
