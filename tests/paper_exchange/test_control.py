"""The control API over the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.kraken_client import KrakenClient


def answer(exchange: ExchangeProcess, method: str, path: str, content: Any = None) -> tuple[int, str]:
    response = requests.request(
        method, exchange.control_url + path, data=content, headers={"X-Paper-Token": exchange.token}, timeout=5
    )
    return response.status_code, response.text


@pytest.mark.parametrize("token", [None, "", "wrong", "é".encode()])
@pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("POST", "/faults"), ("GET", "/journal")])
def test_without_the_token_nothing_is_open(
    exchange: ExchangeProcess, method: str, path: str, token: str | bytes | None
) -> None:
    headers = {} if token is None else {"X-Paper-Token": token}
    response = requests.request(method, exchange.control_url + path, headers=headers, timeout=5)
    assert response.status_code == 401
    assert "X-Paper-Token" in response.json()["error"]


def test_opening_an_account_again_gives_the_same_keys_and_no_more_money(exchange: ExchangeProcess) -> None:
    first = exchange.open_account("kraken", "twice", {"USD": "100"})
    second = exchange.open_account("kraken", "twice", {"USD": "900"})
    assert first == second
    assert exchange.account("kraken", "twice")["balances"] == {"USD": "100"}


def test_one_name_may_be_at_two_brokerages_with_different_keys(exchange: ExchangeProcess) -> None:
    kraken, coinbase = (exchange.open_account(brokerage, "both") for brokerage in ("kraken", "coinbase"))
    assert kraken.api_key != coinbase.api_key
    assert coinbase.api_secret.startswith("-----BEGIN EC PRIVATE KEY-----")


def test_accounts_show_balances_holds_and_open_orders(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    kraken.ok("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price="1000", volume="0.5", cl_ord_id="mine")
    shown = exchange.account("kraken", kraken.account.name)
    assert Decimal(shown["balances"]["USD"]) == 10_000
    assert 500 <= Decimal(shown["holds"]["USD"]) <= 510
    (order,) = shown["open_orders"]
    assert (order["client_order_id"], order["symbol"], order["limit_price"]) == ("mine", "BTC/USD", "1000")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/accounts", "{", "body"),
        ("/accounts", "[]", "body"),
        ("/accounts", '{"name": "x"}', "brokerage"),
        ("/accounts", '{"brokerage": "kraken"}', "name"),
        ("/accounts", '{"brokerage": "mtgox", "name": "x"}', "brokerage"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "balances": []}', "balances"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "balances": {"USD": "-5"}}', "balances.USD"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "balances": {"USD": "NaN"}}', "balances.USD"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "balances": {"USD": NaN}}', "balances.USD"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "balances": {"USD": "1e99"}}', "balances.USD"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "balances": {"NOPE": "1"}}', "balances"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "permissions": ["fly"]}', "permissions"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "permissions": "all"}', "permissions"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "tier": "gold"}', "tier"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "strict": "yes"}', "strict"),
        ("/accounts", '{"brokerage": "kraken", "name": "x", "colour": "red"}', "colour"),
        ("/market", "{}", "symbol"),
        ("/market", '{"symbol": "XBTUSD", "price": "1"}', "symbol"),
        ("/market", '{"symbol": "BTC/USD", "price": "0"}', "price"),
        ("/market", '{"symbol": "BTC/USD", "price": "0.001"}', "price"),
        ("/market", '{"symbol": "BTC/USD", "price": "much"}', "price"),
        ("/market", '{"symbol": "BTC/USD", "halt": "yes"}', "halt"),
        ("/market", '{"symbol": "BTC/USD", "rules": {"tick_size": "-1"}}', "rules"),
        ("/market", '{"symbol": "BTC/USD", "rules": {"colour": "1"}}', "colour"),
        ("/market", '{"symbol": "BTC/USD", "mood": "good"}', "mood"),
        ("/market/pause", '{"paused": "yes"}', "paused"),
        ("/faults", '{"action": "explode"}', "action"),
        ("/faults", '{"action": "reset", "brokerage": "krakn"}', "brokerage"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_by_the_name_of_its_field(
    exchange: ExchangeProcess, path: str, body: str, field: str
) -> None:
    status, text = answer(exchange, "POST", path, body)
    assert status == 400
    assert field in text
    assert "x" not in [account["name"] for account in exchange.accounts()]


def test_a_price_can_be_set_and_orders_react(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    exchange.pause()
    exchange.set_price("ADA/USD", "0.5")
    order = kraken.ok("AddOrder", pair="ADAUSD", type="buy", ordertype="limit", price="0.4", volume="100")["txid"][0]
    quote = exchange.set_price("ADA/USD", "0.3")
    assert Decimal(quote["bid"]) < Decimal("0.31")
    wait_until(lambda: kraken.ok("QueryOrders", txid=order)[order]["status"] == "closed", what="the fill")
    exchange.pause(paused=False)


def test_a_halted_market_takes_no_orders_and_says_so(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    exchange.market(symbol="SOL/USD", halt=True)
    order = {"pair": "SOLUSD", "type": "buy", "ordertype": "market", "volume": "1"}
    assert kraken.refused("AddOrder", order) == "EService:Market in cancel_only mode"
    assert kraken.public("AssetPairs", pair="SOLUSD")["SOLUSD"]["status"] == "cancel_only"
    exchange.market(symbol="SOL/USD", halt=False)
    assert kraken.ok("AddOrder", order)["txid"]


def test_rules_can_be_changed_while_running(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    exchange.market(symbol="LTC/USD", rules={"minimum_quantity": "5"})
    order = {"pair": "XLTCZUSD", "type": "buy", "ordertype": "market", "volume": "1"}
    assert kraken.refused("AddOrder", order) == "EGeneral:Invalid arguments:volume minimum not met"
    assert kraken.public("AssetPairs", pair="LTCUSD")["XLTCZUSD"]["ordermin"] == "5"


def test_a_paused_market_stands_still(exchange: ExchangeProcess) -> None:
    exchange.pause()
    first = exchange.control("GET", "/market?symbol=BTC/USD")
    second = exchange.control("GET", "/market?symbol=BTC/USD")
    assert first == second
    assert answer(exchange, "POST", "/market/resume")[0] == 200
    assert answer(exchange, "POST", "/market/pause")[1] == '{"paused":true}'
    exchange.pause(paused=False)


def test_faults_are_listed_with_what_they_did_and_deleted(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    fault_id = exchange.fault({"kind": "api_error", "text": "EService:Busy"}, account=kraken.account.name)
    assert kraken.refused("Balance") == "EService:Busy"
    (fault,) = [one for one in exchange.faults() if one["id"] == fault_id]
    assert (fault["seen"], fault["applied"]) == (1, 1)
    assert answer(exchange, "DELETE", f"/faults/{fault_id}")[0] == 200
    assert answer(exchange, "DELETE", f"/faults/{fault_id}")[0] == 404
    exchange.clear_faults()
    assert exchange.faults() == []


def test_a_deposit_raises_the_balance_and_is_in_the_ledger(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    path = f"/accounts/kraken/{kraken.account.name}/deposit"
    exchange.control("POST", path, {"asset": "USD", "amount": "250.5"})
    assert kraken.ok("Balance")["ZUSD"] == "10250.5000"
    deposits = kraken.ok("Ledgers", type="deposit", asset="ZUSD")["ledger"].values()
    assert "250.5000" in [entry["amount"] for entry in deposits]
    assert answer(exchange, "POST", path, '{"asset": "USD", "amount": "-1"}')[0] == 400


def test_a_new_key_is_for_the_same_account_and_the_old_one_is_revoked(exchange: ExchangeProcess) -> None:
    old = exchange.open_account("kraken", "rotates", {"USD": "100", "BTC": "1"})
    url = exchange.rest_url("kraken")
    order = KrakenClient(url, old).ok(
        "AddOrder", pair="XBTUSD", type="sell", ordertype="limit", volume="0.5", price="900000"
    )
    exchange.control("POST", "/accounts/kraken/rotates/key")
    new = exchange.open_account("kraken", "rotates")
    assert new.api_key != old.api_key
    assert KrakenClient(url, old).refused("Balance") == "EAPI:Invalid key"
    assert list(KrakenClient(url, new).ok("OpenOrders")["open"]) == order["txid"]
    assert answer(exchange, "POST", "/accounts/kraken/nobody/key")[0] == 400


def test_the_journal_goes_on_from_a_number_and_can_be_limited(exchange: ExchangeProcess, kraken: KrakenClient) -> None:
    start = exchange.last_seq()
    for _ in range(3):
        kraken.ok("Balance")
    seqs = [line["seq"] for line in exchange.journal(start)]
    assert seqs == [start + 1, start + 2, start + 3]
    assert len(answer(exchange, "GET", f"/journal?since={start}&limit=2")[1].splitlines()) == 2
    assert answer(exchange, "GET", "/journal?since=-1")[0] == 400


def test_an_unknown_path_is_not_found_and_a_wrong_verb_not_allowed(exchange: ExchangeProcess) -> None:
    assert answer(exchange, "GET", "/nothing")[0] == 404
    assert answer(exchange, "PUT", "/faults")[0] == 405
