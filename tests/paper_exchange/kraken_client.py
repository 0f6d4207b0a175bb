"""A bare Kraken client for tests, with a signature of its own: nothing is shared with what it checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import requests

from tests.exchange_process import PaperAccount

TIMEOUT_SECONDS = 10


class KrakenClient:
    """Signs, sends, and returns whole envelopes or, with ``ok``, results."""

    def __init__(self, url: str, account: PaperAccount) -> None:
        self.url = url
        self.account = account
        self.session = requests.Session()
        self.session.trust_env = False
        self._nonce = time.time_ns()

    def next_nonce(self) -> int:
        self._nonce += 1
        return self._nonce

    def call(self, method: str, fields: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """A signed form POST; returns the envelope."""
        envelope: dict[str, Any] = self.post(method, {"nonce": self.next_nonce(), **(fields or {}), **more}).json()
        return envelope

    def ok(self, method: str, fields: dict[str, Any] | None = None, **more: Any) -> Any:
        """The result; fails if there is an error."""
        envelope = self.call(method, fields, **more)
        assert envelope["error"] == [], f"{method}: {envelope}"
        return envelope["result"]

    def refused(self, method: str, fields: dict[str, Any] | None = None, **more: Any) -> str:
        """The one error text; fails if there is a result."""
        envelope = self.call(method, fields, **more)
        assert "result" not in envelope, f"{method}: {envelope}"
        (text,) = envelope["error"]
        return str(text)

    def public(self, method: str, **query: Any) -> Any:
        response = self.session.get(f"{self.url}/0/public/{method}", params=query, timeout=TIMEOUT_SECONDS)
        envelope = response.json()
        assert envelope["error"] == [], f"{method}: {envelope}"
        return envelope["result"]

    def post(self, method: str, fields: dict[str, Any], *, timeout: float = TIMEOUT_SECONDS) -> requests.Response:
        body = urlencode(fields)
        return self.send(method, body.encode(), str(fields.get("nonce", "")), timeout=timeout)

    def post_json(self, method: str, fields: dict[str, Any]) -> dict[str, Any]:
        signed = {"nonce": self.next_nonce(), **fields} if "nonce" not in fields else fields
        body = json.dumps(signed).encode()
        response = self.send(method, body, str(signed["nonce"]), content_type="application/json; charset=utf-8")
        envelope: dict[str, Any] = response.json()
        return envelope

    def send(
        self,
        method: str,
        body: bytes,
        nonce: str,
        *,
        content_type: str = "application/x-www-form-urlencoded",
        signature: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> requests.Response:
        path = f"/0/private/{method}"
        headers = {
            "API-Key": self.account.api_key,
            "API-Sign": signature if signature is not None else self.sign(path, body, nonce),
            "Content-Type": content_type,
        }
        return self.session.post(self.url + path, data=body, headers=headers, timeout=timeout)

    def sign(self, path: str, body: bytes, nonce: str) -> str:
        message = path.encode() + hashlib.sha256(nonce.encode() + body).digest()
        secret = base64.b64decode(self.account.api_secret)
        return base64.b64encode(hmac.new(secret, message, "sha512").digest()).decode()

    def close(self) -> None:
        self.session.close()
