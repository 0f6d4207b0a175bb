"""A bare Alpaca client for tests: sends the two headers and shows status, headers and body untouched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import requests

from tests.exchange_process import ExchangeProcess, PaperAccount

CALL_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class AlpacaCaller:
    """One account's calls. Paths are below ``/v2/``."""

    def __init__(self, exchange: ExchangeProcess, account: PaperAccount, *, secret: str | None = None) -> None:
        self.account = account
        self._base = exchange.rest_url("alpaca")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["APCA-API-KEY-ID"] = account.api_key
        self._session.headers["APCA-API-SECRET-KEY"] = account.api_secret if secret is None else secret

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Answer:
        response = self._session.request(
            method, f"{self._base}/v2/{path}", params=params, json=body, timeout=CALL_SECONDS
        )
        return Answer(response.status_code, response.text, response.headers)

    def get(self, path: str, **params: Any) -> Any:
        """The body of an answer that must be 200."""
        answer = self.call("GET", path, **params)
        assert answer.status == 200, answer
        return answer.body

    def order(self, client_order_id: str | None = None, **fields: Any) -> Answer:
        """``POST /v2/orders``: a market buy of AAPL for the day unless the fields say otherwise."""
        body = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", **fields}
        if client_order_id is not None:
            body["client_order_id"] = client_order_id
        return self.call("POST", "orders", body)

    def placed(self, client_order_id: str | None = None, **fields: Any) -> Any:
        """Place an order that must be accepted and return it."""
        answer = self.order(client_order_id, **fields)
        assert answer.status == 200, answer
        return answer.body

    def refused(self, client_order_id: str | None = None, **fields: Any) -> tuple[int, int, str]:
        """Place an order that must be refused; returns the status, the code and the message."""
        answer = self.order(client_order_id, **fields)
        assert answer.status >= 400, answer
        return answer.status, answer.body["code"], answer.body["message"]

    def shown(self, order_id: str) -> Any:
        return self.get(f"orders/{order_id}")

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
