"""Alpaca's market hours over the wire: what waits, what expires, and what is charged at the close."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paper_exchange.clock import SystemClock, rfc3339
from tests.exchange_process import ExchangeProcess, wait_until
from tests.paper_exchange.alpaca_caller import AlpacaCaller

BALANCES = {"USD": "100000", "AAPL": "50"}
SECONDS = 20.0


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=13) as process:
        yield process


@pytest.fixture
def caller(exchange: ExchangeProcess, request: pytest.FixtureRequest) -> Iterator[AlpacaCaller]:
    """An account of its own for every test; the market is open and AAPL stands at 200 dollars."""
    session(exchange, "open")
    exchange.pause()
    exchange.set_price("AAPL/USD", "200")
    account = exchange.open_account("alpaca", request.node.name[:60], BALANCES)
    with AlpacaCaller(exchange, account) as opened:
        yield opened


def session(exchange: ExchangeProcess, mode: str, **times: str) -> dict[str, Any]:
    told: dict[str, Any] = exchange.control("POST", "/session", {"brokerage": "alpaca", "mode": mode, **times})
    return told


def in_seconds(seconds: float) -> str:
    return rfc3339(SystemClock().now_ns() + int(seconds * 1e9))


def becomes(caller: AlpacaCaller, order: Any, status: str) -> Any:
    def shown() -> Any:
        found = caller.shown(order["id"])
        return found if found["status"] == status else None

    return wait_until(shown, seconds=SECONDS, what=f"the order being {status}")


def test_an_order_that_comes_while_it_is_closed_fills_at_the_opening(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    session(exchange, "closed")
    order = caller.placed("early", qty="10")
    assert (order["status"], order["filled_qty"], order["filled_avg_price"]) == ("accepted", "0", None)
    account = caller.get("account")
    assert (account["cash"], account["buying_power"]) == ("100000", "97920")
    assert [line["client_order_id"] for line in exchange.journal(type="accept", client_order_id="early")] == ["early"]
    assert not exchange.journal(type="fill", client_order_id="early")
    session(exchange, "open")
    filled = becomes(caller, order, "filled")
    assert filled["filled_qty"] == "10" and len(exchange.journal(type="accept", client_order_id="early")) == 1
    assert caller.get("account")["cash"] == caller.get("account")["buying_power"]


def test_it_opens_by_itself_at_the_time_that_was_said(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    told = session(exchange, "closed", next_open=in_seconds(1.5))
    assert told["is_open"] is False
    order = caller.placed(notional="100")
    clock = caller.get("clock")
    assert clock["is_open"] is False and clock["next_open"] < clock["next_close"]
    becomes(caller, order, "filled")
    assert caller.get("clock")["is_open"] is True


def test_a_waiting_order_can_be_cancelled_and_nothing_is_filled_later(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    session(exchange, "closed")
    order = caller.placed(symbol="MSFT", qty="10")
    sell = caller.placed(symbol="AAPL", side="sell", type="limit", qty="5", limit_price="250")
    assert caller.get("positions/AAPL")["qty_available"] == "45"
    for each in (order, sell):
        assert caller.call("DELETE", f"orders/{each['id']}").status == 204
    session(exchange, "open")
    assert caller.shown(order["id"])["status"] == caller.shown(sell["id"])["status"] == "canceled"
    [position] = caller.get("positions")
    assert (position["symbol"], position["qty"], position["qty_available"]) == ("AAPL", "50", "50")


def test_immediate_orders_are_refused_outside_market_hours(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    session(exchange, "closed")
    status, code, message = caller.refused(qty="1", time_in_force="ioc", type="limit", limit_price="210")
    assert (status, code) == (422, 42210000) and "market hours" in message


def test_orders_for_the_day_expire_at_the_close_and_others_stay(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    day = caller.placed(type="limit", qty="1", limit_price="150")
    lasting = caller.placed(type="limit", qty="1", limit_price="150", time_in_force="gtc")
    assert day["expires_at"] and lasting["expires_at"] is None
    session(exchange, "closed")
    expired = caller.shown(day["id"])
    assert expired["status"] == "expired" and expired["expired_at"]
    assert caller.shown(lasting["id"])["status"] == "new"
    assert len(exchange.journal(type="expire", order_id=day["id"])) == 1
    exchange.set_price("AAPL/USD", "100")
    assert caller.shown(lasting["id"])["status"] == "new"
    session(exchange, "open")
    becomes(caller, lasting, "filled")


def test_an_order_for_the_next_day_outlives_the_close_that_is_over(
    caller: AlpacaCaller, exchange: ExchangeProcess
) -> None:
    session(exchange, "closed")
    order = caller.placed(type="limit", qty="1", limit_price="150")
    session(exchange, "closed", next_open=in_seconds(3600))
    assert caller.shown(order["id"])["status"] == "accepted"
    session(exchange, "open")
    becomes(caller, order, "new")
    session(exchange, "closed")
    assert caller.shown(order["id"])["status"] == "expired"


def test_the_days_sales_are_charged_at_the_close(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    sold = caller.placed(side="sell", qty="50")
    proceeds = Decimal(sold["filled_qty"]) * Decimal(sold["filled_avg_price"])
    assert caller.get("account/activities/FEE") == []
    before = Decimal(caller.get("account")["cash"])
    session(exchange, "closed")
    fees = caller.get("account/activities", activity_types="FEE", direction="asc")
    assert [row["description"].split()[0] for row in fees] == ["REG", "TAF"]
    assert [Decimal(row["net_amount"]) for row in fees] == [Decimal("-0.28"), Decimal("-0.01")]
    assert proceeds * Decimal("0.0000278") <= Decimal("0.28")
    assert Decimal(caller.get("account")["cash"]) == before - Decimal("0.29")
    session(exchange, "open")
    session(exchange, "closed")
    assert len(caller.get("account/activities/FEE")) == 2


def test_prices_stand_still_while_it_is_closed(caller: AlpacaCaller, exchange: ExchangeProcess) -> None:
    exchange.pause(paused=False)
    session(exchange, "closed")

    def quote() -> Any:
        row = caller.get("stocks/quotes/latest", symbols="AAPL")["quotes"]["AAPL"]
        return row["bp"], row["ap"]

    bitcoin = exchange.control("GET", "/market?symbol=BTC/USD")[0]["last"]
    before = quote()
    moved = lambda: exchange.control("GET", "/market?symbol=BTC/USD")[0]["last"] != bitcoin  # noqa: E731
    wait_until(moved, seconds=SECONDS, what="another market moving")
    assert quote() == before
    session(exchange, "open")
    wait_until(lambda: quote() != before, seconds=SECONDS, what="the price moving again")


def test_by_default_it_follows_the_calendar(exchange: ExchangeProcess) -> None:
    told = session(exchange, "calendar")
    account = exchange.open_account("alpaca", "calendar")
    with AlpacaCaller(exchange, account) as caller:
        clock = caller.get("clock")
        now, opens, closes = (datetime.fromisoformat(clock[name]) for name in ("timestamp", "next_open", "next_close"))
        assert clock["is_open"] == told["is_open"] == (closes < opens)
        assert (opens.hour, opens.minute) == (9, 30) and closes.hour in (13, 16) and now < min(opens, closes)
        days = caller.get("calendar", start="2026-11-23", end="2026-11-30")
        assert [day["date"] for day in days] == [
            "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27", "2026-11-30",
        ]  # fmt: skip
        assert (days[0]["open"], days[0]["close"], days[3]["close"]) == ("09:30", "16:00", "13:00")
        assert len(caller.get("calendar")) > 240


def test_days_pass_by_the_calendar() -> None:
    """From a closed evening into the next session and out of it again; the exchange's clock runs ahead for that."""
    with (
        ExchangeProcess(seed=5) as exchange,
        AlpacaCaller(exchange, exchange.open_account("alpaca", "sleeper", BALANCES)) as caller,
    ):
        _run_ahead_to(exchange, caller, "next_close", beyond=60)
        waits, day = caller.placed(qty="1"), caller.placed(type="limit", qty="1", limit_price="10")
        assert (waits["status"], day["status"], caller.get("clock")["is_open"]) == ("accepted", "accepted", False)
        _run_ahead_to(exchange, caller, "next_open", beyond=5)
        assert caller.get("clock")["is_open"] is True
        becomes(caller, waits, "filled")
        becomes(caller, day, "new")
        closes = caller.get("clock")["next_close"]
        _run_ahead_to(exchange, caller, "next_close", beyond=5)
        assert caller.get("clock")["is_open"] is False
        expired = caller.shown(day["id"])
        assert expired["status"] == "expired"
        assert abs(datetime.fromisoformat(expired["expired_at"]) - datetime.fromisoformat(closes)).seconds < 1


def _run_ahead_to(exchange: ExchangeProcess, caller: AlpacaCaller, moment: str, *, beyond: float) -> None:
    clock = caller.get("clock")
    wait = datetime.fromisoformat(clock[moment]) - datetime.fromisoformat(clock["timestamp"])
    exchange.control("POST", "/clock", {"advance_seconds": wait.total_seconds() + beyond})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"mode": "sleepy"}, "mode"),
        ({"mode": "open", "brokerage": "kraken"}, "alpaca"),
        ({"mode": "closed", "next_open": "tomorrow"}, "next_open"),
        ({"mode": "closed", "next_open": "2020-01-01T00:00:00Z"}, "next_open"),
        ({"mode": "calendar", "next_close": "2099-01-01T00:00:00Z"}, "calendar"),
        ({"mode": "open", "colour": "red"}, "colour"),
    ],
)
def test_a_session_that_makes_no_sense_is_refused(exchange: ExchangeProcess, body: dict[str, str], words: str) -> None:
    with pytest.raises(AssertionError, match=f"400.*{words}"):
        exchange.control("POST", "/session", body)


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Callable[[], ExchangeProcess]]:
    with ExchangeProcess(seed=5, state=tmp_path / "state") as process:
        session(process, "closed")

        def restart() -> ExchangeProcess:
            process.kill()
            process.start()
            return process

        yield restart


def test_what_waits_survives_a_kill_and_fills_at_the_opening_once(
    restarted: Callable[[], ExchangeProcess],
) -> None:
    process = restarted()
    account = process.open_account("alpaca", "patient", BALANCES)
    with AlpacaCaller(process, account) as caller:
        order = caller.placed("patient-1", type="limit", qty="2", limit_price="9999", time_in_force="gtc")
    restarted()
    with AlpacaCaller(process, account) as caller:
        shown = caller.get("orders:by_client_order_id", client_order_id="patient-1")
        assert (shown["id"], shown["status"], shown["time_in_force"]) == (order["id"], "accepted", "gtc")
        assert caller.refused("patient-1", qty="1")[2] == "client_order_id must be unique"
        assert caller.get("clock")["is_open"] is False
        session(process, "open")
        becomes(caller, order, "filled")
        assert caller.get("positions/AAPL")["qty"] == "52"
