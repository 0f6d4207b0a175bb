"""Whatever is sent to the OKX front is answered in its envelope, and nothing raises."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper_exchange.clock import rfc3339
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call
from paper_exchange.okx.endpoints import endpoints
from paper_exchange.okx.front import OkxFront
from paper_exchange.okx.replies import STATUS_OF_CODE
from paper_exchange.okx.signature import sign, signed_text
from paper_exchange.wiring import open_exchange

SENSIBLE = {
    "instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.01", "px": "41000",
    "ccy": "USDT", "clOrdId": "q1", "algoClOrdId": "a1", "slTriggerPx": "45000", "slOrdPx": "-1", "amt": "1",
    "from": "18", "to": "6", "timeOut": "10", "acctLv": "1", "newSz": "0.02", "instType": "SPOT", "state": "live",
    "bar": "1H", "limit": "5",
}  # fmt: skip
NAMES = st.sampled_from(
    [*SENSIBLE, "ordId", "algoId", "tgtCcy", "after", "before", "begin", "end", "instIdCode", "tag"]
)
TEXTS = st.sampled_from(
    [
        "",
        "x",
        "0",
        "-1",
        "1e5",
        "9" * 40,
        "0.1",
        "NO-X",
        "sell",
        "market",
        "trigger",
        "quote_ccy",
        "١",
        "NaN",
        ".",
        "1.",
    ]
)
VALUES = TEXTS | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(TEXTS) | st.text()
CHANGES = st.dictionaries(NAMES, VALUES, max_size=4)
ENDPOINTS = st.sampled_from(endpoints())


class Desk:
    """The front of an exchange in this process, and one account's signed requests to it."""

    def __init__(self) -> None:
        self.exchange: Exchange = open_exchange(None, seed=3, csv=None).exchange
        self.front = OkxFront(self.exchange)
        self.exchange.open_account("okx", "odd", {"USDT": Decimal(10_000), "BTC": Decimal(1)})
        self.account = self.exchange.registry.by_name("okx", "odd")

    def send(self, method: str, name: str, query: bytes, body: bytes) -> tuple[int, Any]:
        assert self.account is not None
        now_ns = self.exchange.advance()
        path, timestamp = f"/api/v5/{name}", rfc3339(now_ns)[:23] + "Z"
        headers = {
            "ok-access-key": self.account.api_key,
            "ok-access-passphrase": self.account.passphrase,
            "ok-access-timestamp": timestamp,
            "ok-access-sign": sign(self.account.api_secret, signed_text(timestamp, method, path, query, body)),
            "content-type": "application/json",
        }
        call = Call("okx", method, path, query, headers, body, now_ns)
        self.front.identify(call)
        reply = self.front.admit(call)
        if reply is None:
            self.front.placements(call)
            reply = self.front.execute(call, now_ns)
        return reply.status, json.loads(reply.body)


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@settings(max_examples=300)
@given(endpoint=ENDPOINTS, changes=CHANGES, many=st.booleans())
def test_every_request_is_answered_in_the_envelope(desk: Desk, endpoint: Any, changes: Any, many: bool) -> None:
    fields = {**SENSIBLE, **changes}
    body, query = b"", b""
    if endpoint.method == "POST":
        body = json.dumps([fields, changes] if many else fields).encode()
    else:
        query = urlencode({name: str(value) for name, value in fields.items()}).encode()
    status, answer = desk.send(endpoint.method, endpoint.name, query, body)
    assert set(answer) >= {"code", "msg", "data"} and isinstance(answer["data"], list)
    assert status == STATUS_OF_CODE.get(answer["code"], 200)


@settings(max_examples=100)
@given(endpoint=ENDPOINTS, noise=st.binary(max_size=60))
def test_noise_is_answered_in_the_envelope(desk: Desk, endpoint: Any, noise: bytes) -> None:
    query, body = (b"", noise) if endpoint.method == "POST" else (noise, b"")
    status, answer = desk.send(endpoint.method, endpoint.name, query, body)
    assert set(answer) >= {"code", "msg", "data"} and 200 <= status < 500
