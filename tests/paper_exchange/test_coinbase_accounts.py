"""The Coinbase front's wallets, keys and transfers, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.paper_exchange.coinbase_caller import CoinbaseCaller

Opener = Callable[..., CoinbaseCaller]


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=12) as process:
        process.pause()
        yield process


@pytest.fixture
def open_caller(exchange: ExchangeProcess) -> Iterator[Opener]:
    with ExitStack() as stack:

        def opener(name: str, balances: dict[str, str] | None = None, **more: Any) -> CoinbaseCaller:
            account = exchange.open_account("coinbase", name, balances, **more)
            return stack.enter_context(CoinbaseCaller(exchange, account))

        yield opener


def test_a_resting_order_moves_money_from_available_to_hold(open_caller: Opener) -> None:
    caller = open_caller("holder", {"USD": "1000", "BTC": "2"})
    before = caller.wallet("BTC")
    caller.placed("h1", "limit_limit_gtc", side="SELL", base_size="0.5", limit_price="900000.0", post_only=True)
    after = caller.wallet("BTC")
    assert Decimal(before["hold"]["value"]) == 0
    assert Decimal(after["hold"]["value"]) == Decimal("0.5")
    assert Decimal(after["available_balance"]["value"]) == Decimal("1.5")
    assert after["uuid"] == before["uuid"] and after["type"] == "ACCOUNT_TYPE_CRYPTO"
    assert caller.wallet("USD")["type"] == "ACCOUNT_TYPE_FIAT"


def test_pages_of_wallets_show_each_once(open_caller: Opener) -> None:
    caller = open_caller("pages", {"USD": "1", "BTC": "1", "ETH": "1", "SOL": "1", "EUR": "1"})
    seen: list[str] = []
    cursor = ""
    while True:
        page = caller.get("accounts", limit=2, cursor=cursor).body
        assert page["size"] == len(page["accounts"]) <= 2
        seen += [account["currency"] for account in page["accounts"]]
        assert page["has_next"] is bool(page["cursor"])
        if not page["has_next"]:
            break
        cursor = page["cursor"]
    assert sorted(seen) == ["BTC", "ETH", "EUR", "SOL", "USD"]
    assert caller.get("accounts", cursor="rubbish").status == 400


def test_one_wallet_can_be_asked_for_and_another_accounts_cannot(open_caller: Opener) -> None:
    mine, other = open_caller("mine"), open_caller("other")
    uuid = mine.wallet("USD")["uuid"]
    assert mine.get(f"accounts/{uuid}").body["account"]["currency"] == "USD"
    assert other.get(f"accounts/{uuid}").status == 404
    assert other.get(f"/v2/accounts/{uuid}/transactions").status == 404


def test_a_key_says_what_it_may_do(open_caller: Opener) -> None:
    assert open_caller("trader").get("key_permissions").body["can_trade"] is True
    assert open_caller("trader").get("key_permissions").body["can_transfer"] is False
    viewer = open_caller("viewer", permissions=["view"])
    assert viewer.get("key_permissions").body["can_trade"] is False


def test_a_key_without_the_right_is_told_which_scope_is_missing(open_caller: Opener) -> None:
    viewer = open_caller("looker", permissions=["view"])
    order = {"client_order_id": "x", "product_id": "BTC-USD", "side": "BUY", "order_configuration": {}}
    answer = viewer.post("orders", order)
    assert answer.status == 403 and '"error_details":"Missing required scopes"' in answer.text
    assert open_caller("blind", permissions=["trade"]).get("accounts").status == 403


def test_a_wrong_secret_and_an_unknown_key_get_plain_unauthorized(
    exchange: ExchangeProcess, open_caller: Opener
) -> None:
    real, other = open_caller("real"), open_caller("impostor")
    since = exchange.last_seq()
    for key, secret in (
        (real.account.api_key, other.account.api_secret),
        ("organizations/none/apiKeys/none", other.account.api_secret),
    ):
        with CoinbaseCaller(exchange, PaperAccount("coinbase", "forged", key, secret)) as forged:
            answer = forged.get("accounts")
            assert answer.status == 401 and answer.text.strip() == "Unauthorized"
    lines = exchange.journal(since, brokerage="coinbase", endpoint="accounts")
    assert [line["type"] for line in lines] == ["request", "refuse"] * 2
    assert "bad signature" in lines[1]["error"] and "unknown key" in lines[3]["error"]


def test_fees_are_shares_and_text(open_caller: Opener) -> None:
    tier = open_caller("payer").get("transaction_summary", product_type="SPOT").body["fee_tier"]
    assert 0 < Decimal(tier["maker_fee_rate"]) <= Decimal(tier["taker_fee_rate"]) < Decimal("0.02")


def test_deposits_appear_among_a_wallets_transactions(exchange: ExchangeProcess, open_caller: Opener) -> None:
    caller = open_caller("depositor", {"USD": "1000"})
    exchange.control("POST", "/accounts/coinbase/depositor/deposit", {"asset": "USD", "amount": "250.5"})
    caller.placed("d1", "market_market_ioc", quote_size="100")
    uuid = caller.wallet("USD")["uuid"]
    rows = caller.get(f"/v2/accounts/{uuid}/transactions", limit=100).body["data"]
    amounts = {row["type"]: Decimal(row["amount"]["amount"]) for row in reversed(rows)}
    assert amounts["fiat_deposit"] == Decimal("250.5")
    assert amounts["advanced_trade_fill"] < 0
    deposits = caller.get(f"/v2/accounts/{uuid}/deposits").body["data"]
    assert Decimal(deposits[0]["amount"]["amount"]) == Decimal("250.5") and deposits[0]["resource"] == "deposit"
    assert sum(Decimal(row["amount"]["amount"]) for row in rows) == Decimal(
        caller.wallet("USD")["available_balance"]["value"]
    )


def test_transactions_are_paged_by_the_next_uri(exchange: ExchangeProcess, open_caller: Opener) -> None:
    caller = open_caller("saver", {"USD": "1"})
    for amount in ("2", "3", "4"):
        exchange.control("POST", "/accounts/coinbase/saver/deposit", {"asset": "USD", "amount": amount})
    uuid = caller.wallet("USD")["uuid"]
    first = caller.get(f"/v2/accounts/{uuid}/transactions", limit=2).body
    after = first["pagination"]["next_starting_after"]
    assert after in first["pagination"]["next_uri"]
    second = caller.get(f"/v2/accounts/{uuid}/transactions", limit=2, starting_after=after).body
    amounts = [Decimal(row["amount"]["amount"]) for row in first["data"] + second["data"]]
    assert amounts[:3] == [4, 3, 2]
    assert caller.get(f"/v2/accounts/{uuid}/transactions", starting_after="none").status == 400
