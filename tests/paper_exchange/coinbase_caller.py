"""A bare Coinbase client for tests: signs as the official library does and shows status and body untouched."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from coinbase import jwt_generator

from tests.exchange_process import ExchangeProcess, PaperAccount

PREFIX = "/api/v3/brokerage/"
CALL_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    status: int
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class CoinbaseCaller:
    """One account's calls. Paths are below ``/api/v3/brokerage/`` unless they begin with a slash."""

    def __init__(self, exchange: ExchangeProcess, account: PaperAccount) -> None:
        self.account = account
        self._base = exchange.rest_url("coinbase")
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str, *, signed: bool = True, **params: Any) -> Answer:
        return self._call("GET", path, {}, signed=signed, params=params)

    def post(self, path: str, body: Any) -> Answer:
        return self._call("POST", path, body, signed=True, params={})

    def order(
        self, client_order_id: str, form: str, *, side: str = "BUY", product: str = "BTC-USD", **fields: Any
    ) -> Any:
        """Place an order and return the body of the answer, which is 200 whether or not it was accepted."""
        body = {
            "client_order_id": client_order_id,
            "product_id": product,
            "side": side,
            "order_configuration": {form: fields},
        }
        answer = self.post("orders", body)
        assert answer.status == 200, answer
        return answer.body

    def placed(self, client_order_id: str, form: str, **more: Any) -> str:
        """Place an order that must be accepted and return its id."""
        body = self.order(client_order_id, form, **more)
        assert body["success"] is True, body
        order_id: str = body["success_response"]["order_id"]
        return order_id

    def refused(self, client_order_id: str, form: str, **more: Any) -> dict[str, Any]:
        """Place an order that must be refused and return the ``error_response``."""
        body = self.order(client_order_id, form, **more)
        assert body["success"] is False, body
        error: dict[str, Any] = body["error_response"]
        return error

    def shown(self, order_id: str) -> dict[str, Any]:
        """The order as a look-up shows it."""
        answer = self.get(f"orders/historical/{order_id}")
        assert answer.status == 200, answer
        order: dict[str, Any] = answer.body["order"]
        return order

    def wallet(self, currency: str) -> dict[str, Any]:
        return next(each for each in self.get("accounts", limit=250).body["accounts"] if each["currency"] == currency)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: str, path: str, body: Any, *, signed: bool, params: dict[str, Any]) -> Answer:
        full = path if path.startswith("/") else PREFIX + path
        headers = {"Authorization": f"Bearer {self._token(method, full)}"} if signed else {}
        response = self._session.request(
            method, self._base + full, params=params, json=body, headers=headers, timeout=CALL_SECONDS
        )
        return Answer(response.status_code, response.text)

    def _token(self, method: str, path: str) -> str:
        uri = f"{method} {urlsplit(self._base).netloc}{path}"
        token: str = jwt_generator.build_rest_jwt(uri, self.account.api_key, self.account.api_secret)
        return token
