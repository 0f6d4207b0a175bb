"""A bare OKX client for tests: signs as OKX's pages say and shows status and body untouched."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import requests

from paper_exchange.clock import SystemClock, rfc3339
from tests.exchange_process import ExchangeProcess, PaperAccount

PREFIX = "/api/v5/"
CALL_SECONDS = 10.0
INSTRUMENT = "BTC-USDT"
CLOCK = SystemClock()


@dataclass(frozen=True)
class Answer:
    status: int
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The envelope's."""
        code: str = self.body["code"]
        return code

    @property
    def rows(self) -> list[Any]:
        rows: list[Any] = self.body["data"]
        return rows


class OkxCaller:
    """One account's calls. Paths are below ``/api/v5/``. ``ahead_seconds`` is how far its clock is wrong."""

    def __init__(self, exchange: ExchangeProcess, account: PaperAccount) -> None:
        self.account = account
        self.ahead_seconds = 0.0
        self._base = exchange.rest_url("okx")
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str, *, signed: bool = True, **params: Any) -> Answer:
        query = urlencode(params)
        return self.send("GET", f"{PREFIX}{path}{'?' + query if query else ''}", b"", signed=signed)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.send("POST", PREFIX + path, json.dumps(body).encode(), headers=headers)

    def send(
        self, method: str, target: str, body: bytes, *, signed: bool = True, headers: dict[str, str] | None = None
    ) -> Answer:
        """Whatever is asked for; ``headers`` come over those of the signature."""
        own = self.headers(method, target, body) if signed else {}
        response = self._session.request(
            method, self._base + target, data=body or None, headers={**own, **(headers or {})}, timeout=CALL_SECONDS
        )
        return Answer(response.status_code, response.text)

    def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        moment = CLOCK.now_ns() + round(self.ahead_seconds * 1e9)
        timestamp = rfc3339(moment)[:23] + "Z"
        text = timestamp.encode() + method.encode() + target.encode() + body
        mac = hmac.new(self.account.api_secret.encode(), text, hashlib.sha256)
        return {
            "OK-ACCESS-KEY": self.account.api_key,
            "OK-ACCESS-PASSPHRASE": self.account.api_passphrase,
            "OK-ACCESS-TIMESTAMP": timestamp,
            "OK-ACCESS-SIGN": base64.b64encode(mac.digest()).decode(),
            "Content-Type": "application/json",
        }

    def in_milliseconds(self, seconds: float) -> str:
        """A moment so far from now, as ``expTime`` wants it."""
        return str((CLOCK.now_ns() + round((self.ahead_seconds + seconds) * 1e9)) // 1_000_000)

    def order(self, client_id: str, order_type: str, *, side: str = "buy", **fields: Any) -> Answer:
        """Place an order."""
        body = {"instId": INSTRUMENT, "tdMode": "cash", "side": side, "ordType": order_type, "clOrdId": client_id}
        return self.post("trade/order", body | fields)

    def placed(self, client_id: str, order_type: str, **more: Any) -> str:
        """Place an order that must be accepted and return its id."""
        answer = self.order(client_id, order_type, **more)
        assert answer.code == "0", answer
        order_id: str = answer.rows[0]["ordId"]
        return order_id

    def refused(self, client_id: str, order_type: str, **more: Any) -> str:
        """Place an order that must be refused by its own code, and return that."""
        answer = self.order(client_id, order_type, **more)
        assert (answer.status, answer.code) == (200, "1"), answer
        code: str = answer.rows[0]["sCode"]
        return code

    def shown(self, **ids: str) -> dict[str, Any]:
        """The order as a look-up shows it, by ``ordId`` or ``clOrdId``."""
        answer = self.get("trade/order", **{"instId": INSTRUMENT, **ids})
        assert answer.code == "0", answer
        order: dict[str, Any] = answer.rows[0]
        return order

    def cancel(self, **fields: str) -> str:
        """The code of the cancel."""
        code: str = self.post("trade/cancel-order", {"instId": INSTRUMENT, **fields}).rows[0]["sCode"]
        return code

    def pending(self) -> list[str]:
        return [order["ordId"] for order in self.get("trade/orders-pending", instType="SPOT").rows]

    def holding(self, currency: str) -> dict[str, str]:
        """The line of a currency in the trading account; empty if there is none."""
        [row] = self.get("account/balance", ccy=currency).rows
        found: dict[str, str] = next(iter(row["details"]), {})
        return found

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
