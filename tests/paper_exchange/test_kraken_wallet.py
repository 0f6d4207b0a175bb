"""Balances, ledgers, fees and the key at Kraken's front."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from tests.paper_exchange.kraken_client import KrakenClient

BUY = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.01"}


def test_balances_have_the_decimals_of_their_asset(kraken: KrakenClient) -> None:
    assert kraken.ok("Balance") == {"ZUSD": "10000.0000", "XXBT": "1.0000000000"}
    assert kraken.ok("BalanceEx") == {
        "ZUSD": {"balance": "10000.0000", "hold_trade": "0.0000"},
        "XXBT": {"balance": "1.0000000000", "hold_trade": "0.0000000000"},
    }


def test_an_asset_sold_out_stays_listed(open_kraken: Callable[..., KrakenClient]) -> None:
    client = open_kraken({"BTC": "0.01"})
    client.ok("AddOrder", {**BUY, "type": "sell"})
    balance = client.ok("Balance")
    assert balance["XXBT"] == "0.0000000000"
    assert Decimal(balance["ZUSD"]) > 0


def test_the_trade_balance_values_everything(kraken: KrakenClient) -> None:
    last = Decimal(kraken.public("Ticker", pair="XBTUSD")["XXBTZUSD"]["c"][0])
    worth = kraken.ok("TradeBalance")
    assert abs(Decimal(worth["eb"]) - (10_000 + last)) < last / 50
    assert set(worth) >= {"eb", "tb", "m", "n", "c", "v", "e", "mf"}
    in_bitcoin = kraken.ok("TradeBalance", asset="XBT")
    assert abs(Decimal(in_bitcoin["eb"]) - (1 + 10_000 / last)) < Decimal("0.02")


def test_a_trade_has_two_ledger_rows_that_lead_to_the_balance(kraken: KrakenClient) -> None:
    kraken.ok("AddOrder", BUY)
    (trade_id, trade), *_ = kraken.ok("TradesHistory")["trades"].items()
    rows = [row for row in kraken.ok("Ledgers", type="trade")["ledger"].values() if row["refid"] == trade_id]
    base, quote = sorted(rows, key=lambda row: row["asset"])
    assert (base["asset"], base["fee"], quote["asset"]) == ("XXBT", "0.0000000000", "ZUSD")
    assert Decimal(base["amount"]) == Decimal(trade["vol"])
    assert Decimal(quote["amount"]) == -Decimal(trade["cost"])
    assert Decimal(quote["fee"]) == Decimal(trade["fee"]) > 0
    ledger = kraken.ok("Ledgers", asset="ZUSD")["ledger"]
    newest = next(iter(ledger.values()))
    assert newest["balance"] == kraken.ok("Balance")["ZUSD"]
    total = sum(Decimal(row["amount"]) - Decimal(row["fee"]) for row in ledger.values())
    assert total == Decimal(newest["balance"])
    ledger_id = next(iter(ledger))
    assert re.fullmatch(r"L[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", ledger_id)
    assert kraken.ok("QueryLedgers", id=ledger_id) == {ledger_id: newest}


def test_trades_can_be_asked_for_by_id(kraken: KrakenClient) -> None:
    kraken.ok("AddOrder", BUY)
    trades = kraken.ok("TradesHistory")["trades"]
    trade_id, trade = next(iter(trades.items()))
    assert kraken.ok("QueryTrades", txid=trade_id) == {trade_id: trade}
    assert (trade["pair"], trade["type"], trade["ordertype"], trade["maker"]) == ("XXBTZUSD", "buy", "market", False)
    assert isinstance(trade["trade_id"], int)


def test_fees_are_those_of_the_volume_traded(kraken: KrakenClient) -> None:
    assert kraken.ok("TradeVolume").keys() == {"currency", "volume"}
    kraken.ok("AddOrder", BUY)
    answer = kraken.ok("TradeVolume", {"pair": "XBTUSD,ETHUSD", "fee-info": "True"})
    assert Decimal(answer["volume"]) > 0
    taker, maker = answer["fees"]["XXBTZUSD"]["fee"], answer["fees_maker"]["XETHZUSD"]["fee"]
    assert (taker, maker) == ("0.4000", "0.2500")
    (order,) = kraken.ok("ClosedOrders")["closed"].values()
    assert abs(Decimal(order["fee"]) - Decimal(order["cost"]) * Decimal(taker) / 100) <= Decimal("0.0002")


def test_the_key_knows_its_name_permissions_and_nonce(kraken: KrakenClient) -> None:
    info = kraken.ok("GetApiKeyInfo")
    assert info["apiKeyName"] == kraken.account.name
    assert info["apiKey"] == kraken.account.api_key
    assert int(info["nonce"]) == kraken._nonce
    assert "withdraw-funds" not in info["permissions"]
    assert "modify-trades" in info["permissions"]


def test_a_token_for_websockets_is_new_each_time(kraken: KrakenClient) -> None:
    first, second = kraken.ok("GetWebSocketsToken"), kraken.ok("GetWebSocketsToken")
    assert first["expires"] == 900
    assert first["token"] != second["token"]


def test_transfers_are_deposits_of_the_account(kraken: KrakenClient) -> None:
    deposits = kraken.ok("DepositStatus", asset="ZUSD")
    assert [(one["amount"], one["status"]) for one in deposits] == [("10000.0000", "Success")]
    assert kraken.ok("WithdrawStatus") == []


def test_transfers_come_page_by_page_with_a_cursor(kraken: KrakenClient) -> None:
    rows = kraken.ok("DepositStatus")
    first = kraken.ok("DepositStatus", cursor=True, limit=1)
    second = kraken.ok("DepositStatus", cursor=first["next_cursor"], limit=1)
    assert [*first["deposit"], *second["deposit"]] == rows
    assert second["next_cursor"] is None
    assert kraken.ok("WithdrawStatus") == [] and kraken.ok("WithdrawStatus", cursor="true")["withdrawals"] == []
    assert kraken.ok("DepositStatus", end=rows[0]["time"] - 60) == []
    assert kraken.refused("DepositStatus", cursor="nowhere") == "EGeneral:Invalid arguments:cursor"


def test_ledger_rows_can_be_asked_for_by_id(kraken: KrakenClient) -> None:
    ledger = kraken.ok("Ledgers")["ledger"]
    wanted = sorted(ledger)[:1]
    assert kraken.ok("QueryLedgers", id=",".join(wanted)) == {wanted[0]: ledger[wanted[0]]}
    assert kraken.refused("QueryLedgers", id=",".join(f"L{number}" for number in range(21))).endswith(":id")
