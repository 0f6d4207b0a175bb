"""Users of every copy mode, through the program's own entry: the venue's journal has the formulas' quantities."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.bot_process import BotProcess, environment
from tests.exchange_process import ExchangeProcess

FAST = {
    "NIJA__PACE__PAPER__CYCLE_SECONDS": "0.5",
    "NIJA__BALANCE__CACHE_SECONDS": "0",
    "NIJA__STRATEGY__PLUGIN": "benchmarks.kill_drill.busy_strategy:BusyStrategy",
    "NIJA__RISK__SCAN_SYMBOLS_LIMIT": "6",
    "NIJA__RISK__MAX_ENTRIES_PER_CYCLE": "1",
}
USERS: Mapping[str, dict[str, Any]] = {
    "ratio": {"paper_balance": 1000},
    "bold": {"paper_balance": 1000, "risk_multiplier": 1.5},
    "equity": {"paper_balance": 2000, "copy_mode": "equity_ratio"},
    "amount": {"paper_balance": 1000, "copy_mode": "fixed_amount", "fixed_amount_usd": 30},
    "share": {"paper_balance": 1000, "copy_mode": "fixed_ratio", "fixed_ratio": 0.02},
    "capped": {"paper_balance": 5000, "max_trade_notional_usd": 40},
    "rounder": {"paper_balance": 12, "below_minimum": "round_up", "round_up_max_factor": 100},
    "saver": {"paper_balance": 12, "below_minimum": "accumulate"},
    "poor": {"paper_balance": 12},
    "shady": {"paper_balance": 1000, "shadow": True},
}
TINY = ("rounder", "saver", "poor")
LOT = Decimal("0.00000001")


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7) as process:
        yield process


def configuration(tmp_path: Path) -> dict[str, str]:
    directory = tmp_path / "config" / "users"
    directory.mkdir(parents=True)
    entries = [
        {"user_id": name, "name": name.title(), "account_type": "retail", "broker_type": "kraken"} | rules
        for name, rules in USERS.items()
    ]
    (directory / "retail_kraken.json").write_text(json.dumps(entries))
    return {"NIJA_CONFIG_DIR": str(tmp_path / "config")}


def test_every_mode_buys_what_its_formula_says_and_each_user_has_its_answer(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    environ = environment(tmp_path, exchange, **FAST, **configuration(tmp_path))
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        for name in USERS.keys() - {"saver", "poor", "shady"}:
            bot.says(f"{name}_kraken: buy ", seconds=90)
        bot.says("kept for later", seconds=60)
        bot.says("is below the venue's minimum", seconds=60)
        assert bot.stop() == 0
        signals = entries(bot)
        bought = {
            (line["account"], line["symbol"], Decimal(line["quantity"]))
            for line in exchange.journal(type="accept", brokerage="kraken")
            if line["side"] == "buy"
        }
        for signal in signals:
            for user in signal["users"]:
                wanted = formula(signal, user)
                if wanted is not None and user["client_order_id"] is not None:
                    assert Decimal(user["planned_quantity"]) == wanted, user
                    assert user["reason"] == "limit" or (user["user_id"], signal["symbol"], wanted) in bought
        judge_the_small_ones(signals)
        assert bot.command("bot.py", "audit").returncode == 0
        looked = json.loads(bot.command("bot.py", "capacity", "kraken", "--json").stdout)["previews"]
        asked = json.loads(bot.command("bot.py", "capacity", "kraken", looked[0]["symbol"], "--json").stdout)
        least = json.loads(bot.command("bot.py", "min-balance", "--broker", "kraken", "--json").stdout)["users"]
    assert "shady" not in {line.get("account") for line in exchange.journal()}
    assert all(one["followers"] == len(USERS) - 1 and Decimal(one["depth_notional"]) > 0 for one in looked)
    assert len(asked["users"]) == len(USERS) - 1
    by_user = {one["account"]: one for one in least}
    assert Decimal(by_user["poor_kraken"]["for_99_percent"]) > 12
    assert by_user["poor_kraken"]["copied_with_present"] == 0
    assert Decimal(by_user["rounder_kraken"]["for_99_percent"]) <= 12


def judge_the_small_ones(signals: Sequence[Mapping[str, Any]]) -> None:
    """A share below the minimum is skipped, kept or rounded up, and the shadow's is only told."""
    for signal in signals:
        users = {user["user_id"]: user for user in signal["users"] if user["user_balance"] is not None}
        for user_id in {"saver", "poor"} & users.keys():
            assert users[user_id]["reason"] == "below_minimum"
            assert ("kept for later" in users[user_id]["detail"]) == (user_id == "saver")
        if "rounder" in users and users["rounder"]["planned_quantity"] is not None:
            assert Decimal(users["rounder"]["planned_quantity"]) > share_of(signal, users["rounder"])
        assert users["shady"]["reason"] == "shadow" and users["shady"]["planned_quantity"] is not None


def entries(bot: BotProcess) -> Sequence[Mapping[str, Any]]:
    """Entries of the master at Kraken of which every user has its final answer, oldest first."""
    shown = [one for one in bot.copies() if one["kind"] == "entry" and one["broker"] == "kraken"]
    whole = [one for one in shown if len(one["users"]) == len(USERS)]
    return [one for one in reversed(whole) if all(user["status"] != "planned" for user in one["users"])]


def share_of(signal: Mapping[str, Any], user: Mapping[str, Any]) -> Decimal:
    """balance ratio x what the master bought."""
    return Decimal(signal["quantity"]) * Decimal(user["user_balance"]) / Decimal(signal["master_balance"])


def formula(signal: Mapping[str, Any], user: Mapping[str, Any]) -> Decimal | None:
    """By hand, from what the master bought and what both had; None = not that simple (worth, or rounded up)."""
    rules, quantity, price = USERS[user["user_id"]], Decimal(signal["quantity"]), Decimal(signal["price"])
    if user["user_id"] in ("equity", *TINY) or user["user_balance"] is None:
        return None
    mode, times = rules.get("copy_mode", "balance_ratio"), Decimal(str(rules.get("risk_multiplier", 1)))
    if mode == "fixed_amount":
        wanted = Decimal(30) / price
    elif mode == "fixed_ratio":
        wanted = quantity * Decimal("0.02")
    else:
        wanted = times * share_of(signal, user)
    if "max_trade_notional_usd" in rules:
        wanted = min(wanted, Decimal(40) / price)
    return (wanted / LOT).to_integral_value(rounding=ROUND_FLOOR) * LOT
