"""Alpaca's keys, account, flags, assets and rate limits, over the wire."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from paper_exchange.assets import STOCKS
from tests.exchange_process import ExchangeProcess
from tests.paper_exchange.alpaca_caller import AlpacaCaller

NOT_AUTHORIZED = {"code": 40110000, "message": "request is not authorized"}


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=13, options=["--alpaca-session", "always-open"]) as process:
        process.pause()
        process.set_price("AAPL/USD", "200")
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[AlpacaCaller]:
    exchange.clear_faults()
    account = exchange.open_account("alpaca", request.node.name[:60], {"USD": "10000", "AAPL": "10"})
    with AlpacaCaller(exchange, account) as opened:
        yield opened


def set_state(exchange: ExchangeProcess, caller: AlpacaCaller, **state: object) -> dict[str, object]:
    told: dict[str, object] = exchange.control("POST", f"/accounts/alpaca/{caller.account.name}/state", state)
    return told


@pytest.mark.parametrize("path", ["account", "clock", "stocks/quotes/latest?symbols=AAPL", "orders", "nothing/here"])
def test_without_the_right_secret_nothing_is_told(exchange: ExchangeProcess, caller: AlpacaCaller, path: str) -> None:
    with AlpacaCaller(exchange, caller.account, secret="wrong") as forged:
        answer = forged.call("GET", path)
    assert (answer.status, answer.body) == (401, NOT_AUTHORIZED)
    bare = requests.get(f"{exchange.rest_url('alpaca')}/v2/{path}", timeout=10)
    assert (bare.status_code, bare.json()) == (401, NOT_AUTHORIZED)


def test_a_key_of_another_brokerage_opens_nothing(exchange: ExchangeProcess) -> None:
    with AlpacaCaller(exchange, exchange.open_account("kraken", "elsewhere")) as stranger:
        assert stranger.call("GET", "account").status == 401


def test_basic_authorization_works_as_well(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    account = caller.account
    encoded = base64.b64encode(f"{account.api_key}:{account.api_secret}".encode()).decode()
    headers = {"Authorization": f"Basic {encoded}"}
    answer = requests.get(f"{exchange.rest_url('alpaca')}/v2/account", headers=headers, timeout=10)
    assert answer.status_code == 200


def test_a_key_that_may_only_look_places_nothing(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("alpaca", "viewer", {"USD": "1000"}, permissions=["view"])
    with AlpacaCaller(exchange, account) as viewer:
        assert viewer.get("account")["cash"] == "1000" and viewer.get("stocks/AAPL/quotes/latest")
        assert viewer.refused(qty="1")[:2] == (403, 40310000)
        assert viewer.call("DELETE", "orders").status == 403
    assert not exchange.journal(type="accept", account="viewer")


def test_a_rotated_key_replaces_the_old_one(exchange: ExchangeProcess) -> None:
    account = exchange.open_account("alpaca", "rotated")
    exchange.control("POST", "/accounts/alpaca/rotated/key")
    with AlpacaCaller(exchange, account) as old:
        assert old.call("GET", "account").status == 401


def test_the_account_shows_its_money_as_text(caller: AlpacaCaller) -> None:
    account = caller.get("account")
    assert (account["status"], account["currency"], account["multiplier"]) == ("ACTIVE", "USD", "1")
    assert (account["cash"], account["buying_power"], account["long_market_value"]) == ("10000", "10000", "2000")
    assert (account["equity"], account["portfolio_value"]) == ("12000", "12000")
    assert not any(account[name] for name in ("trading_blocked", "account_blocked", "pattern_day_trader"))
    assert account["daytrade_count"] == 0 and Decimal(account["last_equity"]) > 10000
    assert caller.get("account")["id"] == account["id"]
    assert caller.get("account/configurations")["no_shorting"] is True


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"trading_blocked": True}, "restricted"),
        ({"account_blocked": True}, "restricted"),
        ({"trade_suspended_by_user": True}, "rejected by user request"),
        ({"status": "ACCOUNT_CLOSED"}, "not active"),
    ],
)
def test_a_blocked_account_shows_it_and_places_nothing(
    exchange: ExchangeProcess, caller: AlpacaCaller, state: dict[str, object], words: str
) -> None:
    told = set_state(exchange, caller, **state)
    assert told.items() >= state.items() and caller.get("account").items() >= state.items()
    status, code, message = caller.refused(qty="1")
    assert (status, code) == (403, 40310000) and words in message
    set_state(exchange, caller, status="ACTIVE", **{name: False for name in state if name != "status"})
    assert caller.placed(qty="1")["status"] == "filled"


def test_a_flagged_day_trader_with_little_equity_buys_nothing_but_may_sell(
    exchange: ExchangeProcess, caller: AlpacaCaller
) -> None:
    set_state(exchange, caller, pattern_day_trader=True)
    assert caller.refused(qty="1") == (403, 40310100, "trade denied due to pattern day trading protection")
    assert caller.placed(side="sell", qty="1")["status"] == "filled"
    exchange.control("POST", f"/accounts/alpaca/{caller.account.name}/deposit", {"asset": "USD", "amount": "20000"})
    assert caller.placed(qty="1")["status"] == "filled"


def test_a_fourth_day_trade_is_denied(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    set_state(exchange, caller, daytrade_count=3)
    assert caller.placed(side="sell", qty="1")["status"] == "filled"
    caller.placed(qty="1")
    assert caller.refused(side="sell", qty="1")[1] == 40310100


@pytest.mark.parametrize(
    ("state", "words"),
    [({"colour": 1}, "colour"), ({"trading_blocked": 1}, "true or false"), ({"status": "HAPPY"}, "status"),
     ({"daytrade_count": -1}, "negative"), ({"daytrade_count": True}, "whole number")],
)  # fmt: skip
def test_a_state_that_makes_no_sense_is_refused_and_changes_nothing(
    exchange: ExchangeProcess, caller: AlpacaCaller, state: dict[str, object], words: str
) -> None:
    before = set_state(exchange, caller)
    with pytest.raises(AssertionError, match=f"400.*{words}"):
        set_state(exchange, caller, **state)
    assert set_state(exchange, caller) == before


def test_flags_and_fees_survive_a_restart(tmp_path: Path) -> None:
    with ExchangeProcess(seed=5, state=tmp_path / "s", options=["--alpaca-session", "always-open"]) as process:
        with AlpacaCaller(process, process.open_account("alpaca", "kept", {"USD": "1000", "AAPL": "5"})) as caller:
            caller.placed("before", side="sell", qty="1")
            set_state(process, caller, pattern_day_trader=True, daytrade_count=2)
            account = caller.account
        process.kill()
        process.start()
        with AlpacaCaller(process, account) as caller:
            shown = caller.get("account")
            assert (shown["pattern_day_trader"], shown["daytrade_count"]) == (True, 2)
            assert caller.get("orders:by_client_order_id", client_order_id="before")["status"] == "filled"
            assert caller.get("positions/AAPL")["qty"] == "4"


def test_assets_say_which_of_them_come_in_fractions(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    assets = {asset["symbol"]: asset for asset in caller.get("assets", status="active", asset_class="us_equity")}
    assert set(assets) == set(STOCKS)
    assert {symbol for symbol, asset in assets.items() if not asset["fractionable"]} == {"SIRI", "NOK", "TLRY"}
    apple = assets["AAPL"]
    assert (apple["class"], apple["exchange"], apple["tradable"]) == ("us_equity", "NASDAQ", True)
    assert caller.get("assets/AAPL") == apple == caller.get(f"assets/{apple['id']}")
    assert caller.get("assets/BRK.B")["exchange"] == "NYSE"
    assert caller.call("GET", "assets/BTC").status == 404 and caller.get("assets", status="inactive") == []
    assert {asset["exchange"] for asset in caller.get("assets", exchange="ARCA")} == {"ARCA"}


def test_a_halted_stock_is_not_tradable(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    exchange.market(symbol="MSFT/USD", halt=True)
    assert caller.get("assets/MSFT")["tradable"] is False
    assert caller.refused(symbol="MSFT", qty="1")[:2] == (422, 42210000)
    exchange.market(symbol="MSFT/USD", halt=False)
    assert caller.placed(symbol="MSFT", qty="1")["status"] == "filled"


def test_strict_accounts_have_200_requests_a_minute_of_each_kind(exchange: ExchangeProcess) -> None:
    with AlpacaCaller(exchange, exchange.open_account("alpaca", "strict", strict=True)) as caller:
        answers = [caller.call("GET", "clock") for _ in range(401)]
        data = caller.call("GET", "stocks/AAPL/quotes/latest")
    first, refused = answers[0], next(answer for answer in answers if answer.status != 200)
    assert first.headers["x-ratelimit-limit"] == "200"
    assert int(first.headers["x-ratelimit-remaining"]) == 199
    assert (refused.status, refused.body["code"]) == (429, 42910000)
    assert refused.headers["x-ratelimit-remaining"] == "0" and int(refused.headers["x-ratelimit-reset"]) % 60 == 0
    assert data.status == 200


def test_others_are_only_told_the_limits(caller: AlpacaCaller) -> None:
    answers = [caller.call("GET", "clock") for _ in range(230)]
    assert {answer.status for answer in answers} == {200}
    assert answers[-1].headers["x-request-id"]


def test_what_is_not_there_is_404_and_what_is_no_order_is_422(caller: AlpacaCaller) -> None:
    for path in ("nothing", "orders/x/y", "watchlists"):
        answer = caller.call("GET", path)
        assert (answer.status, answer.body["code"]) == (404, 40410000)
    for body in ([1], "text", None, {}):
        answer = caller.call("POST", "orders", body)
        assert (answer.status, answer.body["code"]) == (422, 40010001)


def test_faults_speak_alpacas_language(exchange: ExchangeProcess, caller: AlpacaCaller) -> None:
    name = caller.account.name
    exchange.fault({"kind": "api_error", "text": "42910000: too many requests."}, account=name, endpoint="account")
    answer = caller.call("GET", "account")
    assert (answer.status, answer.body) == (429, {"code": 42910000, "message": "too many requests."})
    exchange.fault({"kind": "api_error", "text": "all is lost"}, account=name, endpoint="orders")
    answer = caller.order(qty="1")
    assert (answer.status, json.loads(answer.text)) == (500, {"code": 50010000, "message": "all is lost"})
    assert not exchange.journal(type="accept", account=name)
