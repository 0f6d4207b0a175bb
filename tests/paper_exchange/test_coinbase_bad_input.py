"""Whatever is sent to the Coinbase front, the answer is Coinbase's and the books stay whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper_exchange.api_keys import Account
from paper_exchange.coinbase.front import CoinbaseFront
from paper_exchange.coinbase.order_forms import FORMS
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Reply
from paper_exchange.wiring import open_exchange

HOST = "127.0.0.1:1"
START = {"USD": Decimal(10000), "BTC": Decimal(1)}


@dataclass(frozen=True)
class Desk:
    exchange: Exchange
    front: CoinbaseFront
    account: Account

    def call(self, method: str, path: str, *, query: bytes = b"", body: bytes = b"", token: str = "") -> Reply:
        now_ns = self.exchange.advance()
        headers = {"host": HOST, "authorization": f"Bearer {token or self._token(method, path, now_ns)}"}
        call = Call("coinbase", method, path, query, headers, body, now_ns)
        self.front.identify(call)
        refusal = self.front.admit(call)
        reply = refusal if refusal is not None else self.front.execute(call, now_ns)
        self.exchange.publish_events(endpoint=call.endpoint)
        return reply

    def _token(self, method: str, path: str, now_ns: int) -> str:
        now = now_ns // 10**9
        claims = {
            "sub": self.account.api_key,
            "iss": "cdp",
            "nbf": now,
            "exp": now + 60,
            "uri": f"{method} {HOST}{path}",
        }
        return jwt.encode(claims, self.account.api_secret, algorithm="ES256", headers={"kid": self.account.api_key})


@pytest.fixture(scope="module")
def desk() -> Desk:
    exchange = open_exchange(None, seed=3, csv=None).exchange
    exchange.open_account("coinbase", "fuzzed", START)
    account = exchange.registry.by_name("coinbase", "fuzzed")
    assert account is not None
    return Desk(exchange, CoinbaseFront(exchange), account)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["0", "0.001", "1" * 29, "-1", "1e5", "NaN", "Infinity", "50000.0", "99999999999.0", "2026-13-01"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
)
fields = st.dictionaries(
    st.sampled_from(
        ["base_size", "quote_size", "limit_price", "stop_price", "stop_direction", "end_time", "post_only", "x"]
    ),
    values | st.sampled_from(["STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN", "2099-01-01T00:00:00Z"]),
)
configurations = st.dictionaries(st.sampled_from([*FORMS, "trigger_bracket_gtc"]), fields | values, max_size=2)
orders = st.fixed_dictionaries(
    {},
    optional={
        "client_order_id": st.text(max_size=3) | values,
        "product_id": st.sampled_from(["BTC-USD", "BTC/USD", "", "NO-SUCH", "ETH-BTC", "ZRX-USD"]) | values,
        "side": st.sampled_from(["BUY", "SELL"]) | values,
        "order_configuration": configurations | values,
        "order_ids": values,
    },
)


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(["orders", "orders/preview", "orders/batch_cancel"]), body=orders | values)
def test_no_body_breaks_the_front(desk: Desk, path: str, body: object) -> None:
    reply = desk.call("POST", f"/api/v3/brokerage/{path}", body=json.dumps(body).encode())
    assert reply.status in (200, 400), reply
    answer = json.loads(reply.body)
    assert isinstance(answer, dict) and (reply.status == 200 or answer["error"] == "INVALID_ARGUMENT")
    for balance in desk.exchange.engine.balances(desk.account.account_id).values():
        assert 0 <= balance.held <= balance.total


@settings(max_examples=200, deadline=None)
@given(
    path=st.sampled_from(
        [
            "accounts",
            "products",
            "products/BTC-USD/candles",
            "products/BTC-USD/ticker",
            "product_book",
            "best_bid_ask",
            "orders/historical/batch",
            "orders/historical/fills",
            "orders/historical/none",
        ]
    ),
    query=st.binary(max_size=30)
    | st.builds(
        lambda name, value: f"{name}={value}&granularity=ONE_MINUTE&start=0&end=60&product_id=BTC-USD".encode(),
        st.sampled_from(["limit", "cursor", "start", "end", "start_date", "product_ids", "offset", "order_status"]),
        st.sampled_from(["-1", "0", "9" * 30, "%00", "=", "a", "1e3", "٣", "%F0%9F%92%A9", "True"]),
    ),
)
def test_no_query_breaks_the_front(desk: Desk, path: str, query: bytes) -> None:
    reply = desk.call("GET", f"/api/v3/brokerage/{path}", query=query)
    assert reply.status in (200, 400, 404)
    assert isinstance(json.loads(reply.body), dict)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40) | st.builds(lambda a, b: f"{a}.{b}.x", st.text(max_size=20), st.text(max_size=20)))
def test_no_token_breaks_the_front(desk: Desk, token: str) -> None:
    assert desk.call("GET", "/api/v3/brokerage/accounts", token=token or "x").status == 401


@pytest.mark.parametrize(
    "path", ["/", "", "/api/v3/brokerage/", "/api/v3/brokerage/orders/", "/v2/", "/v2/accounts//x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
def test_what_is_no_endpoint_is_not_found(desk: Desk, method: str, path: str) -> None:
    assert desk.call(method, path).status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 5000, b"null", b'"text"', b"{}"])
def test_a_body_that_is_no_json_object_is_a_400(desk: Desk, body: bytes) -> None:
    assert desk.call("POST", "/api/v3/brokerage/orders", body=body).status == 400
