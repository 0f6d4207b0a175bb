"""Exits of the whole bot at the paper exchange, while everything that they do not need is broken."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.seams.clock import format_time
from tests.exchange_process import wait_until
from tests.integration.composed_bot import CONFIGURATION, MASTER, ComposedBot, user

ANN = user("ann")
BROKEN = CONFIGURATION.replace("composed_bot:PatientStrategy", "test_exits_of_the_bot:BrokenStrategy")


class BrokenStrategy:
    """Answers nothing about anything."""

    name = "broken"
    parameters = ()
    candles_needed = 1

    def __init__(self, _values: object) -> None:
        pass

    def entry(self, _view: object) -> object:
        raise RuntimeError("no entry from me")

    def exit(self, _view: object, _position: object) -> object:
        raise RuntimeError("no exit from me")


def states(bot: ComposedBot, symbol: str) -> dict[str, Mapping[str, Any]]:
    rows = bot.rows("SELECT * FROM exit_state WHERE symbol = :symbol", symbol=symbol)
    return {row["account_id"]: row for row in rows}


def both_are(bot: ComposedBot, symbol: str, status: str, *, without: str = "") -> None:
    wait_until(
        lambda: [row["status"] for row in states(bot, symbol).values() if row["faults"] or not without] == [status] * 2,
        seconds=60,
        what=f"{symbol} is {status}, not {states(bot, symbol)}",
    )


def sales(bot: ComposedBot, symbol: str) -> list[Mapping[str, Any]]:
    query = "SELECT * FROM order_intent WHERE side = 'sell' AND symbol = :symbol ORDER BY account_id"
    return bot.rows(query, symbol=symbol)


def test_stops_sell_while_strategy_scan_candles_and_another_markets_price_are_broken(tmp_path: Path) -> None:
    with ComposedBot(tmp_path, ["ann"], configuration=BROKEN) as bot:
        wait_until(bot.all_trade, seconds=60, what="both trade")
        bot.hand.trades("buy", "0.2", "XBT/USD")
        bot.hand.trades("buy", "4", "ETH/USD")
        both_are(bot, "BTC/USD", "armed")
        both_are(bot, "ETH/USD", "armed")
        wait_until(
            lambda: "no exit from me" in states(bot, "ETH/USD")[MASTER.label]["faults"],
            seconds=60,
            what="the strategy's fault is on record",
        )
        assert json.loads(states(bot, "BTC/USD")[ANN.label]["rules_json"])["hard_stop"]["armed"]
        for endpoint in ("OHLC", "AssetPairs"):
            bot.exchange.fault({"kind": "5xx"}, times=None, endpoint=endpoint)
        # What the venue says of ether makes no sense from now on; of bitcoin it says that a stop is met.
        bot.exchange.set_price("BTC/USD", "20000")
        price = ["20000.0", "1", "1.000"]
        reply = {"error": [], "result": {"XXBTZUSD": {"a": price, "b": price}, "XETHZUSD": {"a": "?", "b": None}}}
        bot.exchange.fault({"kind": "body", "text": json.dumps(reply)}, times=None, endpoint="Ticker")
        wait_until(
            lambda: bot.held("master") == 0 and bot.held("ann") == 0 and not states(bot, "BTC/USD"),
            seconds=60,
            what="both have sold their bitcoin",
        )
        both_are(bot, "ETH/USD", "waiting")
        assert [row["decision"].partition(":")[0] for row in sales(bot, "BTC/USD")][-1] == "hard_stop"
        assert sales(bot, "ETH/USD") == []
        ended = bot.rows("SELECT account_id, exit_rule FROM round_trip WHERE symbol = 'BTC/USD'")
        assert {row["account_id"] for row in ended} == {MASTER.label, ANN.label}
        assert {row["exit_rule"] for row in ended} <= {"hard_stop", "master_exit"}
        bot.exchange.clear_faults()
        both_are(bot, "ETH/USD", "armed")
        assert bot.fatal == []


def test_dust_comes_back_with_the_next_position_of_its_market_and_is_sold_once(tmp_path: Path) -> None:
    with ComposedBot(tmp_path, []) as bot:
        wait_until(bot.all_trade, seconds=60, what="the master trades")
        bot.hand.trades("buy", "0.0001", "XBT/USD")
        bot.hand.trades("sell", "0.00006", "XBT/USD")
        wait_until(lambda: bot.booked(MASTER) == Decimal("0.00004"), seconds=60, what="the rest is booked")
        bot.exchange.set_price("BTC/USD", "10000")
        wait_until(lambda: bot.rows("SELECT * FROM dust"), seconds=60, what="it is dust")
        (row,) = bot.rows("SELECT * FROM dust")
        assert "below the venue's minimum" in row["reason"]
        assert (states(bot, "BTC/USD"), bot.booked(MASTER)) == ({}, 0)
        (trip,) = bot.rows("SELECT * FROM round_trip")
        assert (trip["exit_rule"], trip["bought_quantity"]) == ("by_hand", "0.00006")
        cycles = bot.cycles(MASTER)
        wait_until(lambda: bot.cycles(MASTER) > cycles + 1, seconds=60, what="two cycles more")
        assert sales(bot, "BTC/USD") == []
        bot.hand.trades("buy", "0.0001", "XBT/USD")
        wait_until(lambda: bot.booked(MASTER) == Decimal("0.0001"), seconds=60, what="another one is bought")
        now = format_time(datetime.now(UTC))
        bot.store.write(lambda connection: connection.exec_driver_sql("UPDATE dust SET retry_at = ?", (now,)))
        # At the price of both the stop is met.
        wait_until(lambda: bot.held("master") == 0, seconds=60, what="both are sold")
        wait_until(lambda: bot.booked(MASTER) == 0, seconds=60, what="the books are even")
        assert [row["quantity"] for row in sales(bot, "BTC/USD")] == ["0.00014"]
        assert bot.rows("SELECT * FROM dust WHERE reopened_at IS NULL") == []
