"""The stream of an account's orders and balances over Binance's WebSocket API."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.paper_exchange.binance_caller import SYMBOL, BinanceCaller, now_ms
from tests.paper_exchange.socket_client import Message, SocketClient

BALANCES = {"USDT": "100000", "BTC": "10"}
SUBSCRIBE = "userDataStream.subscribe.signature"
Report = dict[str, Any]


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=23) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[BinanceCaller]:
    exchange.clear_faults()
    exchange.set_price("BTC/USDT", "50000")
    account = exchange.open_account("binance", request.node.name[:60], BALANCES)
    with BinanceCaller(exchange, account) as opened:
        yield opened


class UserStream:
    """A client of the WebSocket API."""

    def __init__(self, exchange: ExchangeProcess) -> None:
        self.socket = SocketClient(exchange.addresses["binance"]["ws_auth"] + "/ws-api/v3")
        self._numbers = count(1)

    def ask(self, method: str, params: Message | None = None) -> Message:
        request_id = f"r{next(self._numbers)}"
        self.socket.send({"id": request_id, "method": method, "params": params or {}})
        return self.socket.wait_for(lambda message: message.get("id") == request_id)

    def subscribe(self, account: PaperAccount, **changes: Any) -> Message:
        return self.ask(SUBSCRIBE, signed(account, **changes))

    def event(self, kind: str, **wanted: Any) -> Report:
        """The next event of a kind whose fields are as wanted."""

        def is_wanted(message: Message) -> bool:
            event = message.get("event", {})
            return event.get("e") == kind and all(event[name] == value for name, value in wanted.items())

        report: Report = self.socket.wait_for(is_wanted)["event"]
        return report

    def __enter__(self) -> UserStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def signed(account: PaperAccount, **changes: Any) -> Message:
    params = {"apiKey": account.api_key, "timestamp": now_ms(), **changes}
    text = urlencode(sorted(params.items()))
    signature = hmac.new(account.api_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"signature": signature, **params} if "signature" not in changes else params


@pytest.fixture
def stream(exchange: ExchangeProcess, caller: BinanceCaller) -> Iterator[UserStream]:
    """Subscribed to the caller's account."""
    with UserStream(exchange) as opened:
        answer = opened.subscribe(caller.account)
        assert (answer["status"], answer["result"]) == (200, {"subscriptionId": 0})
        yield opened


def test_a_market_order_is_told_as_new_then_as_trades(caller: BinanceCaller, stream: UserStream) -> None:
    placed = caller.placed("m1", "BUY", "MARKET", quantity="0.01")
    new = stream.event("executionReport", x="NEW")
    assert (new["c"], new["i"], new["X"], new["t"], new["N"]) == ("m1", placed["orderId"], "NEW", -1, None)
    told = [stream.event("executionReport", x="TRADE") for _ in placed["fills"]]
    assert [report["t"] for report in told] == [fill["tradeId"] for fill in placed["fills"]]
    assert [(report["n"], report["N"]) for report in told] == [
        (fill["commission"], fill["commissionAsset"]) for fill in placed["fills"]
    ]
    last = told[-1]
    assert (last["X"], last["z"], last["Z"]) == ("FILLED", placed["executedQty"], placed["cummulativeQuoteQty"])
    position = {row["a"]: row for row in stream.event("outboundAccountPosition")["B"]}
    assert position["BTC"]["f"] == caller.balance("BTC")["free"] and set(position) == {"BTC", "USDT"}


def test_a_cancel_is_told_with_both_ids(caller: BinanceCaller, stream: UserStream) -> None:
    caller.resting("r1")
    assert stream.event("executionReport", x="NEW")["w"] is True
    caller.delete("order", symbol=SYMBOL, origClientOrderId="r1", newClientOrderId="c1")
    cancelled = stream.event("executionReport", x="CANCELED")
    assert (cancelled["c"], cancelled["C"], cancelled["X"], cancelled["w"]) == ("c1", "r1", "CANCELED", False)
    held = [row["l"] for row in stream.event("outboundAccountPosition")["B"] if row["a"] == "USDT"]
    assert [Decimal(amount) for amount in held] == [400]


def test_what_expires_is_told_so(caller: BinanceCaller, stream: UserStream) -> None:
    caller.placed("i1", "BUY", "LIMIT", timeInForce="IOC", quantity="0.01", price="45000.0")
    expired = stream.event("executionReport", x="EXPIRED")
    assert (expired["c"], expired["C"], expired["X"], expired["f"]) == ("i1", "", "EXPIRED", "IOC")


def test_a_deposit_is_told(caller: BinanceCaller, stream: UserStream, exchange: ExchangeProcess) -> None:
    exchange.control("POST", f"/accounts/binance/{caller.account.name}/deposit", {"asset": "ETH", "amount": "2"})
    update = stream.event("balanceUpdate")
    assert (update["a"], Decimal(update["d"])) == ("ETH", 2)
    assert [row["a"] for row in stream.event("outboundAccountPosition")["B"]] == ["ETH"]


def test_one_connection_carries_several_accounts_and_nobody_elses(
    caller: BinanceCaller, stream: UserStream, exchange: ExchangeProcess
) -> None:
    second = exchange.open_account("binance", "second-stream", BALANCES)
    stranger = exchange.open_account("binance", "no-stream", BALANCES)
    assert stream.subscribe(second)["result"] == {"subscriptionId": 1}
    assert stream.ask("session.subscriptions")["result"] == [{"subscriptionId": 0}, {"subscriptionId": 1}]
    for account, client_id in ((stranger, "s1"), (second, "s2"), (caller.account, "s3")):
        with BinanceCaller(exchange, account) as one:
            one.resting(client_id)
    message = stream.socket.wait_for(lambda one: one.get("event", {}).get("c") == "s2")
    assert message["subscriptionId"] == 1
    assert stream.event("executionReport")["c"] == "s3"
    assert stream.ask("userDataStream.unsubscribe", {"subscriptionId": 1})["status"] == 200
    assert stream.event("eventStreamTerminated")
    assert stream.ask("session.subscriptions")["result"] == [{"subscriptionId": 0}]


def test_a_stream_ends_when_its_key_is_replaced(
    caller: BinanceCaller, stream: UserStream, exchange: ExchangeProcess
) -> None:
    renewed = exchange.control("POST", f"/accounts/binance/{caller.account.name}/key", {})
    with BinanceCaller(exchange, replace(caller.account, **renewed)) as again:
        again.resting("after")
    assert stream.event("eventStreamTerminated")
    assert stream.ask("session.subscriptions")["result"] == []


def test_a_subscription_needs_a_key_a_signature_and_the_time(exchange: ExchangeProcess, caller: BinanceCaller) -> None:
    account = caller.account
    with UserStream(exchange) as stream:
        wrong = {
            -1022: stream.subscribe(account, signature="0" * 64),
            -2014: stream.subscribe(account, apiKey="short"),
            -2015: stream.subscribe(account, apiKey="A" * 64),
            -1021: stream.subscribe(account, timestamp=now_ms() - 60_000),
            -1104: stream.subscribe(account, colour="red"),
            -1102: stream.ask(SUBSCRIBE, {"apiKey": account.api_key, "timestamp": now_ms()}),
        }
        assert {code: answer["error"]["code"] for code, answer in wrong.items()} == {code: code for code in wrong}
        assert (wrong[-2015]["status"], wrong[-1022]["status"]) == (401, 400)
        assert stream.subscribe(account)["status"] == 200
        assert stream.subscribe(account)["error"]["code"] == -2035
        assert stream.ask("order.everything")["status"] == 500
        stream.socket.send_text("{")
        assert stream.socket.wait_for(lambda one: one.get("id", 0) is None)["status"] == 400
        assert stream.ask("ping")["result"] == {} and stream.ask("time")["result"]["serverTime"] > 0


def test_an_event_can_be_lost_doubled_or_end_the_connection(
    caller: BinanceCaller, stream: UserStream, exchange: ExchangeProcess
) -> None:
    for kind in ("gap", "duplicate"):
        exchange.fault(kind, brokerage="binance", account=caller.account.name, endpoint="ws/executionReport")
        caller.resting(kind)
    seen = [stream.event("executionReport")["c"] for _ in range(2)]
    assert seen == ["duplicate", "duplicate"]
    exchange.fault("close", brokerage="binance", account=caller.account.name, endpoint="ws/executionReport")
    caller.resting("end")
    assert stream.socket.ended() == 1006
    assert caller.shown("end")["status"] == "NEW"


def test_orders_are_placed_found_and_cancelled_over_the_socket(
    caller: BinanceCaller, stream: UserStream, exchange: ExchangeProcess
) -> None:
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    placed = stream.ask("order.place", signed(caller.account, newClientOrderId="w1", price="40000.0", **terms))
    assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
    twice = stream.ask("order.place", signed(caller.account, newClientOrderId="w1", price="40000.0", **terms))
    assert (twice["status"], twice["error"]) == (400, {"code": -2010, "msg": "Duplicate order sent."})
    found = stream.ask("order.status", signed(caller.account, symbol=SYMBOL, origClientOrderId="w1"))["result"]
    assert found == caller.shown("w1")
    assert len(stream.ask("openOrders.status", signed(caller.account))["result"]) == 1
    assert stream.ask("order.cancel", signed(caller.account, symbol=SYMBOL, origClientOrderId="w1"))["status"] == 200
    none = stream.ask("order.status", signed(caller.account, symbol=SYMBOL, origClientOrderId="nobody"))
    assert none["error"]["code"] == -2013
    assert stream.ask("order.place", terms)["error"]["code"] == -2014
    prices = stream.ask("ticker.book", {"symbols": [SYMBOL, "ETHUSDT"]})["result"]
    assert [price["symbol"] for price in prices] == [SYMBOL, "ETHUSDT"]
    (accepted,) = exchange.journal(type="accept", brokerage="binance", account=caller.account.name)
    assert (accepted["endpoint"], accepted["client_order_id"]) == ("ws/order.place", "w1")


def test_an_order_over_the_socket_whose_answer_is_lost_or_late_is_found_or_refused(
    caller: BinanceCaller, stream: UserStream, exchange: ExchangeProcess
) -> None:
    order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    exchange.fault("drop_response", brokerage="binance", account=caller.account.name, endpoint="ws/order.place")
    params = signed(caller.account, newClientOrderId="silent", **order)
    stream.socket.send({"id": "lost", "method": "order.place", "params": params})
    assert stream.event("executionReport", c="silent", x="TRADE")["X"] == "FILLED"
    assert caller.shown("silent")["status"] == "FILLED"
    late = {"kind": "delay", "seconds": 1.2}
    exchange.fault(late, brokerage="binance", account=caller.account.name, endpoint="ws/order.place")
    refused = stream.ask("order.place", signed(caller.account, newClientOrderId="late", recvWindow=1000, **order))
    assert refused["error"]["code"] == -1021
    assert not exchange.journal(type="accept", client_order_id="late")


def test_other_paths_are_not_found(exchange: ExchangeProcess) -> None:
    with pytest.raises(Exception, match="404"):
        SocketClient(exchange.addresses["binance"]["ws_auth"] + "/ws/stream")


def test_a_connection_ends_after_a_day() -> None:
    with ExchangeProcess(seed=24) as process, UserStream(process) as stream:
        assert stream.ask("ping")["status"] == 200
        process.advance_clock(24 * 3600 + 1)
        assert stream.socket.ended() == 1001
