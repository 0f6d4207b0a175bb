"""alpaca-py, unmodified but for its address, against the paper exchange; it runs with .venv-peers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.peer_process import run_peer
from tests.exchange_process import ExchangeProcess, PaperAccount

BALANCES = {"USD": "100000", "AAPL": "10"}


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=21, options=["--alpaca-session", "always-open"]) as process:
        process.pause()
        process.set_price("AAPL/USD", "200")
        process.set_price("MSFT/USD", "400")
        yield process


@pytest.fixture(scope="module")
def account(exchange: ExchangeProcess) -> PaperAccount:
    return exchange.open_account("alpaca", "peer", BALANCES)


@pytest.fixture(scope="module")
def report(exchange: ExchangeProcess, account: PaperAccount) -> dict[str, Any]:
    return _run(exchange, account)


def _run(exchange: ExchangeProcess, account: PaperAccount, **more: str) -> dict[str, Any]:
    url = exchange.rest_url("alpaca")
    return run_peer("alpaca_py.py", url=url, api_key=account.api_key, api_secret=account.api_secret, **more)


def test_no_call_raised_anything(report: dict[str, Any]) -> None:
    failed = {name: result for name, result in report.items() if isinstance(result, dict) and "error" in result}
    assert failed == {}


def test_account_clock_calendar_and_assets_are_understood(report: dict[str, Any]) -> None:
    account, clock = report["account"], report["clock"]
    assert (account["cash"], account["status"], account["daytrade_count"]) == ("100000", "ACTIVE", 0)
    assert clock["is_open"] is True and clock["timestamp"] < clock["next_close"]
    assert [day["close"][-8:] for day in report["calendar"]] == ["16:00:00"] * 3 + ["13:00:00", "16:00:00"]
    assert len(report["assets"]) > 30 and report["asset"]["fractionable"] is True
    assert report["configurations"]["no_shorting"] is True


def test_a_market_order_in_dollars_fills_and_can_be_looked_up(
    report: dict[str, Any], exchange: ExchangeProcess
) -> None:
    bought = report["market_buy"]
    assert (bought["status"], bought["notional"], bought["qty"]) == ("filled", "500", None)
    assert report["by_id"] == report["by_client_id"] == bought
    [fill] = exchange.journal(type="fill", client_order_id="market-1")
    assert Decimal(fill["quantity"]) == Decimal(bought["filled_qty"])


def test_an_id_is_refused_for_good(report: dict[str, Any]) -> None:
    refused = {"status": 422, "code": 40010001, "message": "client_order_id must be unique"}
    assert report["duplicate"] == report["canceled_id_again"] == refused


def test_limit_orders_are_replaced_and_cancelled(report: dict[str, Any]) -> None:
    assert (report["limit"]["status"], report["limit"]["limit_price"]) == ("new", "150.25")
    assert (report["replaced"]["qty"], report["replaced"]["limit_price"]) == ("2", "151.5")
    assert report["replaced_one"]["status"] == "replaced"
    assert report["replaced_one"]["replaced_by"] == report["replaced"]["id"]
    assert report["open"] == ["limit-2"] and report["cancel"] is None
    assert report["cancel_again"]["status"] == 422 and report["cancel_unknown"]["status"] == 404
    assert report["cancel_all"] == [200, 200]
    assert {"market-1", "limit-1", "limit-2", "ioc"} <= set(report["closed"])


def test_other_kinds_and_refusals_are_told_apart(report: dict[str, Any]) -> None:
    assert report["ioc"]["status"] == "canceled"
    assert (report["stop"]["type"], report["stop_limit"]["type"]) == ("stop", "stop_limit")
    assert (report["poor"]["status"], report["poor"]["code"]) == (403, 40310000)
    assert (report["sub_penny"]["code"], report["fraction"]["code"]) == (42210000, 42210000)
    assert (report["bad_secret"]["status"], report["bad_secret"]["code"]) == (401, 40110000)


def test_positions_are_shown_and_closed(report: dict[str, Any]) -> None:
    assert [position["symbol"] for position in report["positions"]] == ["AAPL"]
    held = Decimal(report["position"]["qty"])
    assert Decimal(report["close_half"]["filled_qty"]) == pytest.approx(held / 2, abs=Decimal("1e-8"))
    assert report["close_all"] == [200] and report["none_left"]["status"] == 404
    kinds = [row["activity_type"] for row in (*report["first"], *report["second"])]
    assert kinds == ["CSD", "JNLS"] and report["second"][0]["qty"] == "10"
    assert len(report["fills"]) == 2 and report["deposits"][0]["net_amount"] == "100000"


def test_market_data_is_understood(report: dict[str, Any]) -> None:
    quote = report["quotes"]["AAPL"]
    assert quote["bid_price"] <= 200 <= quote["ask_price"] and report["trades"]["AAPL"]["price"] == 200
    assert report["latest_bars"] == ["AAPL"] and report["snapshots"] == ["AAPL", "SPY"]
    assert report["days"]["AAPL"] == report["days"]["SPY"] >= 29
    assert report["quarters"]["AAPL"] == report["quarters"]["SPY"] >= 29 * 96
    assert len(report["few_bars"]) == 5 and report["few_bars"][0]["vwap"] > 0


def test_when_504_is_answered_it_sends_the_order_again_and_buys_once(exchange: ExchangeProcess) -> None:
    """The client answers a 504 by posting again on its own: only the id keeps it from buying twice."""
    account = exchange.open_account("alpaca", "resender", BALANCES)
    exchange.fault({"kind": "accept_then_5xx", "status": 504}, endpoint="orders", account="resender")
    report = _run(exchange, account, only="resend")
    assert report["lost"] == {"status": 422, "code": 40010001, "message": "client_order_id must be unique"}
    assert report["found"]["status"] == "filled"
    requests = exchange.journal(type="request", account="resender", endpoint="orders")
    assert len(requests) == 2 and len(exchange.journal(type="accept", account="resender")) == 1


def test_its_stream_hears_of_orders_as_they_happen(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("alpaca", "listener", BALANCES)
    report = run_peer(
        "alpaca_py_stream.py",
        url=exchange.rest_url("alpaca"),
        stream_url=exchange.addresses["alpaca"]["ws_auth"] + "/stream",
        api_key=account.api_key,
        api_secret=account.api_secret,
    )
    assert [update["event"] for update in report["canceled"]] == ["new", "canceled"]
    assert [update["event"] for update in report["filled"]] == ["new", "fill"]
    assert (report["filled"][-1]["qty"], report["filled"][-1]["position_qty"]) == (2, 12)
