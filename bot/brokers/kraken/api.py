"""krakenex with our nonces, our session and a deadline on every call."""

from collections.abc import Mapping

import krakenex

from bot.brokers.http_session import MAX_BODY_BYTES, MEBIBYTE, HttpReply, VenueSession
from bot.brokers.kraken.nonce import NonceSource

# The list of ~1,500 pairs is the one answer that is larger than an ordinary one may be.
MAX_LIST_BYTES = 8 * MEBIBYTE
LARGE_METHODS = ("AssetPairs", "Assets", "Ticker")


class SecretCannotSign(Exception):
    """The API secret is no key; nothing was sent."""


class KrakenApi(krakenex.API):  # type: ignore[misc]
    """Signs as krakenex does and returns the raw answer. One object per account, one thread at a time."""

    def __init__(
        self, *, base_url: str, api_key: str, api_secret: str, session: VenueSession, nonces: NonceSource
    ) -> None:
        super().__init__(api_key, api_secret)
        self.session.close()
        self.session: VenueSession = session
        self.uri = base_url.rstrip("/")
        self._nonces = nonces

    def public(self, method: str, fields: Mapping[str, str], *, call_seconds: float) -> HttpReply:
        """One GET. Raises `RequestNotSent` or `ReplyLost`."""
        reply: HttpReply = self.query_public(method, dict(fields), timeout=call_seconds)
        return reply

    def private(self, method: str, fields: Mapping[str, str], *, call_seconds: float) -> HttpReply:
        """One signed POST. Raises what `NonceSource.next` raises, `SecretCannotSign`, `RequestNotSent`, `ReplyLost`."""
        if not self.key or not self.secret:
            raise SecretCannotSign
        # A fresh dict: krakenex adds the nonce to the one it is given.
        reply: HttpReply = self.query_private(method, dict(fields), timeout=call_seconds)
        return reply

    def _sign(self, data: Mapping[str, str | int], urlpath: str) -> str:
        try:
            return str(super()._sign(data, urlpath))
        except ValueError:
            raise SecretCannotSign from None  # its words are about the secret

    def _nonce(self) -> int:
        return self._nonces.next()

    def _query(
        self,
        urlpath: str,
        data: Mapping[str, str | int],
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> HttpReply:
        """krakenex's way to the wire, replaced: it would follow redirects, read without limit and parse to floats."""
        if timeout is None:
            raise ValueError("every call needs a deadline")
        url = f"{self.uri}{urlpath}"
        if "/public/" in urlpath:
            limit = MAX_LIST_BYTES if urlpath.endswith(LARGE_METHODS) else MAX_BODY_BYTES
            return self.session.exchange("GET", url, params=data, call_seconds=timeout, max_body_bytes=limit)
        return self.session.exchange("POST", url, data=data, headers=headers, call_seconds=timeout)
