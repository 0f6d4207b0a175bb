"""coinbase-advanced-py with our session and tokens: bounded, strict about JSON, by the venue's time."""

import json
import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

from coinbase.constants import USER_AGENT
from coinbase.rest import RESTClient

from bot.brokers.coinbase.tokens import TOKEN_SECONDS, PrivateKey, SecretCannotSign, private_key, request_token
from bot.brokers.http_session import MAX_BODY_BYTES, MEBIBYTE, HttpReply, VenueSession
from bot.brokers.kept_http import WrittenRequest
from bot.brokers.venue_clock import VenueClock
from bot.seams.ids import IdSource, SystemIds

MAX_LIST_BYTES = 8 * MEBIBYTE  # the list of products is one long page
LARGE_LISTS = ("/products",)


class CoinbaseClient(RESTClient):  # type: ignore[misc]
    """Returns raw answers. One object per account, one thread at a time.

    The library's own way to the wire has no deadline, forces https, parses to floats and logs bodies.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        api_secret: str,
        session: VenueSession,
        venue_clock: VenueClock,
        ids: IdSource | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        super().__init__(api_key=api_key, api_secret=api_secret, base_url=parts.netloc)
        logging.getLogger("coinbase.RESTClient").setLevel(logging.CRITICAL)
        self.session.close()
        self.session: VenueSession = session
        self._scheme = parts.scheme
        self._venue_clock = venue_clock
        self._ids = ids or SystemIds()
        self._token_seconds = TOKEN_SECONDS
        self._key: PrivateKey | None = None

    def signed(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None,
        body: Mapping[str, object] | None,
        *,
        token_seconds: float = TOKEN_SECONDS,
    ) -> HttpReply:
        """One request, once. Raises `SecretCannotSign`, `RequestNotSent` or `ReplyLost`; every status is returned."""
        self._token_seconds = min(token_seconds, TOKEN_SECONDS)
        reply: HttpReply = self.prepare_and_send_request(
            method, path, None if params is None else dict(params), None if body is None else dict(body)
        )
        return reply

    def unsigned(
        self, path: str, params: Mapping[str, str] | None = None, *, call_seconds: float | None = None
    ) -> HttpReply:
        """One public reading: what must be known before anything can be signed, or within a time of its own."""
        url = f"{self._scheme}://{self.base_url}{path}"
        return self.session.exchange("GET", url, params=params, call_seconds=call_seconds)

    def set_headers(self, method: str, path: str) -> dict[str, str]:
        """The signed headers. Raises `SecretCannotSign`."""
        return self._headers(method, path, self.api_secret, self._token_seconds)

    def written(self, method: str, path: str, body: Mapping[str, object], *, token_seconds: float) -> WrittenRequest:
        """The request that `signed` would send now; any thread may ask. Raises `SecretCannotSign`."""
        if self._key is None:
            try:
                self._key = private_key(self.api_secret)  # to read it takes as long as to sign with it
            except Exception:  # noqa: BLE001 - many kinds, and their words are about the secret
                raise SecretCannotSign from None
        return WrittenRequest(
            verb=method,
            url=f"{self._scheme}://{self.base_url}{path}",
            headers=self._headers(method, path, self._key, min(token_seconds, TOKEN_SECONDS)),
            body=json.dumps(body).encode(),
        )

    def _headers(self, method: str, path: str, secret: str | PrivateKey, seconds: float) -> dict[str, str]:
        token = request_token(
            f"{method} {self.base_url}{path}",
            key_name=self.api_key,
            secret=secret,
            valid_from=self._venue_clock.now(),
            seconds=seconds,
            ids=self._ids,
        )
        return {"User-Agent": USER_AGENT, "Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def send_request(
        self,
        http_method: str,
        url_path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        data: Mapping[str, object] | None = None,
    ) -> HttpReply:
        """The library's way to the wire, replaced."""
        return self.session.exchange(
            http_method,
            f"{self._scheme}://{self.base_url}{url_path}",
            params=params,
            json=data or {},
            headers=headers,
            max_body_bytes=MAX_LIST_BYTES if url_path.endswith(LARGE_LISTS) else MAX_BODY_BYTES,
        )
