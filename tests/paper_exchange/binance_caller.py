"""A bare Binance client for tests: signs as the documents say and shows status, headers and body untouched."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import requests

from paper_exchange.clock import SystemClock
from tests.exchange_process import ExchangeProcess, PaperAccount

CALL_SECONDS = 10.0
SYMBOL = "BTCUSDT"


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.text)


def now_ms() -> int:
    return SystemClock().now_ns() // 1_000_000


class BinanceCaller:
    """One account's calls. Paths are below ``/api/v3/`` unless they begin with a slash."""

    def __init__(self, exchange: ExchangeProcess, account: PaperAccount) -> None:
        self.account = account
        self._base = exchange.rest_url("binance")
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str, **parameters: Any) -> Answer:
        return self.call("GET", path, parameters)

    def post(self, path: str, **parameters: Any) -> Answer:
        return self.call("POST", path, parameters)

    def delete(self, path: str, **parameters: Any) -> Answer:
        return self.call("DELETE", path, parameters)

    def public(self, path: str, **parameters: Any) -> Answer:
        return self._send("GET", path, urlencode(parameters), b"", {})

    def call(
        self, method: str, path: str, parameters: Mapping[str, Any], *, in_body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Signed; ``timestamp`` is now unless given. ``in_body`` goes into a form behind the query."""
        query = urlencode({"timestamp": now_ms(), **parameters})
        form = urlencode(in_body or {})
        signature = hmac.new(self.account.api_secret.encode(), (query + form).encode(), hashlib.sha256).hexdigest()
        if form:
            return self._send(method, path, query, f"{form}&signature={signature}".encode(), self.key_header)
        return self._send(method, path, f"{query}&signature={signature}", b"", self.key_header)

    @property
    def key_header(self) -> dict[str, str]:
        return {"X-MBX-APIKEY": self.account.api_key}

    def raw(self, method: str, path: str, query: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Exactly this query, unsigned."""
        return self._send(method, path, query, b"", dict(headers or {}))

    def order(self, client_order_id: str, side: str, kind: str, **more: Any) -> Answer:
        return self.post(
            "order",
            symbol=SYMBOL,
            side=side,
            type=kind,
            newClientOrderId=client_order_id,
            newOrderRespType="FULL",
            **more,
        )

    def placed(self, client_order_id: str, side: str, kind: str, **more: Any) -> dict[str, Any]:
        """Place an order that must be accepted."""
        answer = self.order(client_order_id, side, kind, **more)
        assert answer.status == 200, answer
        body: dict[str, Any] = answer.body
        return body

    def resting(self, client_order_id: str, **more: Any) -> dict[str, Any]:
        """A buy far below the market."""
        terms = {"timeInForce": "GTC", "quantity": "0.01", "price": "40000.0", **more}
        return self.placed(client_order_id, "BUY", "LIMIT", **terms)

    def refused(self, client_order_id: str, side: str, kind: str, **more: Any) -> tuple[int, str]:
        """Place an order that must be refused: code and message."""
        answer = self.order(client_order_id, side, kind, **more)
        assert answer.status >= 400, answer
        return answer.body["code"], answer.body["msg"]

    def shown(self, client_order_id: str) -> dict[str, Any]:
        answer = self.get("order", symbol=SYMBOL, origClientOrderId=client_order_id)
        assert answer.status == 200, answer
        order: dict[str, Any] = answer.body
        return order

    def balance(self, asset: str) -> dict[str, str]:
        rows: list[dict[str, str]] = self.get("account").body["balances"]
        return next(row for row in rows if row["asset"] == asset)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> Answer:
        full = path if path.startswith("/") else f"/api/v3/{path}"
        if body:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self._base}{full}?{query}" if query else f"{self._base}{full}"
        response = self._session.request(method, url, data=body or None, headers=headers, timeout=CALL_SECONDS)
        return Answer(response.status_code, response.text, response.headers)
