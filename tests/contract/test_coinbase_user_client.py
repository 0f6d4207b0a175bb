"""The WebSocket client of coinbase-advanced-py, with nothing changed but its address, on the user channel."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from coinbase.websocket import WebsocketResponse, WSUserClient

from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.paper_exchange.coinbase_caller import CoinbaseCaller

BALANCES = {"USD": "10000", "BTC": "1"}
PRODUCT = "BTC-USD"
SECONDS = 30.0


class Listener:
    """Keeps the events in the order in which the library hands them over, as what it makes of them."""

    def __init__(self, exchange: ExchangeProcess, account: PaperAccount) -> None:
        self._messages: queue.Queue[str] = queue.Queue()
        self.client = WSUserClient(
            api_key=account.api_key,
            api_secret=account.api_secret,
            base_url=exchange.addresses["coinbase"]["ws_auth"],
            on_message=self._messages.put,
            retry=False,
        )
        self.client.open()

    def next(self, channel: str) -> Any:
        """The next event of a channel."""
        while True:
            message = WebsocketResponse(json.loads(self._messages.get(timeout=SECONDS)))
            if message.channel == channel:
                return message.events[0]

    def until(self, status: str) -> list[Any]:
        """What is told of orders up to one that is in that state."""
        told: list[Any] = []
        while not told or told[-1].status != status:
            told += self.next("user").orders
        return told


@pytest.fixture(scope="module")
def account(exchange: ExchangeProcess) -> PaperAccount:
    exchange.set_price("BTC/USD", "50000")
    return exchange.open_account("coinbase", "user-client", BALANCES)


@pytest.fixture
def caller(exchange: ExchangeProcess, account: PaperAccount) -> Iterator[CoinbaseCaller]:
    with CoinbaseCaller(exchange, account) as opened:
        yield opened


@pytest.fixture
def listener(exchange: ExchangeProcess, account: PaperAccount) -> Iterator[Listener]:
    opened = Listener(exchange, account)
    yield opened
    opened.client.close()


def test_it_hears_the_account_s_orders_and_the_heart_beat(listener: Listener, caller: CoinbaseCaller) -> None:
    rests = caller.placed("rests", "limit_limit_gtc", base_size="0.01", limit_price="40000")
    listener.client.user(product_ids=[PRODUCT])
    [shown] = listener.next("user").orders
    assert (shown.order_id, shown.status, shown.limit_price) == (rests, "OPEN", "40000")
    listener.client.heartbeats()
    assert listener.next("heartbeats").heartbeat_counter > 0
    order_id = caller.placed("fills", "market_market_ioc", base_size="0.02")
    told = listener.until("FILLED")
    assert {order.order_id for order in told} == {order_id} and told[-1].client_order_id == "fills"
    assert Decimal(told[-1].cumulative_quantity) == Decimal("0.02") and told[-1].order_side == "BUY"
    assert told[-1].total_fees == caller.shown(order_id)["total_fees"]
    caller.post("orders/batch_cancel", {"order_ids": [rests]})
    assert listener.until("CANCELLED")[-1].order_id == rests


def test_it_hears_of_every_product_when_it_names_none(listener: Listener, caller: CoinbaseCaller) -> None:
    listener.client.user(product_ids=[])
    assert listener.next("user").orders == []
    caller.placed("any", "market_market_ioc", base_size="0.01")
    assert listener.until("FILLED")[-1].product_id == PRODUCT
    listener.client.user_unsubscribe(product_ids=[])
    assert "user" not in listener.next("subscriptions").subscriptions
