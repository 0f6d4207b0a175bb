"""Five masters at five brokerages and two users at each: every one trades on its own wire, every user copies."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.account import BrokerType
from tests.acceptance.test_first_minute import check_size
from tests.bot_process import ROOT, SHIPPED, BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

BROKERAGES = tuple(BrokerType)
# Whatever the prices do, each master finds something to buy.
BUSY = {"NIJA__STRATEGY__PLUGIN": "benchmarks.kill_drill.busy_strategy:BusyStrategy"}
USERS = {"daivon_frazier": Decimal("0.1"), "tania_gilbert": Decimal("0.5")}


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7, options=["--alpaca-session", "always-open"]) as process:
        yield process


def copied_at(bot: BotProcess) -> dict[str, dict[str, Any]]:
    """Per brokerage the first entry that both users have copied."""
    done: dict[str, dict[str, Any]] = {}
    for signal in bot.copies():
        if signal["kind"] == "entry" and [user["status"] for user in signal["users"]] == ["copied"] * 2:
            done.setdefault(signal["broker"], signal)
    return done


def priced_at(state: Path) -> set[str]:
    """The brokerages of which anybody can read prices without asking them."""
    with closing(sqlite3.connect(f"file:{state / 'nija.db'}?mode=ro", uri=True)) as connection:
        return {broker for (broker,) in connection.execute("SELECT DISTINCT broker FROM market_scout")}


def test_all_five_masters_trade_and_all_their_users_copy(exchange: ExchangeProcess, tmp_path: Path) -> None:
    environ = environment(tmp_path, exchange, **SHIPPED, **BUSY)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        wait_until(lambda: set(copied_at(bot)) == set(BROKERAGES), seconds=120, what="a copied entry at each brokerage")
        signals, first = bot.copies(), copied_at(bot)
        wait_until(lambda: priced_at(tmp_path) == set(BROKERAGES), seconds=60, what="prices of each brokerage stored")
        (possible,) = json.loads(bot.command("bot.py", "limits", "okx", "BTC/USDT", "--json").stdout)["possible_orders"]
        said = bot.command("check_active_trading_per_broker.py").stdout
        status = bot.accounts()
        assert bot.stop() == 0
        journal, log = exchange.journal(), bot.log()
    for signal in signals:
        for user in signal["users"]:
            check_size(signal, user)
    check_orders(journal, signals)
    assert Decimal(possible["price"]) > 0 and Decimal(possible["smallest_notional"]) > 0
    for broker in BROKERAGES:
        check_first_trade(journal, first[broker])
        assert f"MASTER ACCOUNT: TRADING (Broker: {broker.upper()})" in said
        assert f"{broker.proper_name} MASTER connected" in log
        assert f"Daivon Frazier connected to {broker.proper_name}" in log
    assert {label: one["balance"]["currency"] for label, one in status.items() if one["account_type"] == "master"} == {
        "kraken": "USD", "coinbase": "USD", "okx": "USDT", "binance": "USDT", "alpaca": "USD",
    }  # fmt: skip
    assert len(status) == 15 and "Traceback" not in log


def test_the_operators_word_stops_one_brokerage_and_then_sells_what_all_of_them_hold(
    exchange: ExchangeProcess, tmp_path: Path
) -> None:
    # What was bought is kept until it is told to be sold, and none of it by a stop of its own.
    kept = {"NIJA__STRATEGY__PARAMETERS__KEPT_PERCENT": "100"}
    environ = environment(tmp_path, exchange, **SHIPPED, **BUSY, **kept)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        wait_until(lambda: set(copied_at(bot)) == set(BROKERAGES), seconds=120, what="a copied entry at each brokerage")
        assert bot.command("bot.py", "pause", "binance", "--by", "Anna", "--reason", "a look at it").returncode == 0
        halted = json.loads(bot.command("bot.py", "halts", "--json").stdout)
        done = bot.command("bot.py", "flatten", "all", "--yes", "--wait", "50")
        assert done.returncode == 0, done.stdout + done.stderr
        assert bot.stop() == 0
    assert "binance" in json.dumps(halted)
    for account in exchange.accounts():
        currency = {"okx": "USDT", "binance": "USDT"}.get(account["brokerage"], "USD")
        held = {asset: Decimal(much) for asset, much in account["balances"].items() if asset != currency}
        # What is left of a fee that was taken in coins is less than the brokerage would buy.
        assert all(much < Decimal("0.01") for much in held.values()), account


def check_orders(journal: list[dict[str, Any]], signals: list[dict[str, Any]]) -> None:
    """No order twice, and each that is said to have been copied was taken of the account that says so."""
    taken = [line for line in journal if line["type"] == "accept"]
    ids = [line["client_order_id"] for line in taken]
    assert len(set(ids)) == len(ids)
    owners = {line["client_order_id"]: (line["brokerage"], line["account"]) for line in taken}
    for signal in signals:
        for user in signal["users"]:
            if user["status"] == "copied":
                brokerage, account = owners[user["client_order_id"]]
                assert brokerage == signal["broker"] and account in USERS


def check_first_trade(journal: list[dict[str, Any]], signal: dict[str, Any]) -> None:
    """By the exchange alone: who bought how much with which order, at this brokerage and no other."""
    bought: dict[str, Decimal] = {}
    wanted = {user["client_order_id"] for user in signal["users"]}
    lines = [line for line in journal if line["brokerage"] == signal["broker"] and line["symbol"] == signal["symbol"]]
    for line in lines:
        if line["type"] == "fill" and line["client_order_id"] in wanted:
            bought[line["account"]] = bought.get(line["account"], Decimal(0)) + Decimal(line["quantity"])
    assert set(bought) == set(USERS)
    for user, part in USERS.items():
        ideal = Decimal(signal["quantity"]) * part
        assert bought[user] <= ideal * Decimal("1.01")
        assert bought[user] > 0


def test_where_no_key_is_set_nothing_is_configured_and_the_others_trade(
    exchange: ExchangeProcess, tmp_path: Path
) -> None:
    """Live mode on the paper exchange's wire, with the keys of Binance's accounts alone."""
    keys: dict[str, str] = {}
    for name, balance in (("master", "10000"), ("daivon_frazier", "1000"), ("tania_gilbert", "5000")):
        opened = exchange.open_account("binance", name, {"USDT": balance})
        owner = "MASTER" if name == "master" else f"USER_{name.upper()}"
        keys |= {f"BINANCE_{owner}_API_KEY": opened.api_key, f"BINANCE_{owner}_API_SECRET": opened.api_secret}
    urls = {f"NIJA__{broker.upper()}__REST_URL": exchange.rest_url(broker) for broker in BROKERAGES}
    pace = {"NIJA__PACE__LIVE__CYCLE_SECONDS": "2"} | {
        f"NIJA__PACE__LIVE__{name}_DELAY_SECONDS": "0" for name in ("MASTER_CONNECTION", "USER_CONNECTION",
                                                                    "MIN_CONNECTION")
    }  # fmt: skip
    environ = environment(tmp_path, TRADING_MODE="live", **SHIPPED, **BUSY, **urls, **pace, **keys)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        wait_until(lambda: "binance" in copied_at(bot), seconds=90, what="a copied entry at Binance")
        active = bot.command("check_active_trading_per_broker.py")
        said = json.loads(bot.command("check_broker_status.py", "--json").stdout)
        assert bot.stop() == 0
    assert "3 of 3 accounts trade, 12 more have no key" in active.stdout and active.returncode == 0
    assert (
        "MASTER ACCOUNT: NOT TRADING (Broker: OKX): not configured: "
        "set OKX_MASTER_API_KEY and OKX_MASTER_API_SECRET and OKX_MASTER_API_PASSPHRASE"
    ) in active.stdout
    for one in said["accounts"]:
        assert one["trading"] == (one["broker"] == "binance"), one
    others = {line["brokerage"] for line in exchange.journal() if line["type"] == "request"} - {"binance"}
    assert not others, "nobody asked a brokerage of which there is no key"
    assert "not configured" in bot.log() and "Traceback" not in bot.log()


def test_libraries_of_brokerages_that_are_not_in_use_are_never_imported(tmp_path: Path) -> None:
    """A bot at Kraken alone, started, trading and stopped, with every import written down."""
    config = tmp_path / "config"
    shutil.copytree(ROOT / "tests" / "two_brokerages" / "config", config)
    (config / "nija.yaml").write_text("masters: [{broker: kraken}]\n", encoding="utf-8")
    (config / "users" / "retail_coinbase.json").unlink()
    environ = environment(tmp_path / "state", NIJA_CONFIG_DIR=str(config), PYTHONPROFILEIMPORTTIME="1")
    (tmp_path / "state").mkdir()
    with BotProcess(environ, "--for", "60", log=tmp_path / "out.txt") as bot:
        bot.says("kraken cycle completed successfully")
        assert bot.stop() == 0
    imported = {line.rpartition("|")[2].strip() for line in bot.log().splitlines() if line.startswith("import time:")}
    assert "bot.brokers.by_ccxt.broker" in imported
    assert not {name for name in imported if name.partition(".")[0] in ("ccxt", "alpaca", "coinbase", "pandas")}
