"""A whole bot with tight limits: what is too much stays here with a reason, and what is held is still sold."""

import json
from pathlib import Path
from typing import Any

from tests.acceptance.test_reconciliation import ANN, NONCE_WINDOW_NS, Owner
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

CONFIGURATION = """\
masters:
  - {broker: kraken}
strategy: {plugin: "bot.diagnostics.drills.still_strategy:StillStrategy"}
pace:
  paper: {cycle_seconds: 0.4, reconcile_seconds: 1}
risk: {max_order_notional_usd: 500, stop_loss_percent: 90, take_profit_percent: 900, trailing_stop_percent: 90}
"""
EAGER = """\
masters:
  - {broker: kraken}
strategy:
  plugin: benchmarks.kill_drill.busy_strategy:BusyStrategy
  parameters: {entries: 1}
pace:
  paper: {cycle_seconds: 0.4}
risk: {max_order_notional_usd: 20, order_fraction_of_balance_percent: 5, scan_symbols_limit: 2}
"""


def configured(directory: Path, text: str) -> Path:
    users = directory / "config" / "users"
    users.mkdir(parents=True, exist_ok=True)
    (directory / "config" / "nija.yaml").write_text(text, encoding="utf-8")
    (users / "retail_kraken.json").write_text(json.dumps([ANN]), encoding="utf-8")
    (directory / "state").mkdir(exist_ok=True)
    return directory / "config"


def vetoes(bot: BotProcess) -> list[dict[str, Any]]:
    done = bot.command("bot.py", "vetoes", "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout)["vetoes"]
    return found


def answers(bot: BotProcess) -> list[tuple[str, str]]:
    """(status, reason) of ann's copies, oldest first; empty texts while there is no answer."""
    return [(user["status"], user["reason"]) for signal in bot.copies() for user in signal["users"]]


def test_a_copy_above_its_limit_is_a_recorded_skip_and_exits_go_on(tmp_path: Path) -> None:
    config = configured(tmp_path, CONFIGURATION)
    with ExchangeProcess(seed=5) as exchange:
        exchange.pause()
        master = Owner(
            exchange.rest_url("kraken"),
            exchange.open_account("kraken", "master", {"USD": 100_000}, nonce_window=NONCE_WINDOW_NS),
        )
        exchange.open_account("kraken", "ann", {"USD": 50_000}, nonce_window=NONCE_WINDOW_NS)
        with BotProcess(
            environment(tmp_path / "state", exchange, NIJA_CONFIG_DIR=str(config)), log=tmp_path / "out.txt"
        ) as bot:
            bot.says(" kraken is hydrated")
            bot.says("ann_kraken is hydrated")
            master.trades("buy", "0.05")
            wait_until(lambda: answers(bot) == [("copied", "")], seconds=40, what="the small entry is copied")
            master.trades("buy", "5")
            wait_until(lambda: len(vetoes(bot)) == 1, seconds=40, what="the large one is vetoed")
            (veto,) = vetoes(bot)
            assert (veto["account"], veto["rule"], veto["symbol"]) == ("ann_kraken", "order_notional", "ETH/USD")
            assert veto["numbers"]["limit_quote"] == "500"
            assert float(veto["numbers"]["this_order_quote"]) > 500
            wait_until(
                lambda: answers(bot) == [("copied", ""), ("skipped", "limit")], seconds=40, what="ann has her answer"
            )
            master.trades("sell", "5.05")
            wait_until(lambda: ("copied", "") in answers(bot)[2:], seconds=40, what="the exit is copied all the same")
            wait_until(lambda: not held(exchange), seconds=40, what="nothing is held")
            shown = json.loads(bot.command("bot.py", "limits", "--json").stdout)["accounts"]
            assert {one["account"] for one in shown if one["mark"]} == {"kraken", "ann_kraken"}
            assert bot.stop() == 0
        master.session.close()


def held(exchange: ExchangeProcess) -> dict[str, str]:
    """Coins of the accounts, by the exchange's own books."""
    return {
        f"{account['name']} {asset}": amount
        for account in exchange.accounts()
        for asset, amount in account["balances"].items()
        if asset != "USD" and float(amount) > 0
    }


def test_a_masters_own_entry_above_its_limit_never_reaches_the_brokerage(tmp_path: Path) -> None:
    config = configured(tmp_path, EAGER)
    with ExchangeProcess(seed=5) as exchange:
        exchange.open_account("kraken", "master", {"USD": 100_000})
        exchange.open_account("kraken", "ann", {"USD": 50_000})
        with BotProcess(
            environment(tmp_path / "state", exchange, NIJA_CONFIG_DIR=str(config)), log=tmp_path / "out.txt"
        ) as bot:
            held_back = wait_until(
                lambda: [veto for veto in vetoes(bot) if veto["rule"] == "order_notional"],
                seconds=60,
                what="the strategy's entry is vetoed",
            )
            assert {veto["account"] for veto in held_back} == {"kraken"}
            assert all(veto["numbers"]["limit_quote"] == "20" for veto in held_back)
            assert bot.command("bot.py", "vetoes").returncode == 1
            assert bot.stop() == 0
        assert exchange.journal(type="accept") == []
