"""What moves without an order: each kind in its brokerage's own form, all of it or nothing, and kept over a restart."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.alpaca_caller import AlpacaCaller
from tests.paper_exchange.binance_caller import BinanceCaller, now_ms
from tests.paper_exchange.kraken_client import KrakenClient
from tests.paper_exchange.okx_caller import OkxCaller


def refusal(exchange: ExchangeProcess, path: str, body: dict[str, Any]) -> str:
    url = f"{exchange.control_url}/accounts/{path}/movements"
    reply = requests.post(url, json=body, headers={"X-Paper-Token": exchange.token}, timeout=10)
    assert reply.status_code == 400, reply.text
    sentence: str = reply.json()["error"]
    return sentence


def test_krakens_ledger_has_a_row_for_each_leg_with_its_own_word(
    exchange: ExchangeProcess, kraken: KrakenClient
) -> None:
    name = kraken.account.name
    exchange.move("kraken", name, "staking", "ETH", "0.01", fee="0.001")
    exchange.move("kraken", name, "conversion", "BTC", "0.1", into={"asset": "ETH", "amount": "2", "fee": "0.02"})
    exchange.move("kraken", name, "fee", "USD", "1.5")
    exchange.move("kraken", name, "withdrawal", "USD", "100", fee="5")
    rows = list(kraken.ok("Ledgers")["ledger"].values())
    kinds = [row["type"] for row in reversed(rows)][2:]
    assert kinds == ["staking", "spend", "receive", "rollover", "withdrawal"]
    spend, receive = (next(row for row in rows if row["type"] == kind) for kind in ("spend", "receive"))
    assert spend["refid"] == receive["refid"]
    balances = kraken.ok("Balance")
    assert D(balances["ZUSD"]) == D("10000") - D("1.5") - D("105")
    assert D(balances["XETH"]) == D("0.009") + D("1.98") and D(balances["XXBT"]) == D("0.9")


def test_a_movement_that_takes_too_much_changes_nothing(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    path = f"kraken/{kraken.account.name}"
    conversion = {"kind": "conversion", "asset": "BTC", "amount": "3", "into": {"asset": "ETH", "amount": "1"}}
    assert "not enough BTC" in refusal(exchange, path, conversion)
    assert "XETH" not in kraken.ok("Balance")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"kind": "gift", "asset": "USD", "amount": "1"}, "kind"),
        ({"kind": "trade", "asset": "USD", "amount": "1"}, "kind"),
        ({"kind": "staking", "asset": "USD", "amount": "0"}, "amount"),
        ({"kind": "withdrawal", "asset": "USD", "amount": "-1"}, "amount"),
        ({"kind": "fee", "asset": "USD", "amount": "1", "fee": "1"}, "fee"),
        ({"kind": "conversion", "asset": "USD", "amount": "1"}, "into"),
        ({"kind": "staking", "asset": "NOPE", "amount": "1"}, "NOPE"),
        ({"kind": "staking", "asset": "USD", "amount": "1", "more": 1}, "more"),
    ],
)
def test_a_movement_that_makes_no_sense_is_named(
    exchange: ExchangeProcess, kraken: KrakenClient, body: dict[str, Any], named: str
) -> None:
    assert named in refusal(exchange, f"kraken/{kraken.account.name}", body)


def test_a_brokerage_without_a_form_for_it_says_what_it_has(exchange: ExchangeProcess) -> None:
    exchange.open_account("alpaca", "stock-holder", {"USD": "100"})
    sentence = refusal(exchange, "alpaca/stock-holder", {"kind": "staking", "asset": "USD", "amount": "1"})
    assert "dividend" in sentence


def test_okx_bills_show_transfers_and_trades_and_lead_to_the_balance(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("okx", "biller", {"USDT": "1000"})
    exchange.control("POST", "/accounts/okx/biller/deposit", {"asset": "USDT", "amount": "500"})
    with OkxCaller(exchange, account) as caller:
        assert caller.get("account/bills").rows[0]["bal"] == "1000", "a deposit lands in the funding account"
        exchange.move("okx", "biller", "transfer", "USDT", "300")
        exchange.move("okx", "biller", "transfer", "USDT", "-50")
        bills = caller.get("account/bills", type="1").rows
        assert [(row["subType"], row["balChg"], row["bal"]) for row in bills[:2]] == [
            ("12", "-50", "1250"),
            ("11", "300", "1300"),
        ]
        assert caller.get("account/bills", after=bills[0]["billId"], limit=1).rows == [bills[1]]
        exchange.move("okx", "biller", "withdrawal", "USDT", "20", fee="1")
        (withdrawn,) = caller.get("asset/withdrawal-history").rows
        assert (withdrawn["amt"], withdrawn["fee"]) == ("20", "1")
        assert caller.get("account/bills").rows[0]["bal"] == "1229"
        caller.placed("b1", "market", sz="100", tgtCcy="quote_ccy")
        traded = caller.get("account/bills", type="2").rows
        assert {row["ccy"] for row in traded} == {"BTC", "USDT"} and {row["instId"] for row in traded} == {"BTC-USDT"}
        bought = next(row for row in traded if row["ccy"] == "BTC")
        assert bought["bal"] == bought["balChg"] == caller.holding("BTC")["cashBal"] and float(bought["fee"]) < 0
    assert "not enough" in refusal(exchange, "okx/biller", {"kind": "transfer", "asset": "USDT", "amount": "9999"})


def test_binance_lists_distributions_dust_conversions_and_transfers_apart(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("binance", "mover", {"USDT": "1000", "LTC": "1"})
    exchange.move("binance", "mover", "dividend", "BNB", "0.5")
    exchange.move(
        "binance", "mover", "conversion", "LTC", "0.1", into={"asset": "BNB", "amount": "0.02", "fee": "0.001"}
    )
    exchange.move("binance", "mover", "conversion", "LTC", "0.2", into={"asset": "ETH", "amount": "0.01"})
    exchange.move("binance", "mover", "transfer", "USDT", "-40")
    with BinanceCaller(exchange, account) as caller:
        assert [row["amount"] for row in caller.get("/sapi/v1/asset/assetDividend").body["rows"]] == ["0.50000000"]
        (dribblet,) = caller.get("/sapi/v1/asset/dribblet").body["userAssetDribblets"]
        assert (dribblet["totalTransferedAmount"], dribblet["totalServiceChargeAmount"]) == ("0.01900000", "0.00100000")
        now = now_ms()
        (converted,) = caller.get("/sapi/v1/convert/tradeFlow", startTime=now - 60_000, endTime=now + 1).body["list"]
        assert (converted["fromAsset"], converted["toAmount"]) == ("LTC", "0.01000000")
        assert caller.get("/sapi/v1/asset/transfer", type="MAIN_FUNDING").body["rows"][0]["amount"] == "40.00000000"
        assert caller.get("/sapi/v1/asset/transfer", type="FUNDING_MAIN").body == {"total": 0}


def test_a_split_changes_the_shares_and_not_what_they_have_cost(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("alpaca", "splitter", {"USD": "1000", "AAPL": "10"})
    with AlpacaCaller(exchange, account) as caller:
        before = caller.get("positions/AAPL")
        exchange.move("alpaca", "splitter", "adjustment", "AAPL", "30")
        after = caller.get("positions/AAPL")
        assert D(after["qty"]) == 40 and D(after["cost_basis"]) == D(before["cost_basis"])
        (split,) = caller.get("account/activities/SPLIT")
        assert (split["symbol"], split["qty"], split["net_amount"]) == ("AAPL", "30", "0")


def test_movements_outlive_a_restart(tmp_path: Path) -> None:
    with ExchangeProcess(seed=3, state=tmp_path) as exchange:
        exchange.open_account("kraken", "keeper", {"USD": "100"})
        exchange.move("kraken", "keeper", "dividend", "USD", "7")
        exchange.stop()
        exchange.start()
        client = KrakenClient(exchange.rest_url("kraken"), exchange.open_account("kraken", "keeper"))
        kinds = [row["type"] for row in client.ok("Ledgers")["ledger"].values()]
        assert kinds == ["dividend", "deposit"]
        client.close()
