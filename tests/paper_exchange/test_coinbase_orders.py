"""The Coinbase front's orders and fills, over the wire; the exchange's journal is the proof."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paper_exchange.clock import SystemClock, rfc3339
from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.coinbase_caller import CoinbaseCaller

LAST = Decimal("50000")
BALANCES = {"USD": "100000", "BTC": "10", "ETH": "10"}
BUY_LIMIT = "40000.0"


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=13) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[CoinbaseCaller]:
    """An account of its own for every test, and Bitcoin at 50,000."""
    exchange.clear_faults()
    exchange.set_price("BTC/USD", LAST)
    account = exchange.open_account("coinbase", request.node.name[:60], BALANCES)
    with CoinbaseCaller(exchange, account) as opened:
        yield opened


def _later(seconds: float) -> str:
    return rfc3339(SystemClock().now_ns() + int(seconds * 1e9))


def _total(wallet: dict[str, Any]) -> Decimal:
    return Decimal(wallet["available_balance"]["value"]) + Decimal(wallet["hold"]["value"])


def _accepts(exchange: ExchangeProcess, caller: CoinbaseCaller) -> list[dict[str, Any]]:
    return exchange.journal(type="accept", brokerage="coinbase", account=caller.account.name)


def test_a_market_buy_by_money_spends_no_more_than_that_with_its_fee(caller: CoinbaseCaller) -> None:
    order = caller.shown(caller.placed("a1", "market_market_ioc", quote_size="500"))
    assert order["status"] == "FILLED" and order["settled"] is True and order["order_type"] == "MARKET"
    assert order["size_in_quote"] is True and order["size_inclusive_of_fees"] is True
    spent = Decimal(order["total_value_after_fees"])
    assert Decimal("499.9") < spent <= 500
    assert spent == Decimal(order["filled_value"]) + Decimal(order["total_fees"])
    assert _total(caller.wallet("USD")) == 100000 - spent
    assert _total(caller.wallet("BTC")) == 10 + Decimal(order["filled_size"])


def test_a_market_order_by_quantity_trades_exactly_that(caller: CoinbaseCaller) -> None:
    bought = caller.shown(caller.placed("b1", "market_market_ioc", base_size="0.01"))
    sold = caller.shown(caller.placed("b2", "market_market_ioc", side="SELL", base_size="0.02"))
    assert (bought["status"], bought["filled_size"]) == ("FILLED", "0.01")
    assert (sold["status"], sold["filled_size"], sold["side"]) == ("FILLED", "0.02", "SELL")
    assert _total(caller.wallet("BTC")) == Decimal("9.99")
    received = Decimal(sold["filled_value"]) - Decimal(sold["total_fees"])
    assert Decimal(sold["total_value_after_fees"]) == received


def test_fills_of_an_order_sized_in_money_are_sized_in_money(caller: CoinbaseCaller) -> None:
    by_money = caller.placed("f1", "market_market_ioc", quote_size="200")
    by_quantity = caller.placed("f2", "market_market_ioc", base_size="0.003")
    money = caller.get("orders/historical/fills", order_ids=[by_money]).body["fills"]
    quantity = caller.get("orders/historical/fills", order_ids=[by_quantity]).body["fills"]
    assert all(fill["size_in_quote"] for fill in money) and not any(fill["size_in_quote"] for fill in quantity)
    base = sum(Decimal(fill["size"]) / Decimal(fill["price"]) for fill in money)
    assert base == Decimal(caller.shown(by_money)["filled_size"])
    assert sum(Decimal(fill["size"]) for fill in quantity) == Decimal("0.003")
    assert {fill["liquidity_indicator"] for fill in money + quantity} == {"TAKER"}


def test_a_limit_order_rests_and_can_be_cancelled_once(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    order_id = caller.placed("c1", "limit_limit_gtc", base_size="0.1", limit_price=BUY_LIMIT)
    order = caller.shown(order_id)
    assert order["status"] == "OPEN" and order["time_in_force"] == "GOOD_UNTIL_CANCELLED"
    assert order["order_configuration"] == {
        "limit_limit_gtc": {"base_size": "0.1", "limit_price": BUY_LIMIT, "post_only": False}
    }
    assert Decimal(order["outstanding_hold_amount"]) >= 4000
    first = caller.post("orders/batch_cancel", {"order_ids": [order_id]}).body["results"]
    again = caller.post("orders/batch_cancel", {"order_ids": [order_id, "no-such-order"]}).body["results"]
    assert first == [{"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": order_id}]
    assert [row["failure_reason"] for row in again] == ["INVALID_CANCEL_REQUEST", "UNKNOWN_CANCEL_ORDER"]
    assert caller.shown(order_id)["status"] == "CANCELLED"
    assert [line["order_id"] for line in exchange.journal(type="cancel", account=caller.account.name)] == [order_id]


def test_nobody_can_see_or_cancel_another_accounts_order(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    order_id = caller.placed("o1", "limit_limit_gtc", base_size="0.1", limit_price=BUY_LIMIT)
    with CoinbaseCaller(exchange, exchange.open_account("coinbase", "stranger")) as stranger:
        assert stranger.get(f"orders/historical/{order_id}").status == 404
        result = stranger.post("orders/batch_cancel", {"order_ids": [order_id]}).body["results"][0]
        assert result["success"] is False
    assert caller.shown(order_id)["status"] == "OPEN"


def test_a_resting_order_fills_as_maker_when_the_price_comes(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    order_id = caller.placed("m1", "limit_limit_gtc", base_size="0.1", limit_price=BUY_LIMIT, post_only=True)
    exchange.set_price("BTC/USD", "39000")
    order = wait_until(lambda: _if_status(caller.shown(order_id), "FILLED"), what="the fill")
    assert Decimal(order["average_filled_price"]) <= Decimal(BUY_LIMIT)
    fills = caller.get("orders/historical/fills", order_id=order_id).body["fills"]
    assert {fill["liquidity_indicator"] for fill in fills} == {"MAKER"}


def test_immediate_and_all_or_nothing_orders_never_rest(caller: CoinbaseCaller) -> None:
    missed = caller.shown(caller.placed("i1", "sor_limit_ioc", base_size="0.1", limit_price=BUY_LIMIT))
    filled = caller.shown(caller.placed("i2", "sor_limit_ioc", base_size="0.01", limit_price="60000.0"))
    assert (missed["status"], missed["filled_size"]) == ("CANCELLED", "0")
    assert filled["status"] == "FILLED" and filled["time_in_force"] == "IMMEDIATE_OR_CANCEL"
    whole = caller.shown(caller.placed("i3", "limit_limit_fok", base_size="0.01", limit_price="60000.0"))
    assert whole["status"] == "FILLED" and whole["time_in_force"] == "FILL_OR_KILL"


def test_an_order_with_an_end_expires(caller: CoinbaseCaller) -> None:
    fields = {"base_size": "0.1", "limit_price": BUY_LIMIT, "end_time": _later(1.2)}
    order_id = caller.placed("g1", "limit_limit_gtd", **fields)
    assert caller.shown(order_id)["time_in_force"] == "GOOD_UNTIL_DATE_TIME"
    wait_until(lambda: _if_status(caller.shown(order_id), "EXPIRED"), what="the expiry")
    assert caller.refused("g2", "limit_limit_gtd", **{**fields, "end_time": _later(-5)})["error"] == "INVALID_REQUEST"


def test_a_stop_waits_then_sells_at_its_limit_or_better(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    order_id = caller.placed(
        "s1",
        "stop_limit_stop_limit_gtc",
        side="SELL",
        base_size="0.1",
        limit_price="44000.0",
        stop_price="45000.0",
        stop_direction="STOP_DIRECTION_STOP_DOWN",
    )
    waiting = caller.shown(order_id)
    assert (waiting["status"], waiting["trigger_status"], waiting["order_type"]) == (
        "OPEN",
        "STOP_PENDING",
        "STOP_LIMIT",
    )
    exchange.set_price("BTC/USD", "44900")
    order = wait_until(lambda: _if_status(caller.shown(order_id), "FILLED"), what="the stop")
    assert order["trigger_status"] == "STOP_TRIGGERED"
    assert Decimal(order["average_filled_price"]) >= 44000


@pytest.mark.parametrize(
    ("side", "direction", "stop", "reason"),
    [
        ("SELL", "STOP_DIRECTION_STOP_DOWN", "55000.0", "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
        ("BUY", "STOP_DIRECTION_STOP_UP", "45000.0", "PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE"),
        ("SELL", "STOP_DIRECTION_STOP_UP", "45000.0", "PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE"),
        ("BUY", "STOP_DIRECTION_STOP_DOWN", "55000.0", "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
    ],
)
def test_a_stop_on_the_wrong_side_of_the_last_trade_is_refused(
    caller: CoinbaseCaller, side: str, direction: str, stop: str, reason: str
) -> None:
    error = caller.refused(
        "w1",
        "stop_limit_stop_limit_gtc",
        side=side,
        base_size="0.1",
        limit_price=stop,
        stop_price=stop,
        stop_direction=direction,
    )
    assert error["preview_failure_reason"] == reason and error["error"] == "UNKNOWN_FAILURE_REASON"


@pytest.mark.parametrize(
    ("form", "fields", "reason"),
    [
        ("market_market_ioc", {"quote_size": "1000000"}, "INSUFFICIENT_FUND"),
        ("limit_limit_gtc", {"base_size": "5", "limit_price": BUY_LIMIT}, "INSUFFICIENT_FUND"),
        ("market_market_ioc", {"base_size": "0.01", "side": "HOLD"}, "INVALID_SIDE"),
        ("market_market_ioc", {"base_size": "0.01", "product": "NO-SUCH"}, "INVALID_PRODUCT_ID"),
        ("market_market_ioc", {"base_size": "0.00000001"}, "INVALID_BASE_SIZE_TOO_SMALL"),
        ("market_market_ioc", {"quote_size": "0.01"}, "INVALID_QUOTE_SIZE_TOO_SMALL"),
        ("market_market_ioc", {"quote_size": "60000000"}, "INVALID_QUOTE_SIZE_TOO_LARGE"),
        ("market_market_ioc", {"quote_size": "10.001"}, "INVALID_SIZE_PRECISION"),
        ("market_market_ioc", {"base_size": "0.0100000001"}, "INVALID_SIZE_PRECISION"),
        ("market_market_ioc", {"quote_size": "10", "side": "SELL"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        ("limit_limit_gtc", {"base_size": "0.01", "limit_price": "40000.00001"}, "INVALID_PRICE_PRECISION"),
        ("limit_limit_gtc", {"base_size": "0.01", "limit_price": "0"}, "INVALID_LIMIT_PRICE"),
        (
            "limit_limit_gtc",
            {"base_size": "0.01", "limit_price": "60000.0", "post_only": True},
            "INVALID_LIMIT_PRICE_POST_ONLY",
        ),
        ("trigger_bracket_gtc", {"base_size": "0.01", "limit_price": "60000.0"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        ("market_market_fok", {"base_size": "0.01"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ],
)
def test_a_refusal_is_a_200_with_the_venues_reason_and_changes_nothing(
    exchange: ExchangeProcess, caller: CoinbaseCaller, form: str, fields: dict[str, Any], reason: str
) -> None:
    since = exchange.last_seq()
    error = caller.refused("r1", form, **fields)
    assert reason in (error["error"], error["preview_failure_reason"].removeprefix("PREVIEW_"))
    assert _total(caller.wallet("USD")) == 100000 and _total(caller.wallet("BTC")) == 10
    lines = exchange.journal(since, account=caller.account.name, endpoint="orders")
    assert [line["type"] for line in lines] == ["request", "refuse"]
    assert (lines[1]["client_order_id"], lines[1]["error"]) == ("r1", reason)


def test_too_little_money_is_said_in_the_words_clients_know(caller: CoinbaseCaller) -> None:
    error = caller.refused("p1", "market_market_ioc", quote_size="2000000")
    assert error["error"] == "INSUFFICIENT_FUND"
    assert error["preview_failure_reason"] == "PREVIEW_INSUFFICIENT_FUND"
    assert error["message"] == "Insufficient balance in source account"


@pytest.mark.parametrize(
    "change",
    [
        {"client_order_id": ""},
        {"client_order_id": None},
        {"order_configuration": None},
        {"order_configuration": {}},
        {"order_configuration": {"market_market_ioc": {"base_size": 0.01}}},
        {"order_configuration": {"market_market_ioc": {"base_size": "1e-2"}}},
        {"order_configuration": {"market_market_ioc": {"base_size": "NaN"}}},
        {"order_configuration": {"market_market_ioc": {"base_size": "-1"}}},
        {"order_configuration": {"market_market_ioc": {}}},
        {"order_configuration": {"market_market_ioc": {"base_size": "0.01", "quote_size": "10"}}},
        {"order_configuration": {"limit_limit_gtc": {"base_size": "0.01"}}},
        {"order_configuration": {"limit_limit_gtd": {"base_size": "1", "limit_price": "1.0", "end_time": "soon"}}},
        {"order_configuration": {"market_market_ioc": {"base_size": "1"}, "sor_limit_ioc": {"base_size": "1"}}},
    ],
)
def test_what_is_not_an_order_is_a_400(
    exchange: ExchangeProcess, caller: CoinbaseCaller, change: dict[str, Any]
) -> None:
    body = {
        "client_order_id": "x1",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"market_market_ioc": {"base_size": "0.01"}},
    }
    answer = caller.post("orders", {**body, **change})
    assert answer.status == 400 and answer.body["error"] == "INVALID_ARGUMENT"
    assert caller.post("orders", [1]).status == 400
    assert _accepts(exchange, caller) == []


def test_a_repeated_client_order_id_gives_the_existing_order(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    first = caller.order("same", "market_market_ioc", base_size="0.01")
    again = caller.order("same", "market_market_ioc", base_size="0.01")
    other = caller.order("same", "limit_limit_gtc", side="SELL", base_size="3", limit_price="60000.0")
    assert first["success"] and first == again == other
    assert [line["client_order_id"] for line in _accepts(exchange, caller)] == ["same"]
    assert _total(caller.wallet("BTC")) == Decimal("10.01")
    assert len(exchange.journal(type="request", account=caller.account.name, client_order_id="same")) == 3


def test_two_accounts_may_use_the_same_client_order_id(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    mine = caller.placed("shared", "market_market_ioc", base_size="0.01")
    with CoinbaseCaller(exchange, exchange.open_account("coinbase", "namesake", BALANCES)) as other:
        assert other.placed("shared", "market_market_ioc", base_size="0.01") != mine


def test_the_id_of_a_refused_order_is_free(caller: CoinbaseCaller) -> None:
    caller.refused("again", "market_market_ioc", quote_size="1000000")
    assert caller.placed("again", "market_market_ioc", quote_size="100")


def test_a_client_order_id_is_remembered_over_a_restart(tmp_path: Path) -> None:
    with ExchangeProcess(seed=14, state=tmp_path / "state") as first:
        account = first.open_account("coinbase", "master", BALANCES)
        with CoinbaseCaller(first, account) as caller:
            order_id = caller.placed("kept", "market_market_ioc", base_size="0.01")
    with ExchangeProcess(seed=14, state=tmp_path / "state") as second:
        assert second.open_account("coinbase", "master") == account
        with CoinbaseCaller(second, account) as caller:
            assert caller.placed("kept", "market_market_ioc", base_size="0.01") == order_id
            assert _total(caller.wallet("BTC")) == Decimal("10.01")


def test_orders_are_listed_newest_first_in_pages(caller: CoinbaseCaller) -> None:
    placed = [
        caller.placed(f"l{number}", "limit_limit_gtc", base_size="0.01", limit_price=BUY_LIMIT) for number in range(5)
    ]
    first = caller.get("orders/historical/batch", limit=2).body
    # An order placed between two pages must neither repeat nor hide one.
    caller.placed("l9", "limit_limit_gtc", base_size="0.01", limit_price=BUY_LIMIT)
    second = caller.get("orders/historical/batch", limit=10, cursor=first["cursor"]).body
    listed = [order["order_id"] for order in first["orders"] + second["orders"]]
    assert first["has_next"] is True and second["has_next"] is False and second["cursor"] == ""
    assert listed == placed[::-1]


def test_orders_can_be_filtered(caller: CoinbaseCaller) -> None:
    resting = caller.placed("q1", "limit_limit_gtc", base_size="0.01", limit_price=BUY_LIMIT)
    filled = caller.placed("q2", "market_market_ioc", side="SELL", base_size="0.01")
    ether = caller.placed("q3", "market_market_ioc", product="ETH-USD", quote_size="50")

    def listed(**filters: Any) -> set[str]:
        return {order["order_id"] for order in caller.get("orders/historical/batch", **filters).body["orders"]}

    assert listed() == {resting, filled, ether}
    assert listed(order_status="OPEN") == {resting}
    assert listed(order_status=["FILLED", "CANCELLED"]) == {filled, ether}
    assert listed(product_ids=["ETH-USD"]) == {ether}
    assert listed(order_side="SELL") == {filled}
    assert listed(order_ids=[resting, ether]) == {resting, ether}
    assert listed(order_types="MARKET") == {filled, ether}
    assert listed(start_date=_later(60)) == set() == listed(end_date=_later(-60))
    assert listed(start_date=_later(-60), end_date=_later(60)) == {resting, filled, ether}
    assert caller.get("orders/historical/batch", start_date="yesterday").status == 400


def test_fills_are_listed_in_pages_that_end_with_an_empty_cursor(caller: CoinbaseCaller) -> None:
    for number in range(5):
        caller.placed(f"k{number}", "market_market_ioc", base_size="0.001")
    seen: list[str] = []
    cursor = ""
    while True:
        page = caller.get("orders/historical/fills", limit=2, cursor=cursor).body
        assert "has_next" not in page
        seen += [fill["trade_id"] for fill in page["fills"]]
        cursor = page["cursor"]
        if not cursor:
            break
    everything = [fill["trade_id"] for fill in caller.get("orders/historical/fills").body["fills"]]
    assert seen == everything and len(seen) == len(set(seen)) >= 5


def test_a_preview_tells_cost_and_problems_without_placing(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    body = {"product_id": "BTC-USD", "side": "BUY", "order_configuration": {"market_market_ioc": {"quote_size": "100"}}}
    preview = caller.post("orders/preview", body).body
    assert preview["errs"] == [] and Decimal(preview["order_total"]) == 100
    assert 0 < Decimal(preview["commission_total"]) < 2
    body["order_configuration"] = {"market_market_ioc": {"quote_size": "1000000"}}
    assert caller.post("orders/preview", body).body["errs"] == ["PREVIEW_INSUFFICIENT_FUND"]
    assert _accepts(exchange, caller) == []


def test_the_configuration_of_an_accepted_order_can_be_null(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    exchange.fault("null_configuration", account=caller.account.name, endpoint="orders")
    body = caller.order("n1", "market_market_ioc", base_size="0.01")
    assert body["success"] is True and body["order_configuration"] is None
    assert len(_accepts(exchange, caller)) == 1


def test_an_order_lost_on_the_way_back_is_found_by_its_id(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    exchange.fault("accept_then_5xx", account=caller.account.name, endpoint="orders")
    body = {
        "client_order_id": "lost",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"market_market_ioc": {"base_size": "0.01"}},
    }
    assert caller.post("orders", body).status == 502
    listed = caller.get("orders/historical/batch", product_ids=["BTC-USD"]).body["orders"]
    assert [order["client_order_id"] for order in listed] == ["lost"]
    assert caller.placed("lost", "market_market_ioc", base_size="0.01") == listed[0]["order_id"]


def test_look_ups_can_lag_behind(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    order_id = caller.placed("y1", "market_market_ioc", base_size="0.01")
    exchange.fault({"kind": "lookup_lag", "seconds": 600}, times=None, account=caller.account.name)
    assert caller.get("orders/historical/batch").body["orders"] == []
    assert caller.get("orders/historical/fills").body["fills"] == []
    assert caller.get(f"orders/historical/{order_id}").status == 404
    exchange.clear_faults()
    assert caller.shown(order_id)["status"] == "FILLED"


@pytest.mark.parametrize(
    ("text", "status", "key"),
    [
        ("INSUFFICIENT_FUND", 200, "error_response"),
        ("rate_limit_exceeded", 429, "errors"),
        ("INVALID_ARGUMENT: size is wrong", 400, "error_details"),
        ("INTERNAL: try later", 500, "error"),
    ],
)
def test_an_error_on_command_comes_in_the_venues_envelope(
    exchange: ExchangeProcess, caller: CoinbaseCaller, text: str, status: int, key: str
) -> None:
    exchange.fault({"kind": "api_error", "text": text}, account=caller.account.name)
    answer = caller.post("orders", {})
    assert answer.status == status and key in answer.body


def test_the_journal_tells_an_order_from_request_to_fill(exchange: ExchangeProcess, caller: CoinbaseCaller) -> None:
    since = exchange.last_seq()
    order_id = caller.placed("t1", "limit_limit_gtc", base_size="0.01", limit_price="60000.0")
    lines = exchange.journal(since, account=caller.account.name)
    assert [line["type"] for line in lines[:2]] == ["request", "accept"]
    assert {line["type"] for line in lines[2:]} == {"fill"}
    for line in lines:
        assert (line["brokerage"], line["symbol"], line["side"], line["client_order_id"]) == (
            "coinbase",
            "BTC/USD",
            "buy",
            "t1",
        )
    assert lines[1]["order_id"] == order_id and lines[1]["price"] == "60000.0"
    assert sum(Decimal(line["quantity"]) for line in lines[2:]) == Decimal("0.01")


def _if_status(order: dict[str, Any], status: str) -> dict[str, Any] | None:
    return order if order["status"] == status else None
