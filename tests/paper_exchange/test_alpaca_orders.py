"""The Alpaca front's orders and activities inside a session, over the wire; the exchange's journal is the proof."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.alpaca_caller import AlpacaCaller

BALANCES = {"USD": "100000", "AAPL": "50"}
UNIQUE = (422, 40010001, "client_order_id must be unique")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=13, options=["--alpaca-session", "always-open"]) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[AlpacaCaller]:
    """An account of its own for every test, and AAPL at 200 dollars."""
    exchange.clear_faults()
    exchange.set_price("AAPL/USD", "200")
    account = exchange.open_account("alpaca", request.node.name[:60], BALANCES)
    with AlpacaCaller(exchange, account) as opened:
        yield opened


def _cash(caller: AlpacaCaller) -> tuple[Decimal, Decimal]:
    account = caller.get("account")
    return Decimal(account["cash"]), Decimal(account["buying_power"])


def _accepts(exchange: ExchangeProcess, caller: AlpacaCaller) -> list[dict[str, Any]]:
    return exchange.journal(type="accept", brokerage="alpaca", account=caller.account.name)


def test_a_market_buy_in_dollars_fills_without_a_fee(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    order = caller.placed("n1", notional="500")
    assert (order["status"], order["qty"], order["notional"]) == ("filled", None, "500")
    assert order["filled_at"] and order["order_class"] == "" and order["extended_hours"] is False
    bought, average = Decimal(order["filled_qty"]), Decimal(order["filled_avg_price"])
    assert Decimal("499.99") < bought * average <= 500
    assert _cash(caller)[0] == 100000 - (bought * average).quantize(Decimal("0.0001"))
    [fill] = exchange.journal(type="fill", client_order_id="n1")
    assert Decimal(fill["fee"]) == 0 and fill["symbol"] == "AAPL/USD"


def test_shares_are_bought_in_billionths_and_shown_as_a_position(caller: AlpacaCaller) -> None:
    caller.placed("q1", qty="1.123456789")
    position = caller.get("positions/AAPL")
    assert (position["qty"], position["qty_available"], position["side"]) == ("51.123456789", "51.123456789", "long")
    assert Decimal(position["market_value"]) == (Decimal("51.123456789") * 200).quantize(Decimal("0.01"))
    assert [row["symbol"] for row in caller.get("positions")] == ["AAPL"]
    assert caller.call("GET", "positions/MSFT").body["code"] == 40410000


def test_the_average_entry_is_that_of_the_buys(exchange: ExchangeProcess) -> None:
    exchange.set_price("AAPL/USD", "200")
    with AlpacaCaller(exchange, exchange.open_account("alpaca", "averages", {"USD": "10000"})) as caller:
        caller.placed(qty="2")
        exchange.set_price("AAPL/USD", "100")
        caller.placed(qty="2")
        caller.placed(side="sell", qty="1")
        position = caller.get("positions/AAPL")
    assert (position["avg_entry_price"], position["cost_basis"]) == ("150", "450")
    assert Decimal(position["unrealized_pl"]) == 3 * Decimal(position["current_price"]) - 450


def test_an_open_buy_takes_buying_power_and_no_cash(caller: AlpacaCaller) -> None:
    order = caller.placed("l1", type="limit", qty="10", limit_price="150")
    assert (order["status"], order["limit_price"], order["type"], order["order_type"]) == (
        "new", "150", "limit", "limit",
    )  # fmt: skip
    assert _cash(caller) == (100000, 98500)
    assert caller.call("DELETE", f"orders/{order['id']}").status == 204
    assert caller.call("DELETE", f"orders/{order['id']}").status == 422
    assert _cash(caller) == (100000, 100000)
    shown = caller.shown(order["id"])
    assert shown["status"] == "canceled" and shown["canceled_at"]


def test_an_open_sell_leaves_less_available(caller: AlpacaCaller) -> None:
    first = caller.placed(side="sell", type="limit", qty="40", limit_price="300", time_in_force="gtc")
    assert caller.get("positions/AAPL")["qty_available"] == "10"
    answer = caller.order(side="sell", qty="11")
    assert (answer.status, answer.body["code"]) == (403, 40310000)
    assert answer.body["message"].startswith("insufficient qty available for order (requested: 11, available: 10)")
    assert answer.body["related_orders"] == [first["id"]] and answer.body["held_for_orders"] == "40"


def test_an_id_is_never_free_again_not_even_of_a_canceled_order(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    order = caller.placed("dup", type="limit", qty="1", limit_price="150")
    assert caller.refused("dup", type="limit", qty="1", limit_price="150") == UNIQUE
    caller.call("DELETE", f"orders/{order['id']}")
    assert caller.refused("dup", qty="1") == UNIQUE
    caller.placed("filled", qty="1")
    assert caller.refused("filled", notional="5") == UNIQUE
    assert len(_accepts(exchange, caller)) == 2


def test_an_id_is_the_accounts_own_and_a_refused_order_does_not_use_it_up(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    assert caller.refused("mine", qty="100000")[:2] == (403, 40310000)
    assert caller.placed("mine", qty="1")["client_order_id"] == "mine"
    with AlpacaCaller(exchange, exchange.open_account("alpaca", "other-owner")) as other:
        assert other.placed("mine", qty="1")["client_order_id"] == "mine"


@pytest.mark.parametrize("length", [128, 129])
def test_an_id_has_at_most_128_characters(caller: AlpacaCaller, length: int) -> None:
    assert caller.order("x" * length, qty="1").status == (200 if length == 128 else 422)


def test_an_order_without_an_id_is_given_one(caller: AlpacaCaller) -> None:
    ids = {caller.placed(qty="1")["client_order_id"] for _ in range(3)}
    assert len(ids) == 3 and all(len(each) == 36 for each in ids)


def test_an_order_that_was_accepted_although_504_was_answered_is_found_by_its_id(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    name = caller.account.name
    exchange.fault({"kind": "accept_then_5xx", "status": 504}, endpoint="orders", account=name)
    assert caller.order("lost", qty="1").status == 504
    assert caller.refused("lost", qty="1") == UNIQUE
    found = caller.get("orders:by_client_order_id", client_order_id="lost")
    assert (found["status"], found["filled_qty"]) == ("filled", "1")
    assert len(_accepts(exchange, caller)) == 1


def test_the_colon_of_the_lookup_may_come_escaped_and_an_unknown_id_is_404(caller: AlpacaCaller) -> None:
    order = caller.placed("colon", qty="1")
    assert caller.get("orders%3Aby_client_order_id", client_order_id="colon")["id"] == order["id"]
    answer = caller.call("GET", "orders:by_client_order_id", client_order_id="nobody")
    assert (answer.status, answer.body["code"]) == (404, 40410000)


def test_a_lookup_can_lag_behind(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    caller.placed("young", qty="1")
    name = caller.account.name
    exchange.fault({"kind": "lookup_lag", "seconds": 600}, endpoint="orders:by_client_order_id", account=name)
    assert caller.call("GET", "orders:by_client_order_id", client_order_id="young").status == 404
    assert caller.get("orders:by_client_order_id", client_order_id="young")["client_order_id"] == "young"


def test_a_market_buy_needs_more_than_it_costs(exchange: ExchangeProcess) -> None:
    exchange.set_price("AAPL/USD", "200")
    exchange.set_price("F/USD", "10")
    with AlpacaCaller(exchange, exchange.open_account("alpaca", "margin", {"USD": "1000"})) as caller:
        assert caller.refused(qty="4.95") == (403, 40310000, "insufficient buying power")
        assert caller.refused(symbol="F", qty="97")[0] == 403
        assert caller.placed(symbol="F", qty="10")["status"] == "filled"
        assert caller.placed(notional="800")["status"] == "filled"


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"qty": "1", "notional": "5"}, 40010001, "only one of qty or notional"),
        ({}, 40010001, "qty or notional is required"),
        ({"qty": "0"}, 40010001, "qty must be > 0"),
        ({"qty": "1.1234567891"}, 40010001, "9 decimal places"),
        ({"qty": "abc"}, 40010001, "qty is not a number"),
        ({"qty": "1", "side": "hold"}, 40010001, "invalid side"),
        ({"qty": "1", "type": "limit"}, 40010001, "require limit price"),
        ({"qty": "1", "limit_price": "5"}, 40010001, "require no limit price"),
        ({"qty": "1", "type": "stop"}, 40010001, "require stop price"),
        ({"qty": "1", "symbol": "ZZZZ"}, 42210000, "not found"),
        ({"qty": "1", "symbol": "BTC/USD"}, 42210000, "not found"),
        ({"notional": "0.99"}, 42210000, "minimal amount of order 1"),
        ({"qty": "0.001"}, 42210000, "minimal amount of order 1"),
        ({"qty": "0.5", "time_in_force": "gtc"}, 42210000, "fractional orders must be DAY orders"),
        ({"notional": "5", "time_in_force": "ioc"}, 42210000, "fractional orders must be DAY orders"),
        ({"qty": "0.5", "symbol": "NOK"}, 42210000, "not fractionable"),
        ({"notional": "10", "symbol": "NOK"}, 42210000, "not fractionable"),
        ({"qty": "1", "type": "limit", "limit_price": "150.001"}, 42210000, "sub-penny"),
        ({"qty": "2", "symbol": "TLRY", "type": "limit", "limit_price": "0.50001"}, 42210000, "sub-penny"),
        ({"qty": "1", "extended_hours": True}, 42210000, "DAY limit orders"),
        ({"qty": "1", "order_class": "bracket"}, 42210000, "complex orders"),
        ({"qty": "1", "type": "trailing_stop", "trail_price": "1"}, 42210000, "trailing stop"),
        ({"qty": "1", "time_in_force": "opg"}, 42210000, "auctions"),
    ],
)
def test_what_the_rules_forbid_is_refused_with_422(
    caller: AlpacaCaller, exchange: ExchangeProcess, fields: dict[str, Any], code: int, words: str
) -> None:
    status, given, message = caller.refused("bad", **fields)
    assert (status, given) == (422, code) and words in message
    assert not _accepts(exchange, caller)
    assert exchange.journal(type="refuse", account=caller.account.name, endpoint="orders", client_order_id="bad")


def test_below_a_dollar_prices_have_four_decimals_and_whole_shares_trade(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    exchange.set_price("TLRY/USD", "0.62")
    order = caller.placed(symbol="TLRY", qty="3", type="limit", limit_price="0.5101", time_in_force="gtc")
    assert (order["status"], order["limit_price"]) == ("new", "0.5101")
    assert caller.placed(symbol="NOK", qty="3", time_in_force="gtc")["filled_qty"] == "3"


def test_numbers_may_come_as_json_numbers(caller: AlpacaCaller) -> None:
    order = caller.placed(qty=1.5, type="limit", limit_price=150.25)
    assert (order["qty"], order["limit_price"]) == ("1.5", "150.25")


def test_immediate_and_all_or_nothing_orders_never_rest(caller: AlpacaCaller) -> None:
    missed = caller.placed(type="limit", qty="1", limit_price="150", time_in_force="ioc")
    taken = caller.placed(type="limit", qty="1", limit_price="210", time_in_force="ioc")
    killed = caller.placed(type="limit", qty="1", limit_price="150", time_in_force="fok")
    assert [order["status"] for order in (missed, taken, killed)] == ["canceled", "filled", "canceled"]


def test_a_sell_stop_becomes_a_market_order_and_a_buy_stop_has_a_bound(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    stop = caller.placed(side="sell", type="stop", qty="5", stop_price="190", time_in_force="gtc")
    assert (stop["status"], stop["stop_price"], stop["limit_price"]) == ("new", "190", None)
    exchange.set_price("AAPL/USD", "189")
    assert wait_until(lambda: caller.shown(stop["id"])["status"] == "filled", what="the stop")
    up = caller.placed(type="stop", qty="5", stop_price="210", time_in_force="gtc")
    assert (up["type"], up["limit_price"], up["stop_price"]) == ("stop", None, "210")
    assert _cash(caller)[0] - _cash(caller)[1] == 5 * Decimal("215.25")
    assert caller.refused(side="buy", type="stop", qty="1", stop_price="180", time_in_force="gtc")[1] == 42210000


def test_an_order_that_ones_own_could_fill_is_refused(caller: AlpacaCaller) -> None:
    resting = caller.placed(type="limit", qty="1", limit_price="150", time_in_force="gtc")
    answer = caller.order(side="sell", qty="1")
    assert (answer.status, answer.body["code"]) == (403, 40310000)
    assert "wash trade" in answer.body["message"] and answer.body["existing_order_id"] == resting["id"]
    assert caller.placed(side="sell", type="limit", qty="1", limit_price="250")["status"] == "new"
    assert caller.placed(symbol="MSFT", qty="1")["status"] == "filled"


def test_a_replaced_order_has_a_successor_with_its_own_id(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    old = caller.placed("old", type="limit", qty="600", limit_price="150", time_in_force="gtc")
    answer = caller.call("PATCH", f"orders/{old['id']}", {"limit_price": "160", "client_order_id": "new"})
    assert answer.status == 200, answer
    new = answer.body
    assert (new["limit_price"], new["qty"], new["replaces"], new["client_order_id"]) == ("160", "600", old["id"], "new")
    shown = caller.shown(old["id"])
    assert (shown["status"], shown["replaced_by"]) == ("replaced", new["id"]) and shown["replaced_at"]
    assert caller.call("PATCH", f"orders/{old['id']}", {"qty": "1"}).status == 422
    too_much = caller.call("PATCH", f"orders/{new['id']}", {"qty": "700"})
    assert (too_much.status, too_much.body["code"]) == (403, 40310000)
    assert caller.shown(new["id"])["status"] == "new" and _cash(caller)[1] == 4000


def test_all_open_orders_can_be_cancelled_at_once(caller: AlpacaCaller) -> None:
    ids = {caller.placed(type="limit", qty="1", limit_price=price)["id"] for price in ("150", "151", "152")}
    answer = caller.call("DELETE", "orders")
    assert answer.status == 207
    assert {row["id"] for row in answer.body} == ids and {row["status"] for row in answer.body} == {200}
    assert caller.get("orders") == [] and caller.call("DELETE", "orders").body == []


def test_nobody_can_see_or_cancel_another_accounts_order(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    order = caller.placed("own", type="limit", qty="1", limit_price="150")
    with AlpacaCaller(exchange, exchange.open_account("alpaca", "stranger")) as stranger:
        assert stranger.call("GET", f"orders/{order['id']}").status == 404
        assert stranger.call("DELETE", f"orders/{order['id']}").status == 404
        assert stranger.call("PATCH", f"orders/{order['id']}", {"qty": "2"}).status == 404
        assert stranger.call("GET", "orders:by_client_order_id", client_order_id="own").status == 404
    assert caller.shown(order["id"])["status"] == "new"


def test_lists_are_paged_by_times_that_leave_their_own_moment_out(caller: AlpacaCaller) -> None:
    orders = [caller.placed(type="limit", qty="1", limit_price=f"{150 + number}") for number in range(5)]
    caller.placed(symbol="MSFT", type="limit", qty="1", limit_price="100")
    assert len(caller.get("orders")) == 6
    newest_first = [order["id"] for order in caller.get("orders", symbols="AAPL,TSLA", limit=2)]
    assert newest_first == [orders[4]["id"], orders[3]["id"]]
    older = caller.get("orders", symbols="AAPL", until=orders[3]["submitted_at"])
    assert [order["id"] for order in older] == [orders[2]["id"], orders[1]["id"], orders[0]["id"]]
    newer = caller.get("orders", symbols="AAPL", after=orders[1]["submitted_at"], direction="asc")
    assert [order["id"] for order in newer] == [orders[2]["id"], orders[3]["id"], orders[4]["id"]]
    caller.call("DELETE", f"orders/{orders[0]['id']}")
    assert [order["id"] for order in caller.get("orders", status="closed")] == [orders[0]["id"]]
    assert len(caller.get("orders", status="all")) == 6
    assert caller.call("GET", "orders", status="some").status == 422


def test_fills_come_in_pages_after_the_last_ones_id(caller: AlpacaCaller) -> None:
    for number in range(7):
        caller.placed(f"f{number}", qty="1")
    every = caller.get("account/activities/FILL", direction="asc")
    assert [row["activity_type"] for row in every] == ["FILL"] * 7 and "client_order_id" not in every[0]
    pages: list[Any] = []
    token: dict[str, str] = {}
    while page := caller.get("account/activities/FILL", direction="asc", page_size=3, **token):
        pages += page
        token = {"page_token": page[-1]["id"]}
    assert pages == every and len({row["id"] for row in pages}) == 7
    assert caller.get("account/activities/FILL") == every[::-1]
    assert caller.get("account/activities/FILL", after=every[4]["transaction_time"], direction="asc") == every[5:]
    first = caller.get("orders:by_client_order_id", client_order_id="f0")
    row = every[0]
    assert (row["order_id"], row["type"], row["cum_qty"], row["leaves_qty"]) == (first["id"], "fill", "1", "0")
    assert caller.call("GET", "account/activities/FILL", page_token="20260101::none").status == 422


def test_parts_of_an_order_add_up(caller: AlpacaCaller) -> None:
    order = caller.placed("big", notional="90000")
    fills = [row for row in caller.get("account/activities/FILL", direction="asc") if row["order_id"] == order["id"]]
    assert len(fills) > 1
    assert [row["type"] for row in fills] == ["partial_fill"] * (len(fills) - 1) + ["fill"]
    assert sum(Decimal(row["qty"]) for row in fills) == Decimal(order["filled_qty"]) == Decimal(fills[-1]["cum_qty"])
    assert fills[-1]["leaves_qty"] == "0"


def test_money_that_was_paid_in_is_an_activity(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    exchange.control("POST", f"/accounts/alpaca/{caller.account.name}/deposit", {"asset": "USD", "amount": "250.5"})
    newest, first = caller.get("account/activities", activity_types="TRANS")
    assert (newest["activity_type"], newest["net_amount"], first["net_amount"]) == ("CSD", "250.5", "100000")
    assert caller.get("account/activities/CSW") == [] == caller.get("account/activities", activity_types="FEE,CSW")
    exchange.control("POST", f"/accounts/alpaca/{caller.account.name}/withdraw", {"asset": "USD", "amount": "0.5"})
    assert caller.get("account/activities", activity_types="TRANS")[0]["net_amount"] == "-0.5"
    assert caller.get("account/activities/CSW")[0]["activity_type"] == "CSW" and _cash(caller)[0] == 100250
    kinds = {row["activity_type"] for row in caller.get("account/activities")}
    assert kinds == {"CSD", "CSW", "JNLS"}


@pytest.mark.parametrize("amount", ["100000.01", "0", "-1", "0.00001"])
def test_no_more_can_be_taken_out_than_is_there(caller: AlpacaCaller, exchange: ExchangeProcess, amount: str) -> None:
    with pytest.raises(AssertionError, match=r"400.*amount"):
        exchange.control("POST", f"/accounts/alpaca/{caller.account.name}/withdraw", {"asset": "USD", "amount": amount})
    assert _cash(caller)[0] == 100000


def test_positions_can_be_closed(caller: AlpacaCaller) -> None:
    caller.placed(symbol="MSFT", qty="2")
    half = caller.call("DELETE", "positions/AAPL", percentage="50")
    assert half.status == 200 and half.body["filled_qty"] == "25" and half.body["side"] == "sell"
    rows = caller.call("DELETE", "positions", cancel_orders="true")
    assert rows.status == 207 and [row["status"] for row in rows.body] == [200, 200]
    assert caller.get("positions") == [] and caller.call("DELETE", "positions/AAPL").status == 404
