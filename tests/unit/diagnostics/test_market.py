"""`bot.py market`: what the market watch has written down, with its age."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot import app
from bot.seams.clock import SystemClock
from bot.storage import market_rows
from bot.storage.schema import market_catalogue, market_focus, market_mover, market_scout
from tests.stored_bot import StoredBot
from tests.unit.diagnostics.conftest import Ask

BTC, ETH = "BTC/USD", "ETH/USD"


def ago(seconds: float) -> datetime:
    return SystemClock().now() - timedelta(seconds=seconds)


@pytest.fixture
def watched(bot: StoredBot) -> StoredBot:
    bot.runs()
    put(bot, market_catalogue, listing(BTC, "online"), listing(ETH, "cancel_only"))
    put(bot, market_scout, ticker(ETH, 12))
    source(bot, 5)
    return bot


def put(bot: StoredBot, table: Any, *rows: dict[str, Any]) -> None:
    bot.store.write(lambda connection: market_rows.put(connection, table, rows))


def source(bot: StoredBot, seconds: float) -> None:
    bot.store.write(
        lambda connection: market_rows.note_source(
            connection, "kraken", source="WebSocket: 5 of 5 connections", now=ago(seconds)
        )
    )


def listing(symbol: str, status: str) -> dict[str, Any]:
    steps = dict.fromkeys(("lot_step", "tick_size", "minimum_quantity", "minimum_notional"), Decimal("0.00000001"))
    words = {"broker": "kraken", "symbol": symbol, "venue_symbol": symbol, "status": status}
    return words | steps | {"tradable": status == "online", "changed_at": ago(60)}


def ticker(symbol: str, seconds: float) -> dict[str, Any]:
    prices = {"bid": Decimal(100), "ask": Decimal("100.2"), "last_price": Decimal("100.1"), "volume_base": None}
    return {"broker": "kraken", "symbol": symbol, "priced_at": ago(seconds), **prices}


def focus(symbol: str, why: str, seconds: float | None) -> dict[str, Any]:
    return {
        "broker": "kraken",
        "symbol": symbol,
        "reasons": why,
        "bid": Decimal("0.00000001"),
        "ask": Decimal("0.00000002"),
        "last_price": Decimal("0.00000001"),
        "priced_at": None if seconds is None else ago(seconds),
        "updated_at": ago(0),
    }


def test_the_focus_shows_price_spread_age_and_why(ask: Ask, watched: StoredBot) -> None:
    put(watched, market_focus, focus(BTC, "held,mover", 3))
    shown = ask(app.main, "market", "--focus", "--json")
    (row,) = shown.json["focus"]
    assert shown.code == 0
    assert (row["bid"], row["ask"], row["spread_percent"]) == ("0.00000001", "0.00000002", "66.6667")
    assert row["why"] == ["held", "mover"]
    assert 3 <= row["age_seconds"] < 60
    assert "held, mover" in ask(app.main, "market").text


def test_one_market_is_shown_with_its_status_and_its_last_ticker(ask: Ask, watched: StoredBot) -> None:
    (row,) = ask(app.main, "market", "--symbol", "eth-usd", "--json").json["markets"]
    assert (row["status"], row["tradable"], row["bid"]) == ("cancel_only", False, "100")
    assert row["age_seconds"] >= 12
    assert "cancel_only" in ask(app.main, "market", "--symbol", ETH).text


@pytest.mark.parametrize("symbol", ["NOBODY/USD", "not a symbol"])
def test_a_market_that_nobody_lists_is_wrong_use(ask: Ask, watched: StoredBot, symbol: str) -> None:
    assert ask(app.main, "market", "--symbol", symbol).code == 2


def test_the_price_of_something_held_that_has_grown_old_is_to_be_looked_at(ask: Ask, watched: StoredBot) -> None:
    put(watched, market_focus, focus(BTC, "held", 600), focus(ETH, "candidate", 600))
    shown = ask(app.main, "market")
    assert shown.code == 1
    assert "BTC/USD, which is held, has a price of 10 min ago" in shown.text
    assert "ETH/USD, which" not in shown.text


def test_a_watch_that_looks_no_more_is_to_be_looked_at(ask: Ask, watched: StoredBot) -> None:
    source(watched, 500)
    shown = ask(app.main, "market")
    assert (shown.code, "nobody has looked at the markets" in shown.text) == (1, True)


def test_movers_come_strongest_first(ask: Ask, watched: StoredBot) -> None:
    common = {
        "broker": "kraken",
        "window_seconds": 3600,
        "volume_ratio": Decimal(4),
        "spread_percent": Decimal("0.1"),
        "promoted_at": ago(60),
        "met_at": ago(1),
        "expires_at": ago(-1800),
    }
    put(
        watched,
        market_mover,
        common | {"symbol": BTC, "momentum_percent": Decimal("3.5")},
        common | {"symbol": ETH, "momentum_percent": Decimal(-9)},
    )
    shown = ask(app.main, "market", "--movers", "--json").json
    assert [row["symbol"] for row in shown["movers"]] == [ETH, BTC]
    assert "focus" not in shown
    assert "60 min" in ask(app.main, "market", "--movers").text


def test_what_was_last_seen_of_a_bot_that_does_not_run_raises_no_alarm(ask: Ask, watched: StoredBot) -> None:
    put(watched, market_focus, focus(BTC, "held", 600))
    watched.ended()
    shown = ask(app.main, "market")
    assert (shown.code, "LOOK AT THIS" in shown.text) == (3, False)


def test_without_a_watch_the_command_says_so(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    shown = ask(app.main, "market")
    assert shown.code == 0
    assert "No market is watched" in shown.text
