"""python-okx, OKX's library for Python, unmodified but for its address, against the paper exchange."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess

BALANCES = {"USDT": "10000", "BTC": "1"}
Report = dict[str, Any]


@pytest.fixture(scope="module")
def report(exchange: ExchangeProcess) -> Report:
    exchange.set_price("BTC/USDT", "50000")
    account = exchange.open_account("okx", "python-okx", BALANCES)
    other = exchange.open_account("okx", "other-python-okx", BALANCES)
    reader = exchange.open_account("okx", "reader-python-okx", BALANCES, permissions=["read_only"])
    return run_peer(
        "python_okx.py",
        url=exchange.rest_url("okx"),
        api_key=account.api_key,
        api_secret=account.api_secret,
        passphrase=account.api_passphrase,
        other_secret=other.api_secret,
        reader=json.dumps(
            {"api_key": reader.api_key, "api_secret": reader.api_secret, "passphrase": reader.api_passphrase}
        ),
    )


def _row(report: Report, name: str) -> dict[str, Any]:
    assert report[name]["code"] == "0", report[name]
    [row] = report[name]["data"]
    return dict(row)


def test_markets_and_prices_can_be_read(report: Report) -> None:
    assert int(_row(report, "time")["ts"]) > 1_700_000_000_000 and report["status"]["data"] == []
    assert _row(report, "instruments")["state"] == "live" == _row(report, "may_trade")["state"]
    ticker = _row(report, "ticker")
    assert Decimal(ticker["bidPx"]) < Decimal(ticker["askPx"]) and report["tickers"] >= 15
    limits = _row(report, "price_limit")
    assert Decimal(limits["sellLmt"]) < Decimal(ticker["last"]) < Decimal(limits["buyLmt"])
    assert len(report["candles"]["data"]) == 5 and len(report["old_candles"]["data"]) == 2
    assert len(_row(report, "book")["asks"]) == 5 and len(report["trades"]["data"]) == 3


def test_money_rights_and_fees_can_be_read(report: Report) -> None:
    details = {row["ccy"]: row for row in _row(report, "balance")["details"]}
    assert (details["USDT"]["cashBal"], details["BTC"]["availBal"]) == ("10000", "1")
    assert _row(report, "config")["perm"] == "read_only,trade"
    assert Decimal(_row(report, "fees")["taker"]) < 0


def test_a_market_order_by_money_fills_and_can_be_followed(report: Report, exchange: ExchangeProcess) -> None:
    order = _row(report, "market_buy_shown")
    assert (order["state"], order["clOrdId"], order["feeCcy"]) == ("filled", "pyokxbuy", "BTC")
    fills = report["fills"]["data"]
    assert sum(Decimal(fill["fee"]) for fill in fills) == Decimal(order["fee"])
    journal = exchange.journal(type="fill", order_id=order["ordId"])
    assert {line["trade_id"] for line in journal} == {fill["tradeId"] for fill in fills}
    assert {fill["tradeId"] for fill in report["old_fills"]["data"]} >= {fill["tradeId"] for fill in fills}


def test_a_limit_order_rests_until_it_is_cancelled_and_its_id_is_taken_meanwhile(report: Report) -> None:
    placed = _row(report, "limit_buy")
    assert report["limit_buy_again"]["data"][0]["sCode"] == "51016"
    assert _row(report, "limit_buy_shown")["state"] == "live"
    assert _row(report, "pending")["ordId"] == placed["ordId"]
    assert _row(report, "cancel")["sCode"] == "0"
    assert report["cancel_again"]["data"][0]["sCode"] == "51400"
    assert _row(report, "cancelled_shown")["state"] == "canceled"


def test_orders_are_batched_and_changed(report: Report) -> None:
    assert [row["sCode"] for row in report["batch"]["data"]] == ["0", "0"]
    assert _row(report, "amend")["reqId"] == "change1" and _row(report, "amended_shown")["sz"] == "0.02"
    assert [row["sCode"] for row in report["cancel_batch"]["data"]] == ["0", "0"]
    states = [order["state"] for order in report["history"]["data"]]
    assert states == ["canceled"] * 3 + ["filled"] and report["archive"] == report["history"]


def test_a_stop_waits_and_is_cancelled(report: Report) -> None:
    algo_id = _row(report, "stop")["algoId"]
    assert (_row(report, "stop_shown")["state"], _row(report, "stop_shown")["algoId"]) == ("live", algo_id)
    assert _row(report, "stops_pending")["algoId"] == algo_id
    assert _row(report, "cancel_stop")["sCode"] == "0"
    assert _row(report, "stops_history")["state"] == "canceled"


def test_money_moves_between_trading_and_funding(report: Report) -> None:
    assert _row(report, "to_funding")["amt"] == "100" and _row(report, "funding")["bal"] == "100"
    assert {row["ccy"] for row in report["deposits"]["data"]} == {"USDT", "BTC"}
    newest = report["bills"]["data"][0]
    assert (newest["balChg"], newest["from"], newest["to"]) == ("-100", "18", "6")
    assert report["old_bills"]["data"] == [newest]
    assert report["withdrawals"]["data"] == [] and report["currencies"] > 50


def test_refusals_come_as_answers(report: Report) -> None:
    assert report["too_expensive"]["data"][0]["sCode"] == "51008"
    assert report["too_small"]["data"][0]["sCode"] == "51020"
    assert report["unknown_order"]["code"] == "51603" and report["expired"]["code"] == "50036"


def test_wrong_keys_and_missing_rights_are_told_apart(report: Report) -> None:
    codes = {name: report[name]["code"] for name in ("bad_key", "bad_secret", "bad_passphrase", "demo", "no_right")}
    assert codes == {
        "bad_key": "50111", "bad_secret": "50113", "bad_passphrase": "50105", "demo": "50101", "no_right": "50120",
    }  # fmt: skip
