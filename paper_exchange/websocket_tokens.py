"""Tokens that open a private WebSocket: valid for a while, or for as long as a connection uses them."""

from __future__ import annotations

from paper_exchange.api_keys import Account
from paper_exchange.clock import NANOSECONDS_PER_SECOND

LIFETIME_SECONDS = 900


class WebSocketTokens:
    """Tokens given out and not yet expired. They don't outlive the process, as connections don't."""

    def __init__(self) -> None:
        self._issued: dict[str, tuple[Account, int]] = {}

    def issue(self, token: str, account: Account, now_ns: int) -> None:
        self._drop_expired(now_ns)
        self._issued[token] = (account, now_ns + LIFETIME_SECONDS * NANOSECONDS_PER_SECOND)

    def account(self, token: str, now_ns: int) -> Account | None:
        """Whose token this is; None if it was never given out or has expired."""
        account, expires_ns = self._issued.get(token, (None, 0))
        return account if expires_ns > now_ns else None

    def revoke(self, token: str) -> None:
        """The token opens nothing any more."""
        self._issued.pop(token, None)

    def _drop_expired(self, now_ns: int) -> None:
        """All live as long, so the oldest come first."""
        while self._issued:
            token, (_, expires_ns) = next(iter(self._issued.items()))
            if expires_ns > now_ns:
                return
            del self._issued[token]
