"""coinbase-advanced-py with our session: bounded, strict about JSON, and able to speak plain HTTP to this machine."""

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from coinbase.rest import RESTClient

from bot.brokers.http_session import MEBIBYTE, HttpReply, VenueSession

# How long the library makes a request's token good for; the venue takes no request whose token has run out.
TOKEN_SECONDS = 120.0
MAX_BODY_BYTES = 8 * MEBIBYTE  # the list of products is one long page


class SecretCannotSign(Exception):
    """The API secret is no key; nothing was sent."""


class CoinbaseClient(RESTClient):  # type: ignore[misc]
    """Signs as the library does; returns raw answers. One object per account, one thread at a time.

    The library's own way to the wire has no deadline, forces https, parses to floats and logs bodies.
    """

    def __init__(self, *, base_url: str, api_key: str, api_secret: str, session: VenueSession) -> None:
        parts = urlsplit(base_url)
        super().__init__(api_key=api_key, api_secret=api_secret, base_url=parts.netloc)
        logging.getLogger("coinbase.RESTClient").setLevel(logging.CRITICAL)
        self.session.close()
        self.session: VenueSession = session
        self._scheme = parts.scheme

    def set_headers(self, method: str, path: str) -> dict[str, str]:
        """The signed headers. Raises `SecretCannotSign`."""
        try:
            headers: dict[str, str] = super().set_headers(method, path)
        except Exception:  # noqa: BLE001 - see below
            # For a key it can't load the library raises a bare `Exception`, and the signing parts under it many kinds.
            # None of their words are passed on: they are about the secret.
            raise SecretCannotSign from None
        return headers

    def send_request(
        self,
        http_method: str,
        url_path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        data: Mapping[str, object] | None = None,
    ) -> HttpReply:
        """One request. Raises `RequestNotSent` or `ReplyLost`; every status is returned."""
        return self.session.exchange(
            http_method,
            f"{self._scheme}://{self.base_url}{url_path}",
            params=params,
            json=data or {},
            headers=headers,
            max_body_bytes=MAX_BODY_BYTES,
        )
