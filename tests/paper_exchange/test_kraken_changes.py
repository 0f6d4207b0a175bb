"""Amending, editing and cancelling by a dead man's switch at Kraken's front."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from paper_exchange.rate_counters import amend_cost, edit_cost
from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.kraken_client import KrakenClient

OpenKraken = Callable[..., KrakenClient]
REST: dict[str, Any] = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01", "price": "1000"}
CLIENT_ID = str(UUID(int=8, version=4))
SECOND = 1_000_000_000


def order_of(kraken: KrakenClient, order_id: str) -> dict[str, Any]:
    order: dict[str, Any] = kraken.ok("QueryOrders", txid=order_id)[order_id]
    return order


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def test_an_amended_order_keeps_its_ids_and_shows_its_new_terms(
    kraken: KrakenClient, exchange: ExchangeProcess
) -> None:
    order_id = kraken.ok("AddOrder", REST, cl_ord_id=CLIENT_ID)["txid"][0]
    answer = kraken.ok("AmendOrder", cl_ord_id=CLIENT_ID, order_qty="0.02", limit_price="1100.5")
    assert re.fullmatch(r"T[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", answer["amend_id"])
    order = kraken.ok("OpenOrders")["open"][order_id]
    assert (order["vol"], order["descr"]["price"], order["misc"]) == ("0.02000000", "1100.5", "amended")
    assert order["cl_ord_id"] == CLIENT_ID
    request, accept, second, amended = exchange.journal(account=kraken.account.name)[:4]
    assert (request["type"], accept["type"], second["endpoint"]) == ("request", "accept", "AmendOrder")
    assert (second["quantity"], second["price"], second["client_order_id"]) == ("0.02", "1100.5", CLIENT_ID)
    assert (amended["type"], amended["order_id"], amended["client_order_id"]) == ("amend", order_id, CLIENT_ID)
    assert (Decimal(amended["quantity"]), Decimal(amended["price"])) == (Decimal("0.02"), Decimal("1100.5"))
    assert amended["nonce"] == second["nonce"]


def test_the_amendments_of_an_order_can_be_read_back(kraken: KrakenClient) -> None:
    order_id = kraken.ok("AddOrder", REST)["txid"][0]
    (first,) = kraken.ok("OrderAmends", order_id=order_id)["amends"]
    assert (first["amend_type"], first["order_qty"], first["limit_price"]) == ("original", "0.01000000", "1000.0")
    amend_id = kraken.ok("AmendOrder", txid=order_id, limit_price="1200")["amend_id"]
    told = kraken.ok("OrderAmends", order_id=order_id)
    assert told["count"] == 2 and told["amends"][0] == first
    last = told["amends"][1]
    assert (last["amend_id"], last["amend_type"], last["limit_price"]) == (amend_id, "user", "1200.0")
    assert (last["order_qty"], last["remaining_qty"], last["reason"]) == ("0.01000000", "0.01000000", "User requested")
    assert last["timestamp"] >= first["timestamp"] > 1_700_000_000_000


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, "EGeneral:Invalid arguments:order_qty"),
        ({"order_qty": "x"}, "EGeneral:Invalid arguments:order_qty"),
        ({"order_qty": "0"}, "EGeneral:Invalid arguments:order_qty"),
        ({"limit_price": "1000.05"}, "EOrder:Invalid price"),
        ({"order_qty": "100"}, "EOrder:Insufficient funds"),
        ({"order_qty": "0.00001"}, "EGeneral:Invalid arguments:volume minimum not met"),
        ({"trigger_price": "900"}, "EGeneral:Invalid arguments:ordertype"),
        ({"display_qty": "0.001"}, "EGeneral:Invalid arguments:display_qty"),
        ({"limit_price": "900000", "post_only": "true"}, "EOrder:Insufficient funds|EOrder:Post only order"),
    ],
)
def test_an_amendment_that_cannot_be_is_refused_and_changes_nothing(
    kraken: KrakenClient, change: dict[str, str], error: str
) -> None:
    order_id = kraken.ok("AddOrder", REST)["txid"][0]
    before = order_of(kraken, order_id)
    text = kraken.refused("AmendOrder", {"txid": order_id, **change})
    assert any(text.startswith(one) for one in error.split("|")), text
    assert order_of(kraken, order_id) == before


def test_only_open_orders_of_the_account_can_be_amended(kraken: KrakenClient, open_kraken: OpenKraken) -> None:
    order_id = kraken.ok("AddOrder", REST)["txid"][0]
    stranger = open_kraken({"USD": "1000"})
    assert stranger.refused("AmendOrder", txid=order_id, limit_price="900") == "EOrder:Invalid order"
    assert stranger.refused("OrderAmends", order_id=order_id) == "EOrder:Invalid order"
    kraken.ok("CancelOrder", txid=order_id)
    assert kraken.refused("AmendOrder", txid=order_id, limit_price="900") == "EOrder:Unknown order"
    assert kraken.refused("AmendOrder", cl_ord_id=CLIENT_ID, limit_price="900") == "EOrder:Unknown order"
    assert kraken.refused("AmendOrder", limit_price="900") == "EGeneral:Invalid arguments:txid"
    assert kraken.ok("OrderAmends", order_id=order_id)["count"] == 1


def test_an_order_with_a_conditional_close_cannot_be_amended(kraken: KrakenClient) -> None:
    close = {"close[ordertype]": "limit", "close[price]": "#10%"}
    order_id = kraken.ok("AddOrder", {**REST, **close})["txid"][0]
    assert kraken.refused("AmendOrder", txid=order_id, limit_price="900") == "EGeneral:Invalid arguments:close"


def test_an_amendment_that_arrives_after_its_deadline_changes_nothing(
    kraken: KrakenClient, exchange: ExchangeProcess
) -> None:
    order_id = kraken.ok("AddOrder", REST)["txid"][0]
    exchange.fault({"kind": "delay", "seconds": 2.3}, account=kraken.account.name, endpoint="AmendOrder")
    deadline = (datetime.now(UTC) + timedelta(seconds=2.2)).isoformat()
    text = kraken.refused("AmendOrder", txid=order_id, limit_price="900", deadline=deadline)
    assert text in ("EService:Deadline elapsed", "EGeneral:Invalid arguments:deadline")
    assert order_of(kraken, order_id)["descr"]["price"] == "1000.0"


def test_an_order_amended_into_the_market_fills(kraken: KrakenClient) -> None:
    order_id = kraken.ok("AddOrder", REST)["txid"][0]
    kraken.ok("AmendOrder", txid=order_id, limit_price="+1%")
    order = order_of(kraken, order_id)
    assert (order["status"], order["vol_exec"]) == ("closed", "0.01000000")


def test_an_edited_order_is_replaced_by_another(kraken: KrakenClient, exchange: ExchangeProcess) -> None:
    old_id = kraken.ok("AddOrder", {**REST, "oflags": "post"}, userref=5)["txid"][0]
    answer = kraken.ok("EditOrder", txid=old_id, pair="XBTUSD", volume="0.02", price="1100", userref=6)
    assert (answer["status"], answer["originaltxid"], answer["orders_cancelled"]) == ("ok", old_id, 1)
    assert (answer["volume"], answer["price"]) == ("0.02000000", "1100.0")
    assert (answer["olduserref"], answer["newuserref"]) == (5, 6)
    assert answer["descr"]["order"] == "buy 0.02000000 XBTUSD @ limit 1100.0"
    new_id = answer["txid"]
    assert list(kraken.ok("OpenOrders")["open"]) == [new_id] != [old_id]
    assert order_of(kraken, new_id)["oflags"] == "post,fciq"
    old = order_of(kraken, old_id)
    assert (old["status"], old["reason"]) == ("canceled", "Order replaced")
    lines = [line["type"] for line in exchange.journal(account=kraken.account.name, endpoint="EditOrder")]
    assert lines == ["request", "cancel", "accept"]


def test_an_edit_takes_over_what_it_does_not_say(kraken: KrakenClient) -> None:
    stop = {**REST, "type": "sell", "ordertype": "stop-loss-limit", "price": "1000", "price2": "990"}
    old_id = kraken.ok("AddOrder", stop)["txid"][0]
    answer = kraken.ok("EditOrder", txid=old_id, pair="XBTUSD", price="1001")
    order = order_of(kraken, answer["txid"])
    assert order["descr"]["order"] == "sell 0.01000000 XBTUSD @ stop loss 1001.0 -> limit 990.0"


def test_an_edit_that_cannot_be_right_changes_nothing_and_one_without_money_loses_the_order(
    kraken: KrakenClient,
) -> None:
    order_id = kraken.ok("AddOrder", REST)["txid"][0]
    assert kraken.refused("EditOrder", txid=order_id, pair="ETHUSD", price="900") == "EGeneral:Invalid arguments:pair"
    assert "price" in kraken.refused("EditOrder", txid=order_id, pair="XBTUSD", price="900.05").lower()
    checked = kraken.ok("EditOrder", txid=order_id, pair="XBTUSD", price="900", validate="true")
    assert checked == {"descr": {"order": "buy 0.01000000 XBTUSD @ limit 900.0"}}
    assert order_of(kraken, order_id)["status"] == "open"
    answer = kraken.ok("EditOrder", txid=order_id, pair="XBTUSD", volume="100")
    assert (answer["status"], answer["error_message"]) == ("err", "EOrder:Insufficient funds")
    assert "txid" not in answer and order_of(kraken, order_id)["status"] == "canceled"


def test_an_order_with_a_client_id_cannot_be_edited(kraken: KrakenClient) -> None:
    order_id = kraken.ok("AddOrder", REST, cl_ord_id=CLIENT_ID)["txid"][0]
    text = kraken.refused("EditOrder", txid=order_id, pair="XBTUSD", price="900")
    assert text == "EGeneral:Invalid arguments:cl_ord_id"


def test_edits_and_batches_need_the_right_to_cancel_too(open_kraken: OpenKraken) -> None:
    adder = open_kraken({"USD": "1000"}, permissions=["modify-trades", "query-open-trades"])
    order_id = adder.ok("AddOrder", REST)["txid"][0]
    assert adder.refused("EditOrder", txid=order_id, pair="XBTUSD", price="900") == "EGeneral:Permission denied"
    batch = adder.post_json("AddOrderBatch", {"pair": "XBTUSD", "orders": [REST, REST]})
    assert batch == {"error": ["EGeneral:Permission denied"]}
    adder.ok("AmendOrder", txid=order_id, limit_price="900")
    assert adder.ok("OrderAmends", order_id=order_id)["count"] == 2
    adder.ok("CancelOrder", txid=order_id)
    assert adder.refused("OrderAmends", order_id=order_id) == "EGeneral:Permission denied"


def test_a_batch_with_an_order_that_breaks_a_rule_places_none(kraken: KrakenClient) -> None:
    good = {name: value for name, value in REST.items() if name != "pair"}
    for bad in ({"volume": "0.00000001"}, {"price": "1000.05"}):
        answer = kraken.post_json("AddOrderBatch", {"pair": "XBTUSD", "orders": [good, {**good, **bad}]})
        assert "result" not in answer
    closing = {**good, "close": {"ordertype": "limit", "price": "2000"}}
    placed, closed = kraken.post_json("AddOrderBatch", {"pair": "XBTUSD", "orders": [good, closing]})["result"][
        "orders"
    ]
    assert set(placed) == {"descr", "txid"} and closed["close"] == "close position @ limit 2000"
    assert set(kraken.ok("OpenOrders")["open"]) == {placed["txid"], closed["txid"]}


def test_the_dead_mans_switch_cancels_everything_unless_it_is_renewed(
    kraken: KrakenClient, exchange: ExchangeProcess
) -> None:
    ids = {kraken.ok("AddOrder", REST)["txid"][0] for _ in range(2)}
    answer = kraken.ok("CancelAllOrdersAfter", timeout=60)
    assert moment(answer["triggerTime"]) - moment(answer["currentTime"]) == timedelta(seconds=60)
    armed = kraken.ok("CancelAllOrdersAfter", timeout=1)
    cancelled = wait_until(
        lambda: len(lines := exchange.journal(account=kraken.account.name, type="cancel")) == 2 and lines,
        seconds=10,
        what="the switch to go off, though nobody calls",
    )
    assert {line["order_id"] for line in cancelled} == ids
    assert {line["endpoint"] for line in cancelled} == {"CancelAllOrdersAfter"}
    late = datetime.fromisoformat(cancelled[0]["time"]) - moment(armed["triggerTime"])
    assert timedelta(0) <= late < timedelta(seconds=1.1), "at the moment it was set for, whenever that is noticed"
    order_id = kraken.ok("AddOrder", REST)["txid"][0]
    assert order_of(kraken, order_id)["status"] == "open", "it goes off once"


def test_a_switch_taken_off_does_not_go_off(kraken: KrakenClient, exchange: ExchangeProcess) -> None:
    order_id = kraken.ok("AddOrder", REST)["txid"][0]
    armed = kraken.ok("CancelAllOrdersAfter", timeout=1)
    assert kraken.ok("CancelAllOrdersAfter", timeout=0)["triggerTime"] == "0"
    over = moment(armed["triggerTime"]).timestamp() + 1.2
    wait_until(lambda: kraken.public("Time")["unixtime"] > over, seconds=15, what="the time to pass")
    assert order_of(kraken, order_id)["status"] == "open"


@pytest.mark.parametrize("timeout", ["", "-1", "86400", "1.5", "soon"])
def test_a_switch_needs_whole_seconds_of_less_than_a_day(kraken: KrakenClient, timeout: str) -> None:
    assert kraken.refused("CancelAllOrdersAfter", timeout=timeout) == "EGeneral:Invalid arguments:timeout"


def test_a_switch_and_amendments_outlast_a_restart(tmp_path: Path) -> None:
    with ExchangeProcess(seed=3, state=tmp_path / "state") as exchange:
        kraken = KrakenClient(exchange.rest_url("kraken"), exchange.open_account("kraken", "one", {"USD": "1000"}))
        order_id = kraken.ok("AddOrder", REST)["txid"][0]
        kraken.ok("AmendOrder", txid=order_id, limit_price="900")
        amends = kraken.ok("OrderAmends", order_id=order_id)
        kraken.ok("CancelAllOrdersAfter", timeout=2)
        exchange.kill()
        exchange.start()
        kraken.url = exchange.rest_url("kraken")
        assert kraken.ok("OrderAmends", order_id=order_id) == amends
        (line,) = wait_until(lambda: exchange.journal(account="one", type="cancel"), seconds=10, what="the switch")
        assert line["order_id"] == order_id
        kraken.close()


@pytest.mark.parametrize(
    ("age", "amend", "edit"), [(0, 4, 7), (5, 3, 6), (10, 2, 5), (15, 1, 3), (45, 1, 2), (90, 1, 1)]
)
def test_the_younger_an_order_the_dearer_its_change(age: int, amend: float, edit: float) -> None:
    assert (amend_cost(age * SECOND), edit_cost(age * SECOND)) == (amend, edit)


def test_an_amendment_that_ends_the_order_is_paid_like_a_cancel() -> None:
    assert amend_cost(7 * SECOND, cancels=True) == 7


def test_changes_count_as_order_traffic_and_an_amendment_makes_an_order_young(open_kraken: OpenKraken) -> None:
    strict = open_kraken({"USD": "100000"}, tier="starter", strict=True)
    order_id = strict.ok("AddOrder", REST)["txid"][0]
    amended = [strict.call("AmendOrder", txid=order_id, limit_price=str(900 + step))["error"] for step in range(20)]
    # The limit is 60, an order 1 and a change of a young one 4; the counter falls by one a second meanwhile.
    refused = [error for error in amended if error]
    assert 14 <= len(amended) - len(refused) <= 17
    assert {text for error in refused for text in error} == {"EOrder:Rate limit exceeded"}
    assert strict.ok("CancelOrderBatch", {"orders": order_id}) == {"count": 1}, "batch cancels are never refused"
