"""alpaca-py's plain REST client with our session: bounded, sent once, nothing parsed. Imported by the first account.

Its typed clients send floats, load pandas and, like this one before it is told not to, send an order again after a 504.
"""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from alpaca.common.rest import RESTClient

from bot.brokers.http_session import MAX_BODY_BYTES, MEBIBYTE, HttpReply, VenueSession
from bot.brokers.kept_http import WrittenRequest

# All US stocks come in one answer of about 600 bytes each.
MAX_LIST_BYTES = 24 * MEBIBYTE
LARGE_LISTS = ("/assets",)
# What takes long is the way of its megabytes, not the venue's silence, which is bounded as for any answer.
LARGE_LIST_SECONDS = 30.0


class AlpacaClient(RESTClient):
    """Returns raw answers. One object per account, one thread at a time."""

    def __init__(self, *, base_url: str, data_url: str, api_key: str, api_secret: str, session: VenueSession) -> None:
        super().__init__(base_url.rstrip("/"), api_key=api_key, secret_key=api_secret, raw_data=True)
        self._session.close()
        self._session = session
        self._retry_codes = []
        self._trading_url = base_url.rstrip("/")
        self._data_url = data_url.rstrip("/")

    def exchange(
        self,
        method: str,
        path: str,
        data: Mapping[str, str] | None,
        *,
        market_data: bool = False,
    ) -> HttpReply:
        """One request, once. `data` is the query of a reading and the body of an order.

        Raises `RequestNotSent` or `ReplyLost`; every status is returned.
        """
        base_url = self._data_url if market_data else self._trading_url
        reply = self._request(method, path, None if data is None else dict(data), base_url=base_url)
        assert isinstance(reply, HttpReply)
        return reply

    def written(self, method: str, path: str, body: Mapping[str, str]) -> WrittenRequest:
        """The request that `exchange` would send; any thread may ask."""
        return WrittenRequest(
            verb=method,
            url=f"{self._trading_url}/v2{path}",
            headers={**self._get_default_headers(), "Content-Type": "application/json"},
            body=json.dumps(body).encode(),
        )

    def _one_request(  # type: ignore[override]
        self, method: str, url: str, opts: Mapping[str, Mapping[str, str] | None], retry: int
    ) -> HttpReply:
        """The library's way to the wire, replaced: no deadline of its own, and tries that nobody has asked for."""
        session = self._session
        assert isinstance(session, VenueSession)
        large = urlsplit(url).path.endswith(LARGE_LISTS)
        return session.exchange(
            method,
            url,
            params=opts.get("params"),
            json=opts.get("json"),
            headers=opts["headers"],
            call_seconds=LARGE_LIST_SECONDS if large else None,
            max_body_bytes=MAX_LIST_BYTES if large else MAX_BODY_BYTES,
        )
