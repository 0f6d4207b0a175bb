"""Whatever is sent to the Binance front, the answer is Binance's and the books stay whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper_exchange.api_keys import Account
from paper_exchange.binance.endpoints import all_endpoints
from paper_exchange.binance.front import BinanceFront
from paper_exchange.binance.signature import sign
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Reply
from paper_exchange.wiring import open_exchange

START = {"USDT": Decimal(10000), "BTC": Decimal(1)}
WRITES = ("order", "order/test", "order/cancelReplace")
READS = [endpoint for endpoint in all_endpoints() if endpoint.method == "GET"]


@dataclass(frozen=True)
class Desk:
    exchange: Exchange
    front: BinanceFront
    account: Account

    def call(self, method: str, path: str, *, query: bytes = b"", body: bytes = b"") -> Reply:
        """Signed, whatever it is."""
        now_ns = self.exchange.advance()
        stamp = b"timestamp=%d" % (now_ns // 10**6)
        whole = b"&".join(part for part in (query, stamp) if part)
        signature = sign(self.account.api_secret, whole + body).encode()
        headers = {"x-mbx-apikey": self.account.api_key}
        call = Call("binance", method, path, whole + b"&signature=" + signature, headers, body, now_ns)
        self.front.identify(call)
        refusal = self.front.admit(call)
        if refusal is None:
            self.front.placements(call)
        reply = refusal if refusal is not None else self.front.execute(call, now_ns)
        self.exchange.publish_events(endpoint=call.endpoint)
        return reply


@pytest.fixture(scope="module")
def desk() -> Desk:
    exchange = open_exchange(None, seed=3, csv=None).exchange
    exchange.open_account("binance", "fuzzed", START)
    account = exchange.registry.by_name("binance", "fuzzed")
    assert account is not None
    return Desk(exchange, BinanceFront(exchange), account)


texts = st.text(max_size=8) | st.sampled_from(
    ["0", "0.001", "1" * 21, "-1", "1e5", "NaN", "Infinity", "50000.0", "99999999999.0", "true", "٣", "40000", "0.01"]
)
orders = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.sampled_from(["BTCUSDT", "ETHBTC", "BTC-USDT", "btcusdt", "NOSUCH", ""]) | texts,
        "side": st.sampled_from(["BUY", "SELL"]) | texts,
        "type": st.sampled_from(["LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"])
        | texts,
        "timeInForce": st.sampled_from(["GTC", "IOC", "FOK"]) | texts,
        "quantity": texts,
        "quoteOrderQty": texts,
        "price": texts,
        "stopPrice": texts,
        "newClientOrderId": texts,
        "newOrderRespType": st.sampled_from(["ACK", "RESULT", "FULL"]) | texts,
        "cancelReplaceMode": st.sampled_from(["STOP_ON_FAILURE", "ALLOW_FAILURE"]) | texts,
        "cancelOrigClientOrderId": texts,
        "recvWindow": texts,
    },
)


def _is_answer(reply: Reply) -> bool:
    answer = json.loads(reply.body)
    return reply.status == 200 or (isinstance(answer["code"], int) and isinstance(answer["msg"], str))


@settings(max_examples=400, deadline=None)
@given(path=st.sampled_from(WRITES), order=orders, in_body=st.booleans())
def test_no_order_breaks_the_front(desk: Desk, path: str, order: dict[str, str], in_body: bool) -> None:
    text = urlencode(order).encode()
    query, body = (b"", text) if in_body else (text, b"")
    reply = desk.call("POST", f"/api/v3/{path}", query=query, body=body)
    assert reply.status in (200, 400, 409) and _is_answer(reply)
    for balance in desk.exchange.engine.balances(desk.account.account_id).values():
        assert 0 <= balance.held <= balance.total


@settings(max_examples=400, deadline=None)
@given(
    endpoint=st.sampled_from(READS),
    query=st.binary(max_size=30)
    | st.builds(
        lambda name, value: f"symbol=BTCUSDT&interval=1h&{name}={value}".encode(),
        st.sampled_from(["limit", "startTime", "endTime", "fromId", "orderId", "origClientOrderId", "symbols", "type"]),
        st.sampled_from(
            ["-1", "0", "9" * 20, "9" * 30, "%00", "=", "a", "1e3", "%D9%A3", "%F0%9F%92%A9", "[1]", "%FF"]
        ),
    ),
)
def test_no_query_breaks_the_front(desk: Desk, endpoint: object, query: bytes) -> None:
    assert hasattr(endpoint, "path")
    reply = desk.call("GET", endpoint.path, query=query)
    assert reply.status in (200, 400) and _is_answer(reply)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"symbol":"BTCUSDT"}', b"&&&===", b"a=1&a=2"])
def test_a_body_that_is_no_form_is_a_400(desk: Desk, body: bytes) -> None:
    assert desk.call("POST", "/api/v3/order", body=body).status == 400
