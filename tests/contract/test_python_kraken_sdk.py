"""python-kraken-sdk's REST clients, unmodified but for their address, against the paper exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess

BALANCES = {"USD": "10000", "BTC": "1"}
Report = dict[str, Any]


@pytest.fixture(scope="module")
def report(exchange: ExchangeProcess) -> Report:
    account = exchange.open_account("kraken", "sdk", BALANCES)
    other = exchange.open_account("kraken", "other-sdk", BALANCES)
    return run_peer(
        "kraken_sdk.py",
        url=exchange.rest_url("kraken"),
        api_key=account.api_key,
        api_secret=account.api_secret,
        other_secret=other.api_secret,
        client_order_id="sdk-limit-1",
    )


def test_the_market_is_read(report: Report) -> None:
    assert report["system_status"]["status"] == "online"
    assert set(report["assets"]) == {"XXBT", "ZUSD"} and "XXBTZUSD" in report["asset_pairs"]
    assert len(report["ohlc"]["XXBTZUSD"]) > 100 and len(report["order_book"]["XXBTZUSD"]["asks"]) == 5
    assert report["recent_trades"]["XXBTZUSD"] and report["recent_spreads"]["XXBTZUSD"]


def test_the_money_is_read(report: Report) -> None:
    assert Decimal(report["account_balance"]["ZUSD"]) == 10000
    assert Decimal(report["balances"]["ZUSD"]["hold_trade"]) == 0
    assert report["balance"]["available_balance"] == 10000
    assert Decimal(report["trade_balance"]["eb"]) > 10000
    assert Decimal(report["trade_volume"]["fees"]["XXBTZUSD"]["fee"]) > 0


def test_orders_live_and_end(report: Report, exchange: ExchangeProcess) -> None:
    bought, resting = report["market_buy"]["txid"][0], report["limit_buy"]["txid"][0]
    assert list(report["open_orders"]["open"]) == [resting]
    assert report["open_orders"]["open"][resting]["cl_ord_id"] == "sdk-limit-1"
    assert report["orders_info"][bought]["status"] == "closed"
    assert report["cancel"]["count"] == 1
    assert set(report["closed_orders"]["closed"]) == {bought, resting}
    accepted = exchange.journal(type="accept", account="sdk")
    assert [line["order_id"] for line in accepted][:2] == [bought, resting]


def test_trades_and_ledger_agree_with_the_journal(report: Report, exchange: ExchangeProcess) -> None:
    fills = {line["trade_id"] for line in exchange.journal(type="fill", account="sdk")}
    assert set(report["trades_history"]["trades"]) == fills and set(report["trades_info"]) <= fills
    assert {entry["refid"] for entry in report["ledgers_info"]["ledger"].values()} >= fills


def test_orders_are_amended_edited_and_batched(report: Report, exchange: ExchangeProcess) -> None:
    first = report["to_change"]["txid"][0]
    original, amended = report["order_amends"]["amends"]
    assert (original["amend_type"], amended["amend_type"]) == ("original", "user")
    assert amended["amend_id"] == report["amend"]["amend_id"] and amended["order_qty"] == "0.03000000"
    assert (report["edit"]["status"], report["edit"]["originaltxid"]) == ("ok", first)
    assert report["cancel_batch"] == {"count": 3}
    ids = {report["edit"]["txid"], *(one["txid"] for one in report["batch"]["orders"])}
    assert {line["order_id"] for line in exchange.journal(type="cancel", account="sdk")} >= ids
    assert report["switch"]["triggerTime"] > report["switch"]["currentTime"]
    assert report["switch_off"]["triggerTime"] == "0"
    assert len(report["ledgers"]) == 2


def test_transfers_are_read(report: Report) -> None:
    assert [Decimal(row["amount"]) for row in report["deposits"]] == [10000]
    assert {row["asset"] for row in report["deposits_by_cursor"]["deposit"]} == {"ZUSD", "XXBT"}
    assert report["withdrawals"] == []


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("too_expensive", "KrakenInsufficientFundsError"),
        # The client looks for "Unknown asset" before it looks for "Unknown asset pair".
        ("unknown_pair", "KrakenUnknownAssetError"),
        ("cancel_again", "KrakenUnknownOrderError"),
        ("bad_key", "KrakenInvalidAPIKeyError"),
        ("bad_secret", "KrakenInvalidSignatureError"),
    ],
)
def test_a_mistake_raises_the_clients_own_error(report: Report, call: str, error: str) -> None:
    assert report[call]["error"] == error


def test_too_small_an_order_raises(report: Report) -> None:
    assert "error" in report["too_small"] and "volume minimum not met" in report["too_small"]["message"]
