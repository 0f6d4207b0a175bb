"""Whatever is sent to the Alpaca front, the answer is Alpaca's and the books stay whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paper_exchange.alpaca.endpoints import endpoints
from paper_exchange.alpaca.front import AlpacaFront
from paper_exchange.api_keys import Account
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Reply
from paper_exchange.journal import JournalEntry, encode_line
from paper_exchange.wiring import open_exchange

START = {"USD": Decimal(10000), "AAPL": Decimal(10), "NOK": Decimal(10)}
OUTCOMES = {200, 204, 207, 401, 403, 404, 422}


@dataclass(frozen=True)
class Desk:
    exchange: Exchange
    front: AlpacaFront
    account: Account

    def call(self, method: str, path: str, *, query: bytes = b"", body: bytes = b"", **headers: str) -> Reply:
        now_ns = self.exchange.advance()
        keys = {"apca-api-key-id": self.account.api_key, "apca-api-secret-key": self.account.api_secret}
        call = Call("alpaca", method, path, query, {**keys, **headers}, body, now_ns)
        self.front.identify(call)
        noted = JournalEntry(
            type="request", brokerage="alpaca", account="x", client_order_id=call.client_order_id,
            order_id=call.order_id, symbol=call.symbol, side=call.side, quantity=call.quantity, price=call.price,
        )  # fmt: skip
        encode_line(1, noted, now_ns)
        refusal = self.front.admit(call)
        reply = refusal if refusal is not None else self.front.execute(call, now_ns)
        self.exchange.publish_events(endpoint=call.endpoint)
        self.exchange.journal.settle(10_000)
        return reply


@pytest.fixture(scope="module", params=["always_open", "closed"])
def desk(request: pytest.FixtureRequest) -> Desk:
    exchange = open_exchange(None, seed=3, csv=None).exchange
    front = AlpacaFront(exchange)
    exchange.set_session(request.param)
    exchange.open_account("alpaca", "fuzzed", START)
    account = exchange.registry.by_name("alpaca", "fuzzed")
    assert account is not None
    return Desk(exchange, front, account)


def is_alpacas(reply: Reply) -> None:
    assert reply.status in OUTCOMES, reply
    if reply.status == 204:
        assert reply.body == b""
        return
    content = json.loads(reply.body, parse_constant=pytest.fail)
    if reply.status >= 400:
        assert isinstance(content["code"], int) and content["message"] and reply.error
        assert reply.status == 422 or content["code"] // 100_000 == reply.status


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["0", "0.001", "1" * 29, "-1", "1e5", "NaN", "Infinity", "٣", "200.0", "0.000000001", "\ud800", 1e300, 10**40]
    ),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
)
amounts = st.sampled_from(["1", "2", "0.5", "100", "9999999", 1, 2.5, "0.01", "200", "200.001", "0.5001"]) | values
orders = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.sampled_from(["AAPL", "NOK", "TLRY", "BRK.B", "aapl", "BTC/USD"]) | values,
        "side": st.sampled_from(["buy", "sell", "BUY"]) | values,
        "type": st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]) | values,
        "time_in_force": st.sampled_from(["day", "gtc", "ioc", "fok", "opg"]) | values,
        "qty": amounts,
        "notional": amounts,
        "limit_price": amounts,
        "stop_price": amounts,
        "extended_hours": values,
        "client_order_id": values,
        "order_class": values,
        "take_profit": values,
    },
)


@settings(max_examples=250, deadline=None)
@given(order=orders)
def test_no_order_breaks_anything(desk: Desk, order: dict[str, Any]) -> None:
    is_alpacas(desk.call("POST", "/v2/orders", body=json.dumps(order).encode()))
    for asset, balance in desk.exchange.engine.balances(desk.account.account_id).items():
        assert 0 <= balance.held <= balance.total, asset
    is_alpacas(desk.call("GET", "/v2/orders", query=b"status=all"))


@settings(max_examples=60, deadline=None)
@given(change=orders)
def test_no_replacement_breaks_anything(desk: Desk, change: dict[str, Any]) -> None:
    plain = {"symbol": "AAPL", "side": "buy", "type": "limit", "time_in_force": "gtc", "qty": "1", "limit_price": "5"}
    placed = json.loads(desk.call("POST", "/v2/orders", body=json.dumps(plain).encode()).body)
    if "id" not in placed:
        return  # an order of another example is in its way
    is_alpacas(desk.call("PATCH", f"/v2/orders/{placed['id']}", body=json.dumps(change).encode()))
    is_alpacas(desk.call("GET", f"/v2/orders/{placed['id']}"))
    is_alpacas(desk.call("DELETE", "/v2/orders"))


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=40) | st.sampled_from([b"[" * 100_000, b"1" * 5000, b'{"qty": ' + b"9" * 4000 + b"}"]))
def test_no_body_breaks_anything(desk: Desk, body: bytes) -> None:
    for path in ("/v2/orders", "/v2/nothing"):
        is_alpacas(desk.call("POST", path, body=body))


NAMES = (
    "symbols timeframe start end limit page_token sort feed status after until direction side date activity_types "
    "page_size category client_order_id exchange asset_class qty percentage cancel_orders"
)
ANSWERS = (
    "AAPL AAPL,MSFT,NOPE 1Day 15Min 1Month 2026-01-01 2099-12-31 0001-01-01 9999-12-31 0001-01-01T00:00:00+14:00 "
    "9999-12-31T23:59:59-12:00 1969-12-31T00:00:00Z asc desc all 0 5 -5 1e3 ٣ open FILL TRANS fQ== true x::y NaN "
    "100000000000"
)
questions = st.dictionaries(
    st.sampled_from(NAMES.split()), st.sampled_from(ANSWERS.split()) | st.text(max_size=6), max_size=4
)


@settings(max_examples=400, deadline=None)
@given(
    endpoint=st.sampled_from([each for each in endpoints() if each.method in ("GET", "DELETE")]),
    query=questions,
    part=st.sampled_from(["AAPL", "NOK", "BRK.B", "nobody", "FILL", "%00", "%ff%fe", "..", ""]),
)
def test_no_question_breaks_anything(desk: Desk, endpoint: Any, query: dict[str, str], part: str) -> None:
    path = "/v2/" + "/".join(part if name.startswith("{") else name for name in endpoint.path.split("/"))
    is_alpacas(desk.call(endpoint.method, path, query=urlencode(query, errors="replace").encode()))


@pytest.mark.parametrize("path", ["", "/", "/v2", "/v2/", "/v2//orders", "/v3/orders", "/v2/orders/", "/v2/%"])
def test_no_path_breaks_anything(desk: Desk, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        is_alpacas(desk.call(method, path))


@pytest.mark.parametrize("value", ["Basic", "Basic x", "Basic eA==", "Basic =", "Bearer x", "Basic \xff", ""])
def test_no_authorization_breaks_anything(desk: Desk, value: str) -> None:
    now_ns = desk.exchange.advance()
    for headers in ({"authorization": value}, {"apca-api-key-id": value, "apca-api-secret-key": value}):
        call = Call("alpaca", "GET", "/v2/account", b"", headers, b"", now_ns)
        desk.front.identify(call)
        reply = desk.front.admit(call)
        assert reply is not None and reply.status == 401


@pytest.mark.parametrize("name", ["qty", "notional", "limit_price"])
@pytest.mark.parametrize("amount", ["1e300", "1e-300", "9" * 200, "-0.0", "1E+16", '"1e5"', '"٣"', "Infinity", "-1"])
def test_an_amount_that_is_none_is_refused(desk: Desk, name: str, amount: str) -> None:
    form = '{"symbol": "AAPL", "side": "buy", "type": "limit", "time_in_force": "day", "qty": 1, "limit_price": 5, %s}'
    reply = desk.call("POST", "/v2/orders", body=(form % f'"{name}": {amount}').encode())
    is_alpacas(reply)
    assert reply.status == 422


@pytest.mark.parametrize("client_order_id", ["\ud800", "a\x00b", "line\nbreak"])
def test_an_id_that_cannot_be_written_down_is_refused(desk: Desk, client_order_id: str) -> None:
    order = {"symbol": "AAPL", "side": "buy", "type": "limit", "time_in_force": "gtc", "qty": "1", "limit_price": "5"}
    reply = desk.call("POST", "/v2/orders", body=json.dumps({**order, "client_order_id": client_order_id}).encode())
    assert reply.status == 422 and b"client_order_id" in reply.body
