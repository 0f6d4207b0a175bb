"""The OKX front's accounts: what can be traded with, what waits in the funding account, modes and fees."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.okx_caller import OkxCaller


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[OkxCaller]:
    account = exchange.open_account("okx", request.node.name[:60], {"USDT": "1000", "BTC": "0"})
    with OkxCaller(exchange, account) as opened:
        yield opened


def _deposit(exchange: ExchangeProcess, caller: OkxCaller, **body: str) -> None:
    exchange.control("POST", f"/accounts/okx/{caller.account.name}/deposit", body)


def _move(caller: OkxCaller, amount: str, *, into_trading: bool = True, asset: str = "USDT") -> str:
    ends = {"from": "6", "to": "18"} if into_trading else {"from": "18", "to": "6"}
    return caller.post("asset/transfer", {"ccy": asset, "amt": amount, **ends}).code


def test_only_what_there_is_is_listed(caller: OkxCaller) -> None:
    [row] = caller.get("account/balance").rows
    assert [detail["ccy"] for detail in row["details"]] == ["USDT"]
    assert Decimal("900") < Decimal(row["totalEq"]) < Decimal("1100")
    assert caller.get("account/balance", ccy="BTC,ETH").rows[0]["details"] == []
    assert caller.get("account/balance", ccy=",".join(f"C{number}" for number in range(21))).code == "50025"


def test_a_deposit_lands_in_the_funding_account_and_can_be_traded_with_after_a_transfer(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    _deposit(exchange, caller, asset="USDT", amount="250.5")
    assert caller.holding("USDT")["cashBal"] == "1000"
    [funding] = caller.get("asset/balances").rows
    assert funding == {"ccy": "USDT", "bal": "250.5", "availBal": "250.5", "frozenBal": "0"}
    assert [_move(caller, "200"), _move(caller, "60"), _move(caller, "1", asset="ETH")] == ["0", "58350", "58350"]
    assert caller.holding("USDT")["cashBal"] == "1200"
    assert caller.get("asset/balances", ccy="USDT").rows[0]["bal"] == "50.5"
    assert _move(caller, "1200", into_trading=False) == "0"
    assert caller.holding("USDT") == {} and caller.get("asset/balances").rows[0]["bal"] == "1250.5"
    assert exchange.account("okx", caller.account.name)["funding"] == {"USDT": "1250.5"}


def test_money_that_an_order_holds_can_not_be_transferred_away(caller: OkxCaller) -> None:
    last = Decimal(caller.get("market/ticker", instId="BTC-USDT").rows[0]["last"])
    price = str((last * Decimal("0.9")).quantize(Decimal("0.1")))
    caller.placed("held", "limit", sz="0.01", px=price)
    assert _move(caller, "900", into_trading=False) == "58350"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"ccy": "USDT", "amt": "1", "from": "6", "to": "6"}, 400, "51000"),
        ({"ccy": "USDT", "amt": "-1", "from": "6", "to": "18"}, 400, "51000"),
        ({"ccy": "USDT", "amt": "0", "from": "6", "to": "18"}, 400, "51000"),
        ({"ccy": "NOSUCH", "amt": "1", "from": "6", "to": "18"}, 400, "51000"),
        ({"ccy": "USDT", "from": "6", "to": "18"}, 400, "50014"),
        ({"ccy": "USDT", "amt": "0.0000000000001", "from": "18", "to": "6"}, 400, "51000"),
    ],
)
def test_a_transfer_that_makes_no_sense_is_refused(
    caller: OkxCaller, body: dict[str, str], status: int, code: str
) -> None:
    answer = caller.post("asset/transfer", body)
    assert (answer.status, answer.code) == (status, code)


def test_deposits_are_listed_and_transfers_are_none(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    _deposit(exchange, caller, asset="USDT", amount="5")
    _deposit(exchange, caller, asset="ETH", amount="2", to="trading")
    _move(caller, "5")
    rows = caller.get("asset/deposit-history").rows
    assert [(row["ccy"], row["amt"], row["state"]) for row in rows] == [
        ("ETH", "2", "2"), ("USDT", "5", "2"), ("USDT", "1000", "2"),
    ]  # fmt: skip
    assert len({row["depId"] for row in rows}) == 3
    assert caller.get("asset/deposit-history", after=rows[1]["ts"]).rows == rows[2:]
    assert caller.get("asset/deposit-history", ccy="ETH").rows == rows[:1]
    assert caller.get("asset/withdrawal-history").rows == []


def test_a_deposit_says_where_it_goes_only_where_there_are_two_places(
    exchange: ExchangeProcess, caller: OkxCaller
) -> None:
    with pytest.raises(AssertionError, match="to must be one of funding, trading"):
        _deposit(exchange, caller, asset="USDT", amount="5", to="moon")
    exchange.open_account("coinbase", "elsewhere")
    with pytest.raises(AssertionError, match="to must be one of trading"):
        exchange.control(
            "POST", "/accounts/coinbase/elsewhere/deposit", {"asset": "USD", "amount": "5", "to": "funding"}
        )


def test_fees_are_below_zero_for_what_is_charged(caller: OkxCaller) -> None:
    [row] = caller.get("account/trade-fee", instType="SPOT", instId="BTC-USDT").rows
    assert (row["maker"], row["taker"]) == ("-0.0008", "-0.001")
    assert caller.get("account/trade-fee").code == "50014"
    assert caller.get("account/trade-fee", instType="SPOT", instId="NO-SUCH").code == "51001"


def test_an_account_keeps_its_number_when_its_key_changes(exchange: ExchangeProcess, caller: OkxCaller) -> None:
    number = caller.get("account/config").rows[0]["uid"]
    assert number.isdigit()
    with OkxCaller(exchange, exchange.open_account("okx", "neighbour", {"USDT": "1"})) as neighbour:
        assert neighbour.get("account/config").rows[0]["uid"] != number


def test_the_funding_account_survives_a_restart(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path) as exchange:
        account = exchange.open_account("okx", "kept", {"USDT": "1000"})
        with OkxCaller(exchange, account) as caller:
            _deposit(exchange, caller, asset="USDT", amount="300")
            assert _move(caller, "100") == "0"
            before = caller.get("asset/deposit-history").rows
        exchange.kill()
        exchange.start()
        with OkxCaller(exchange, account) as caller:
            assert caller.get("asset/balances").rows[0]["bal"] == "200"
            assert caller.holding("USDT")["cashBal"] == "1100"
            assert caller.get("asset/deposit-history").rows == before
