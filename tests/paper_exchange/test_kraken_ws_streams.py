"""Executions and balances: what comes, in which order, and that it is what REST shows too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.kraken_client import KrakenClient
from tests.paper_exchange.socket_client import Message, SocketClient, private_socket

MARKET = {"order_type": "market", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.001}
LIMIT = {"order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.01, "limit_price": 20000}


@pytest.fixture
def socket(exchange: ExchangeProcess, kraken: KrakenClient) -> Iterator[SocketClient]:
    with private_socket(exchange.addresses, kraken) as client:
        yield client


def _updates(socket: SocketClient, channel: str, count: int) -> list[Message]:
    return [socket.push(channel, "update") for _ in range(count)]


def test_the_answer_names_what_can_be_subscribed_with_again(socket: SocketClient) -> None:
    result = socket.ok("subscribe", channel="executions", snap_trades=True)
    assert result == {"channel": "executions", "maxratecount": 125, "snap_orders": True, "snap_trades": True}
    assert socket.refused("subscribe", channel="executions") == "Already subscribed"
    assert socket.ok("unsubscribe", channel="executions") == {"channel": "executions"}
    assert socket.refused("unsubscribe", channel="executions") == "Subscription Not Found"
    again = {name: value for name, value in result.items() if name != "maxratecount"}
    assert socket.ok("subscribe", again) == result


def test_the_snapshot_is_number_one_and_every_message_counts_on(socket: SocketClient) -> None:
    for channel in ("executions", "balances"):
        socket.ok("subscribe", channel=channel)
        assert socket.push(channel, "snapshot")["sequence"] == 1
    for _ in range(2):
        socket.ok("add_order", MARKET)
    assert [message["sequence"] for message in _updates(socket, "executions", 8)] == list(range(2, 10))
    assert [message["sequence"] for message in _updates(socket, "balances", 4)] == list(range(2, 6))
    socket.ok("unsubscribe", channel="executions")
    socket.ok("subscribe", channel="executions")
    assert socket.push("executions", "snapshot")["sequence"] == 1


def test_a_market_order_goes_through_its_four_states(kraken: KrakenClient, socket: SocketClient) -> None:
    socket.ok("subscribe", channel="executions")
    order_id = socket.ok("add_order", MARKET, cl_ord_id="bought")["order_id"]
    pending, new, trade, filled = (message["data"][0] for message in _updates(socket, "executions", 4))
    assert [item["exec_type"] for item in (pending, new, trade, filled)] == ["pending_new", "new", "trade", "filled"]
    assert {item["order_id"] for item in (pending, new, trade, filled)} == {order_id}
    assert pending["cl_ord_id"] == trade["cl_ord_id"] == "bought" and pending["symbol"] == "BTC/USD"
    assert set(new) == {"order_id", "order_userref", "exec_type", "order_status", "timestamp"}
    assert "symbol" not in filled and "cl_ord_id" not in filled
    # The last fill does not say that it was the last: quantities do.
    assert trade["order_status"] == "partially_filled" and trade["cum_qty"] == pending["order_qty"]
    history = kraken.ok("TradesHistory")["trades"]
    assert list(history) == [trade["exec_id"]]
    shown = history[trade["exec_id"]]
    assert shown["trade_id"] == trade["trade_id"] and shown["ordertxid"] == order_id
    assert [Decimal(shown[name]) for name in ("price", "cost", "vol")] == [
        trade["last_price"], trade["cost"], trade["last_qty"],
    ]  # fmt: skip
    assert Decimal(shown["fee"]) == trade["fees"][0]["qty"] and trade["fees"][0]["asset"] == "USD"


def test_a_cancelled_order_says_little(socket: SocketClient) -> None:
    socket.ok("subscribe", channel="executions")
    order_id = socket.ok("add_order", LIMIT, cl_ord_id="gone")["order_id"]
    socket.ok("cancel_order", order_id=[order_id])
    item = socket.event("canceled")
    assert item["order_id"] == order_id and item["reason"] == item["cancel_reason"] == "User requested"
    assert not {"symbol", "side", "cl_ord_id"} & set(item)
    assert item["cum_qty"] == 0


def test_orders_over_rest_and_fills_of_resting_orders_come_too(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient
) -> None:
    socket.ok("subscribe", channel="executions")
    exchange.pause()
    exchange.set_price("ETH/USD", "3000")
    try:
        rest = {"pair": "ETHUSD", "type": "buy", "ordertype": "limit", "volume": "0.1", "price": "2500"}
        (order_id,) = kraken.ok("AddOrder", rest)["txid"]
        assert socket.event("pending_new")["order_id"] == order_id
        exchange.set_price("ETH/USD", "2400")
        trade = socket.event("trade")
        assert (trade["order_id"], trade["liquidity_ind"], trade["last_price"]) == (order_id, "m", 2500)
    finally:
        exchange.pause(paused=False)


def test_the_snapshot_shows_open_orders_and_on_request_the_last_fills(
    kraken: KrakenClient, socket: SocketClient
) -> None:
    socket.ok("add_order", MARKET)
    open_id = socket.ok("add_order", LIMIT, cl_ord_id="open")["order_id"]
    socket.ok("subscribe", channel="executions", snap_trades=True)
    order, trade = socket.push("executions", "snapshot")["data"]
    assert (order["order_id"], order["cl_ord_id"], order["exec_type"]) == (open_id, "open", "new")
    assert order["limit_price"] == 20000 and order["cum_qty"] == 0
    assert trade["exec_type"] == "trade" and trade["order_status"] == "filled"
    assert [trade["exec_id"]] == list(kraken.ok("TradesHistory")["trades"])


def test_a_snapshot_shows_the_last_fifty_fills_only(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    with private_socket(exchange.addresses, kraken) as socket:
        for _ in range(60):
            socket.ok("add_order", {**MARKET, "order_qty": 0.0001})
        socket.ok("subscribe", channel="executions", snap_trades=True, snap_orders=False)
        trades = socket.push("executions", "snapshot")["data"]
    assert 50 == len(trades) == len({trade["exec_id"] for trade in trades})
    newest = [line["trade_id"] for line in exchange.journal(type="fill", account=kraken.account.name)][-1]
    assert trades[-1]["exec_id"] == newest


def test_without_snapshots_the_first_update_is_number_one(socket: SocketClient) -> None:
    socket.ok("subscribe", channel="executions", snap_orders=False)
    socket.ok("add_order", LIMIT)
    assert socket.push("executions")["type"] == "update"
    assert socket.push("executions")["sequence"] == 2


def test_without_order_status_only_what_changes_an_order_for_good_comes(socket: SocketClient) -> None:
    socket.ok("subscribe", channel="executions", order_status=False)
    socket.push("executions", "snapshot")
    socket.ok("add_order", MARKET)
    kinds = [message["data"][0]["exec_type"] for message in _updates(socket, "executions", 3)]
    assert kinds == ["new", "trade", "filled"]


def test_balances_are_totals_and_then_ledger_entries(kraken: KrakenClient, socket: SocketClient) -> None:
    socket.ok("subscribe", channel="balances")
    shown = {item["asset"]: item["balance"] for item in socket.push("balances", "snapshot")["data"]}
    assert shown == {"USD": 10000, "BTC": 1}
    socket.ok("add_order", MARKET)
    base, quote = (message["data"][0] for message in _updates(socket, "balances", 2))
    ledger = kraken.ok("Ledgers", type="trade")["ledger"]
    assert {base["ledger_id"], quote["ledger_id"]} == set(ledger)
    assert base["ref_id"] == quote["ref_id"] == ledger[base["ledger_id"]]["refid"]
    assert (base["asset"], quote["asset"], quote["type"]) == ("BTC", "USD", "trade")
    assert quote["balance"] == Decimal(kraken.ok("Balance")["ZUSD"]) == 10000 + quote["amount"] - quote["fee"]


def test_a_deposit_changes_the_balance(exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient) -> None:
    socket.ok("subscribe", channel="balances")
    name = kraken.account.name
    exchange.control("POST", f"/accounts/kraken/{name}/deposit", {"asset": "USD", "amount": "5"})
    item: dict[str, Any] = socket.push("balances", "update")["data"][0]
    assert (item["type"], item["amount"], item["balance"]) == ("deposit", 5, 10005)


def test_amounts_have_trailing_zeros(socket: SocketClient) -> None:
    socket.ok("subscribe", channel="executions")
    socket.ok("add_order", MARKET)
    socket.event("filled")
    (trade,) = (text for text in socket.texts if '"exec_type":"trade"' in text)
    assert '"last_qty":0.00100000,' in trade and '"cum_qty":0.00100000,' in trade


def test_the_answer_leaves_before_the_updates_it_causes(socket: SocketClient) -> None:
    socket.ok("subscribe", channel="executions")
    socket.push("executions", "snapshot")
    seen = len(socket.texts)
    for number in range(20):
        socket.request("add_order", MARKET, cl_ord_id=f"n{number}")
    for _ in range(100):
        socket.receive()
    texts = [text for text in socket.texts[seen:] if "heartbeat" not in text]
    for number in range(20):
        answer = next(i for i, text in enumerate(texts) if f'"cl_ord_id":"n{number}"' in text and "req_id" in text)
        update = next(i for i, text in enumerate(texts) if f'"cl_ord_id":"n{number}"' in text and "pending_new" in text)
        assert answer < update


def test_two_sockets_of_an_account_see_the_same(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    with private_socket(exchange.addresses, kraken) as one, private_socket(exchange.addresses, kraken) as other:
        for socket in (one, other):
            socket.ok("subscribe", channel="executions")
        one.ok("add_order", MARKET)
        assert one.event("filled") == other.event("filled")
        other.close()
        order_id = one.ok("add_order", LIMIT)["order_id"]
        assert one.wait_for(lambda message: order_id in str(message.get("data")))["sequence"] == 6


def test_nobody_sees_anothers_orders(exchange: ExchangeProcess, open_kraken: Callable[..., KrakenClient]) -> None:
    mine, others = open_kraken({"USD": "1000"}), open_kraken({"USD": "1000"})
    with private_socket(exchange.addresses, mine) as socket:
        for channel in ("executions", "balances"):
            socket.ok("subscribe", channel=channel)
            socket.push(channel, "snapshot")
        others.ok("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.001")
        socket.push("heartbeat")
        assert [one for one in socket.messages if one.get("type") == "update" and one["channel"] != "status"] == []


def test_a_token_stays_good_where_a_subscription_uses_it_and_is_refused_elsewhere_once_revoked(
    exchange: ExchangeProcess, kraken: KrakenClient, socket: SocketClient
) -> None:
    socket.ok("subscribe", channel="executions")
    exchange.fault("stale_token", account=kraken.account.name, endpoint="ws/add_order")
    with SocketClient(exchange.addresses["kraken"]["ws_auth"] + "/v2", socket.token) as other:
        assert other.refused("add_order", LIMIT) == "ESession:Invalid session"
        assert other.refused("cancel_all") == "ESession:Invalid session"
    assert socket.ok("add_order", LIMIT)["order_id"]


def test_a_refused_token_says_which_channel(socket: SocketClient) -> None:
    answer = socket.ask("subscribe", channel="executions", token="no such token")
    assert answer["error"] == "ESession:Invalid session" and answer["success"] is False
    assert (answer["channel"], answer["status"]) == ("executions", "error")
