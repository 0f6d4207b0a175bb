"""The OKX front's orders and fills, over the wire; the exchange's journal is the proof."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.okx_caller import INSTRUMENT, OkxCaller

BALANCES = {"USDT": "100000", "BTC": "10", "ETH": "10"}
LOW = "41000"
MAKER, TAKER = Decimal("0.0008"), Decimal("0.001")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=13) as process:
        process.pause()
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[OkxCaller]:
    """An account of its own for every test, and Bitcoin at 50,000."""
    exchange.clear_faults()
    exchange.set_price("BTC/USDT", "50000")
    account = exchange.open_account("okx", request.node.name[:60], BALANCES)
    with OkxCaller(exchange, account) as opened:
        yield opened


def _accepts(exchange: ExchangeProcess, caller: OkxCaller, **wanted: Any) -> list[dict[str, Any]]:
    return exchange.journal(type="accept", brokerage="okx", account=caller.account.name, **wanted)


def _fills(caller: OkxCaller, **wanted: str) -> list[dict[str, Any]]:
    return caller.get("trade/fills", instType="SPOT", **wanted).rows


def test_a_market_buy_by_money_spends_that_and_pays_its_fee_in_what_it_buys(caller: OkxCaller) -> None:
    order = caller.shown(ordId=caller.placed("a1", "market", sz="500", tgtCcy="quote_ccy"))
    assert (order["state"], order["ordType"], order["sz"], order["tgtCcy"]) == ("filled", "market", "500", "quote_ccy")
    bought, fee = Decimal(order["accFillSz"]), Decimal(order["fee"])
    assert order["feeCcy"] == "BTC" and abs(fee + bought * TAKER) < Decimal("1E-8") and fee < 0
    spent = 100000 - Decimal(caller.holding("USDT")["cashBal"])
    assert Decimal("499") < spent <= 500 and abs(spent - bought * Decimal(order["avgPx"])) < Decimal("1E-6")
    assert Decimal(caller.holding("BTC")["cashBal"]) == 10 + bought + fee


def test_a_sell_pays_its_fee_in_money(caller: OkxCaller) -> None:
    order = caller.shown(ordId=caller.placed("s1", "market", side="sell", sz="0.02"))
    assert (order["state"], order["accFillSz"], order["feeCcy"]) == ("filled", "0.02", "USDT")
    received = Decimal("0.02") * Decimal(order["avgPx"]) + Decimal(order["fee"])
    assert Decimal(caller.holding("USDT")["cashBal"]) == 100000 + received
    assert caller.holding("BTC")["cashBal"] == "9.98"


def test_a_market_buy_without_a_word_is_sized_in_money(caller: OkxCaller) -> None:
    assert Decimal(caller.shown(ordId=caller.placed("d1", "market", sz="100"))["accFillSz"]) < Decimal("0.01")
    assert caller.shown(ordId=caller.placed("d2", "market", sz="0.01", tgtCcy="base_ccy"))["accFillSz"] == "0.01"


def test_a_sell_can_be_sized_in_money(caller: OkxCaller) -> None:
    order = caller.shown(ordId=caller.placed("sq1", "market", side="sell", sz="1000", tgtCcy="quote_ccy"))
    brought = Decimal(order["accFillSz"]) * Decimal(order["avgPx"])
    assert order["state"] == "filled" and Decimal("999") < brought <= 1000
    assert caller.refused("sq2", "market", side="sell", sz="0.1", tgtCcy="quote_ccy") == "51020"


def test_an_instrument_can_be_named_by_its_code(caller: OkxCaller) -> None:
    code = caller.get("public/instruments", instType="SPOT", instId=INSTRUMENT).rows[0]["instIdCode"]
    order = {"tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.1", "px": LOW, "clOrdId": "code1"}
    assert caller.post("trade/order", {**order, "instIdCode": code}).code == "0"
    assert caller.shown(clOrdId="code1")["instId"] == INSTRUMENT
    assert caller.post("trade/cancel-order", {"instIdCode": code, "clOrdId": "code1"}).code == "0"
    assert caller.post("trade/order", {**order, "instIdCode": 7}).rows[0]["sCode"] == "51001"


def test_a_dead_mans_switch_cancels_what_is_open(caller: OkxCaller) -> None:
    assert [caller.post("trade/cancel-all-after", {"timeOut": text}).code for text in ("9", "121", "soon")] == [
        "51000"
    ] * 3
    armed = caller.post("trade/cancel-all-after", {"timeOut": "10"}).rows[0]
    assert int(armed["triggerTime"]) - int(armed["ts"]) == 10_000
    assert caller.post("trade/cancel-all-after", {"timeOut": "0"}).rows[0]["triggerTime"] == "0"


def test_fills_agree_with_the_journal_and_add_up_to_the_order(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    order = caller.shown(ordId=caller.placed("f1", "market", sz="5", tgtCcy="base_ccy"))
    fills = _fills(caller, ordId=order["ordId"])
    assert len(fills) > 1 and {fill["execType"] for fill in fills} == {"T"}
    assert sum(Decimal(fill["fillSz"]) for fill in fills) == Decimal(order["accFillSz"])
    assert sum(Decimal(fill["fee"]) for fill in fills) == Decimal(order["fee"])
    journal = {line["trade_id"]: line for line in exchange.journal(type="fill", order_id=order["ordId"])}
    assert {fill["tradeId"] for fill in fills} == set(journal)
    for fill in fills:
        line = journal[fill["tradeId"]]
        assert (fill["clOrdId"], line["client_order_id"], line["fee_asset"]) == ("f1", "f1", fill["feeCcy"])
        assert -Decimal(fill["fee"]) == Decimal(line["fee"])


def test_fills_come_in_pages_by_bill(caller: OkxCaller) -> None:
    for number in range(5):
        caller.placed(f"p{number}", "market", sz="0.01", tgtCcy="base_ccy")
    whole = [fill["billId"] for fill in _fills(caller)]
    assert len(whole) == len(set(whole)) >= 5 and whole == sorted(whole, key=int, reverse=True)
    paged: list[str] = []
    while rows := _fills(caller, limit="2", **({"after": paged[-1]} if paged else {})):
        paged += [row["billId"] for row in rows]
    assert paged == whole
    assert [row["billId"] for row in _fills(caller, before=whole[2])] == whole[:2]
    assert caller.get("trade/fills-history", instType="SPOT").rows == _fills(caller)
    assert caller.get("trade/fills-history").code == "50014"


def test_a_limit_order_rests_holds_money_and_can_be_cancelled_once(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    order_id = caller.placed("c1", "limit", sz="0.1", px=LOW)
    order = caller.shown(clOrdId="c1")
    assert (order["ordId"], order["state"], order["accFillSz"], order["avgPx"]) == (order_id, "live", "0", "")
    assert caller.pending() == [order_id]
    held = caller.holding("USDT")
    assert (held["frozenBal"], held["availBal"], held["cashBal"]) == ("4100", "95900", "100000")
    assert [caller.cancel(clOrdId="c1"), caller.cancel(clOrdId="c1"), caller.cancel(ordId="1")] == [
        "0",
        "51400",
        "51400",
    ]
    ended = caller.shown(ordId=order_id)
    assert (ended["state"], ended["cancelSource"]) == ("canceled", "1")
    assert caller.pending() == [] and caller.holding("USDT")["frozenBal"] == "0"
    assert [line["order_id"] for line in exchange.journal(type="cancel", account=caller.account.name)] == [order_id]


def test_a_client_order_id_is_taken_once_while_its_order_lives(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    first = caller.placed("twice", "limit", sz="0.1", px=LOW)
    assert caller.refused("twice", "limit", sz="0.1", px=LOW) == "51016"
    assert caller.refused("twice", "market", sz="100") == "51016"
    assert [line["order_id"] for line in _accepts(exchange, caller)] == [first]
    assert caller.placed("TWICE", "limit", sz="0.1", px=LOW) != first


def test_a_client_order_id_is_free_again_when_its_order_is_gone_and_names_the_latest(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    first = caller.placed("again", "market", sz="100")
    second = caller.placed("again", "market", sz="100")
    assert first != second, "a blind second try buys twice, as at the venue"
    assert caller.shown(clOrdId="again")["ordId"] == second
    third = caller.placed("again", "limit", sz="0.1", px=LOW)
    assert caller.shown(clOrdId="again")["ordId"] == third
    assert len(_accepts(exchange, caller, client_order_id="again")) == 3
    assert caller.shown(ordId=first)["clOrdId"] == "again"


@pytest.mark.parametrize("client_id", ["with-dash", "under_score", "a" * 33, "ä"])
def test_a_client_order_id_is_letters_and_digits_only(caller: OkxCaller, client_id: str) -> None:
    answer = caller.order(client_id, "limit", sz="0.1", px=LOW)
    assert (answer.status, answer.code) == (400, "51000")
    assert "clOrdId" in answer.body["msg"]


def test_an_order_that_is_late_for_its_own_deadline_is_never_placed(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    body = {"instId": INSTRUMENT, "tdMode": "cash", "side": "buy", "ordType": "market", "sz": "100"}
    late = caller.post("trade/order", {**body, "clOrdId": "late"}, expTime=caller.in_milliseconds(-1))
    assert (late.status, late.code) == (200, "50036")
    exchange.fault({"delay": 1.5}, account=caller.account.name, endpoint="trade/order")
    slow = caller.post("trade/order", {**body, "clOrdId": "slow"}, expTime=caller.in_milliseconds(1))
    assert slow.rows[0]["sCode"] == "50037"
    assert caller.post("trade/order", {**body, "clOrdId": "ok"}, expTime=caller.in_milliseconds(5)).code == "0"
    assert [line["client_order_id"] for line in _accepts(exchange, caller)] == ["ok"]
    assert caller.post("trade/order", {**body, "clOrdId": "odd"}, expTime="soon").code == "51000"


def test_a_change_that_is_late_for_its_deadline_is_not_made(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    caller.placed("kept", "limit", sz="0.1", px=LOW)
    change = {"instId": INSTRUMENT, "clOrdId": "kept", "newPx": "42000"}
    assert caller.post("trade/amend-order", change, expTime=caller.in_milliseconds(-1)).code == "50036"
    exchange.fault({"delay": 1.5}, account=caller.account.name, endpoint="trade/amend-order")
    answer = caller.post("trade/amend-order", change, expTime=caller.in_milliseconds(1))
    assert answer.rows[0]["sCode"] == "50037"
    assert caller.shown(clOrdId="kept")["px"] == LOW


def test_an_order_whose_answer_is_lost_is_there_and_found_by_its_client_order_id(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    exchange.fault("drop_response", account=caller.account.name, endpoint="trade/order")
    with pytest.raises(requests.ConnectionError):
        caller.order("lost", "limit", sz="0.1", px=LOW)
    assert caller.shown(clOrdId="lost")["state"] == "live"
    assert caller.refused("lost", "limit", sz="0.1", px=LOW) == "51016"
    assert len(_accepts(exchange, caller, client_order_id="lost")) == 1


def test_an_unknown_outcome_is_told_after_the_order_was_taken(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    fault = {"kind": "accept_then_5xx", "status": 400, "text": "50004"}
    exchange.fault(fault, account=caller.account.name, endpoint="trade/order")
    answer = caller.order("maybe", "limit", sz="0.1", px=LOW)
    assert (answer.status, answer.code, answer.rows) == (400, "50004", [])
    assert caller.shown(clOrdId="maybe")["state"] == "live"


def test_an_order_that_is_lost_on_its_way_is_not_there(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    exchange.fault("drop_request", account=caller.account.name, endpoint="trade/order")
    with pytest.raises(requests.ConnectionError):
        caller.order("gone", "limit", sz="0.1", px=LOW)
    answer = caller.get("trade/order", instId=INSTRUMENT, clOrdId="gone")
    assert (answer.status, answer.code, answer.rows) == (200, "51603", [])


def test_a_look_up_can_lag_behind(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    order_id = caller.placed("young", "market", sz="100")
    for endpoint in ("trade/order", "trade/fills", "trade/orders-history"):
        exchange.fault({"lookup_lag": 60}, account=caller.account.name, endpoint=endpoint)
    assert caller.get("trade/order", instId=INSTRUMENT, clOrdId="young").code == "51603"
    assert _fills(caller) == [] and caller.get("trade/orders-history", instType="SPOT").rows == []
    assert caller.shown(clOrdId="young")["ordId"] == order_id


def test_a_lagging_look_up_of_an_id_used_twice_shows_the_older_order(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    first = caller.placed("reused", "market", sz="100")
    assert wait_until(lambda: _seen_after(exchange, caller, "reused", 1.0), what="the first order to age") == first
    second = caller.placed("reused", "market", sz="100")
    exchange.fault({"lookup_lag": 0.9}, account=caller.account.name, endpoint="trade/order")
    assert caller.shown(clOrdId="reused")["ordId"] == first
    assert caller.shown(clOrdId="reused")["ordId"] == second


def _seen_after(exchange: ExchangeProcess, caller: OkxCaller, client_id: str, seconds: float) -> str | None:
    exchange.fault({"lookup_lag": seconds}, account=caller.account.name, endpoint="trade/order")
    rows = caller.get("trade/order", instId=INSTRUMENT, clOrdId=client_id).rows
    return rows[0]["ordId"] if rows else None


def test_errors_told_by_a_fault_stand_where_the_venue_puts_them(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    for told, status, code in (("50001", 503, "50001"), ("50004", 400, "50004"), ("50011: slow down", 429, "50011")):
        exchange.fault({"api_error": told}, account=caller.account.name, endpoint="trade/order")
        answer = caller.order("told", "market", sz="100")
        assert (answer.status, answer.code, answer.rows) == (status, code, [])
    exchange.fault({"api_error": "51008: none left"}, account=caller.account.name, endpoint="trade/order")
    answer = caller.order("told", "market", sz="100")
    assert (answer.code, answer.rows[0]["sCode"], answer.rows[0]["sMsg"]) == ("1", "51008", "none left")
    assert _accepts(exchange, caller) == []


def test_money_that_is_not_there_is_told_by_51008(caller: OkxCaller) -> None:
    assert caller.refused("big", "limit", sz="3", px="45000") == "51008"
    assert caller.refused("bigger", "market", sz="200000", banAmend=True) == "51008"
    assert caller.refused("short", "market", side="sell", sz="11", banAmend="true") == "51008"


def test_a_market_order_that_the_balance_can_not_cover_is_shrunk_without_a_word(caller: OkxCaller) -> None:
    by_money = caller.shown(ordId=caller.placed("m1", "market", sz="200000", tgtCcy="quote_ccy"))
    assert by_money["state"] == "filled" and by_money["sz"] == "100000"
    assert Decimal(caller.holding("USDT")["availBal"]) < 5
    sold = caller.shown(ordId=caller.placed("m2", "market", side="sell", sz="15"))
    assert 10 < Decimal(sold["sz"]) < 15 and sold["accFillSz"] == sold["sz"]
    by_quantity = caller.shown(ordId=caller.placed("m3", "market", sz="15", tgtCcy="base_ccy"))
    assert by_quantity["state"] == "filled" and Decimal(by_quantity["accFillSz"]) < 15
    assert Decimal(caller.holding("USDT")["availBal"]) >= 0


def test_sizes_and_prices_keep_to_the_instrument(caller: OkxCaller) -> None:
    assert caller.refused("small", "limit", sz="0.00001", px=LOW) == "51020"
    assert caller.refused("cheap", "market", sz="1") == "51020"
    assert caller.refused("odd", "limit", sz="0.000000001", px=LOW) == "51121"
    assert caller.refused("tick", "limit", sz="0.1", px="41000.05") == "51000"
    assert caller.refused("far", "limit", sz="0.1", px="70000") == "51006"
    assert caller.refused("low", "limit", side="sell", sz="0.1", px="30000") == "51006"
    assert caller.refused("nopx", "limit", sz="0.1") == "51204"
    assert caller.refused("huge", "market", sz="2000000") == "51201"
    assert caller.refused("poor", "limit", sz="1000", px=LOW) == "51008"
    assert caller.refused("none", "limit", sz="0.1", px=LOW, instId="NO-SUCH") == "51001"
    limits = caller.get("public/price-limit", signed=False, instId=INSTRUMENT).rows[0]
    assert caller.placed("edge", "limit", sz="0.001", px=limits["buyLmt"])


def test_a_halted_instrument_takes_no_orders(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    exchange.market(symbol="ETH/USDT", halt=True)
    assert caller.refused("h1", "market", sz="100", instId="ETH-USDT") == "51022"
    shown = caller.get("public/instruments", signed=False, instType="SPOT", instId="ETH-USDT").rows[0]
    assert shown["state"] == "suspend"
    exchange.market(symbol="ETH/USDT", halt=False)
    assert caller.order("h1", "market", sz="100", instId="ETH-USDT").code == "0"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"side": "hold"}, "51000"),
        ({"ordType": "sometimes"}, "51000"),
        ({"tdMode": "free"}, "51000"),
        ({"tgtCcy": "euro"}, "51000"),
        ({"sz": "1e-3"}, "51000"),
        ({"sz": "-1"}, "51000"),
        ({"sz": ["1"]}, "51000"),
        ({"banAmend": "maybe"}, "51000"),
        ({"tag": "x" * 17}, "51000"),
        ({"stpMode": "never"}, "51000"),
        ({"sz": ""}, "50014"),
        ({"instId": None}, "50014"),
    ],
)
def test_fields_that_make_no_sense_are_named(caller: OkxCaller, fields: dict[str, Any], code: str) -> None:
    body = {"instId": INSTRUMENT, "tdMode": "cash", "side": "buy", "ordType": "market", "sz": "100"} | fields
    answer = caller.post("trade/order", body)
    assert (answer.status, answer.code) == (400, code)
    assert next(iter(fields)) in answer.body["msg"]


def test_numbers_are_taken_as_they_are_written(caller: OkxCaller) -> None:
    body = b'{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","sz":0.100,"px":41000,"clOrdId":"n1"}'
    assert caller.send("POST", "/api/v5/trade/order", body).code == "0"
    assert caller.shown(clOrdId="n1")["sz"] == "0.1"


def test_immediate_and_all_or_nothing_orders_never_rest(caller: OkxCaller) -> None:
    missed = caller.shown(ordId=caller.placed("i1", "ioc", sz="0.1", px=LOW))
    partly = caller.shown(ordId=caller.placed("i2", "ioc", sz="1.5", px="50001"))
    nothing = caller.shown(ordId=caller.placed("i3", "fok", sz="1.5", px="50001"))
    whole = caller.shown(ordId=caller.placed("i4", "fok", sz="0.01", px="51000"))
    assert (missed["state"], missed["accFillSz"], missed["cancelSource"]) == ("canceled", "0", "14")
    assert partly["state"] == "canceled" and 0 < Decimal(partly["accFillSz"]) < Decimal("1.5")
    assert (nothing["state"], nothing["accFillSz"], nothing["cancelSource"]) == ("canceled", "0", "13")
    assert (whole["state"], whole["ordType"]) == ("filled", "fok")


def test_a_post_only_order_that_would_take_is_accepted_and_cancelled(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    order = caller.shown(ordId=caller.placed("po1", "post_only", sz="0.1", px="51000"))
    assert (order["state"], order["accFillSz"], order["cancelSource"]) == ("canceled", "0", "31")
    resting = caller.placed("po2", "post_only", sz="0.1", px=LOW)
    exchange.set_price("BTC/USDT", "40900")
    wait_until(lambda: caller.shown(ordId=resting)["state"] == "filled", what="the fill")
    fills = _fills(caller, ordId=resting)
    assert {(fill["execType"], fill["fillPx"], fill["feeRate"]) for fill in fills} == {("M", LOW, f"-{MAKER}")}


def test_an_order_is_changed_in_place(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    order_id = caller.placed("ch1", "limit", sz="0.1", px=LOW)
    change = {"instId": INSTRUMENT, "ordId": order_id, "newSz": "0.2", "newPx": "42000", "reqId": "r7"}
    [row] = caller.post("trade/amend-order", change).rows
    assert (row["sCode"], row["reqId"], row["clOrdId"]) == ("0", "r7", "ch1")
    order = caller.shown(ordId=order_id)
    assert (order["sz"], order["px"], order["state"]) == ("0.2", "42000", "live")
    assert caller.holding("USDT")["frozenBal"] == "8400"
    assert len(exchange.journal(type="amend", order_id=order_id)) == 1


def test_a_change_that_can_not_be_made_says_why(caller: OkxCaller) -> None:
    caller.placed("ch2", "limit", sz="0.1", px=LOW)

    def changed(**fields: Any) -> str:
        code: str = caller.post("trade/amend-order", {"instId": INSTRUMENT, **fields}).rows[0]["sCode"]
        return code

    assert changed(clOrdId="ch2") == "51500"
    assert changed(clOrdId="no", newSz="1") == "51503"
    assert changed(clOrdId="ch2", newSz="9") == "51502"
    assert caller.shown(clOrdId="ch2")["sz"] == "0.1"
    assert changed(clOrdId="ch2", newSz="9", cxlOnFail=True) == "51502"
    assert caller.shown(clOrdId="ch2")["state"] == "canceled"
    assert changed(clOrdId="ch2", newSz="0.2") == "51509"
    caller.placed("ch3", "market", sz="100")
    assert changed(clOrdId="ch3", newSz="0.2") == "51510"


def test_a_batch_answers_for_every_order(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    def order(client_id: str, **fields: str) -> dict[str, str]:
        limit = {"instId": INSTRUMENT, "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.1", "px": LOW}
        return {**limit, "clOrdId": client_id, **fields}

    mixed = caller.post("trade/batch-orders", [order("b1"), order("b1"), order("b2", sz="x"), order("b3")])
    assert mixed.code == "2"
    assert [row["sCode"] for row in mixed.rows] == ["0", "51016", "51000", "0"]
    assert [row["clOrdId"] for row in mixed.rows] == ["b1", "b1", "b2", "b3"]
    assert caller.post("trade/batch-orders", [order("b1")]).code == "1"
    assert [line["client_order_id"] for line in _accepts(exchange, caller)] == ["b1", "b3"]
    ids = [{"instId": INSTRUMENT, "clOrdId": each} for each in ("b1", "b2", "b3")]
    cancelled = caller.post("trade/cancel-batch-orders", ids)
    assert (cancelled.code, [row["sCode"] for row in cancelled.rows]) == ("2", ["0", "51400", "0"])
    assert caller.post("trade/batch-orders", [order("b")] * 21).code == "51111"


def test_lists_of_orders_are_cut_by_id_and_filtered(caller: OkxCaller) -> None:
    ids = [caller.placed(f"l{number}", "limit", sz="0.01", px=LOW) for number in range(5)]
    newest_first = ids[::-1]
    assert caller.pending() == newest_first
    first = caller.get("trade/orders-pending", instType="SPOT", limit="2").rows
    rest = caller.get("trade/orders-pending", instType="SPOT", after=first[-1]["ordId"]).rows
    assert [order["ordId"] for order in first + rest] == newest_first
    assert [row["ordId"] for row in caller.get("trade/orders-pending", before=ids[3]).rows] == [ids[4]]
    assert caller.get("trade/orders-pending", instId="ETH-USDT").rows == []
    assert caller.get("trade/orders-pending", instType="SWAP").rows == []
    assert caller.get("trade/orders-pending", ordType="market").rows == []
    assert len(caller.get("trade/orders-pending", state="live").rows) == 5
    filled = caller.placed("l9", "market", sz="100")
    caller.cancel(ordId=ids[0])
    history = caller.get("trade/orders-history", instType="SPOT").rows
    assert [(row["ordId"], row["state"]) for row in history] == [(filled, "filled"), (ids[0], "canceled")]
    assert [row["ordId"] for row in caller.get("trade/orders-history", instType="SPOT", state="filled").rows] == [
        filled
    ]
    assert caller.get("trade/orders-history-archive", instType="SPOT").rows == history
    assert caller.get("trade/orders-history").code == "50014"


def test_nobody_can_see_or_cancel_another_accounts_order(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    order_id = caller.placed("mine", "limit", sz="0.1", px=LOW)
    with OkxCaller(exchange, exchange.open_account("okx", "stranger", BALANCES)) as stranger:
        assert stranger.get("trade/order", instId=INSTRUMENT, ordId=order_id).code == "51603"
        assert stranger.cancel(ordId=order_id) == "51400"
        stranger.placed("mine", "limit", sz="0.1", px=LOW)
    assert caller.shown(ordId=order_id)["state"] == "live"


def test_orders_are_looked_up_by_the_right_instrument_and_some_id(caller: OkxCaller) -> None:
    order_id = caller.placed("x1", "limit", sz="0.1", px=LOW)
    assert caller.get("trade/order", instId="ETH-USDT", ordId=order_id).code == "51603"
    assert caller.get("trade/order", instId=INSTRUMENT).code == "50015"
    assert caller.get("trade/order", ordId=order_id).code == "50014"
    assert caller.post("trade/cancel-order", {"instId": INSTRUMENT}).code == "50015"


def test_an_account_in_another_mode_takes_no_orders_for_cash(caller: OkxCaller) -> None:
    assert caller.post("account/set-account-level", {"acctLv": "3"}).code == "0"
    assert caller.get("account/config").rows[0]["acctLv"] == "3"
    assert caller.refused("lv", "market", sz="100") == "51010"
    assert caller.post("account/set-account-level", {"acctLv": "9"}).code == "51000"
    assert caller.post("account/set-account-level", {"acctLv": "2"}).code == "0"
    caller.placed("lv", "limit", sz="0.1", px=LOW)
    assert caller.post("account/set-account-level", {"acctLv": "1"}).code == "59000"


def test_orders_and_their_ids_survive_a_restart(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path, seed=5) as exchange:
        exchange.pause()
        exchange.set_price("BTC/USDT", "50000")
        account = exchange.open_account("okx", "kept", BALANCES)
        with OkxCaller(exchange, account) as caller:
            filled = caller.placed("used", "market", sz="100")
            live = caller.placed("used", "limit", sz="0.1", px=LOW)
            caller.post("account/set-account-level", {"acctLv": "2"})
        exchange.stop()
        exchange.start()
        with OkxCaller(exchange, account) as caller:
            assert caller.shown(clOrdId="used")["ordId"] == live
            assert caller.shown(ordId=filled)["state"] == "filled"
            assert caller.refused("used", "market", sz="100") == "51016"
            assert int(caller.placed("new", "market", sz="100")) > int(live)
            assert caller.get("account/config").rows[0]["acctLv"] == "1", "the change was refused: an order was open"


def test_what_only_time_does_an_operator_can_bring_about(tmp_path: Path) -> None:
    with ExchangeProcess(seed=5) as exchange:
        exchange.pause()
        exchange.set_price("BTC/USDT", "50000")
        with OkxCaller(exchange, exchange.open_account("okx", "late", BALANCES)) as caller:
            empty = caller.placed("empty", "limit", sz="0.1", px=LOW)
            caller.cancel(ordId=empty)
            partly = caller.placed("partly", "ioc", sz="1.5", px="50001")
            caller.placed("switched", "limit", sz="0.1", px=LOW)
            caller.post("trade/cancel-all-after", {"timeOut": "60"})
            exchange.advance_clock(7190)
            caller.ahead_seconds = 7190
            assert caller.shown(clOrdId="empty")["state"] == "canceled"
            exchange.advance_clock(20)
            caller.ahead_seconds += 20
            assert caller.get("trade/order", instId=INSTRUMENT, clOrdId="empty").code == "51603"
            states = {row["clOrdId"]: row["state"] for row in caller.get("trade/orders-history", instType="SPOT").rows}
            assert states == {"partly": "canceled", "switched": "canceled"} and caller.pending() == []
            exchange.advance_clock(4 * 86400)
            caller.ahead_seconds += 4 * 86400
            assert _fills(caller) == [] and len(caller.get("trade/fills-history", instType="SPOT").rows) >= 1
            exchange.advance_clock(4 * 86400)
            caller.ahead_seconds += 4 * 86400
            assert caller.get("trade/orders-history", instType="SPOT").rows == []
            assert [row["ordId"] for row in caller.get("trade/orders-history-archive", instType="SPOT").rows] == [
                partly
            ]
