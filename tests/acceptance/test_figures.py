"""What `pnl`, `money`, `statement` and `report` say of a running bot, against the exchange's balances and journal."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.seams.clock import format_time
from tests.acceptance.hand_traded import HandTraded
from tests.bot_process import BotProcess, wait_until

OFTEN = {"NIJA__BOOKS__CASH_EVENTS_SECONDS": "2", "NIJA__BOOKS__EQUITY_POINT_SECONDS": "2"}
SYMBOL = "ETH/USD"
CENT = Decimal("0.01")


def settled_after(there: HandTraded, moment: str) -> None:
    """Wait until both accounts were read after a moment while nothing was under way."""
    query = "SELECT DISTINCT account_id FROM equity_point WHERE settled AND at > ?"

    def both() -> bool:
        with closing(sqlite3.connect(there.state / "nija.db", timeout=30)) as connection:
            return len(connection.execute(query, (moment,)).fetchall()) == 2

    wait_until(both, seconds=120, what="a settled reading of both accounts")


def said(bot: BotProcess, *words: str) -> dict[str, Any]:
    done = bot.command("bot.py", *words, "--json")
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def worth(there: HandTraded, name: str) -> Decimal:
    """By the exchange: its balances at the best bid."""
    balances = there.exchange.account("kraken", name)["balances"]
    return Decimal(balances["USD"]) + Decimal(balances.get("ETH", 0)) * price(there)


def price(there: HandTraded) -> Decimal:
    """The exchange's best bid."""
    return Decimal(there.exchange.control("GET", f"/market?symbol={SYMBOL}")[0]["bid"])


def test_all_commands_agree_with_each_other_and_with_the_exchange(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}) as there, there.start(**OFTEN) as bot:
        settled_after(there, "")
        there.master.trades("buy", "4", SYMBOL)
        there.comes_to("ann", SYMBOL, "2")
        there.exchange.move("kraken", "ann", "deposit", "USD", "1234.56")
        # Less than a take-profit needs: the master sells by hand.
        there.exchange.set_price(SYMBOL, round(price(there) * Decimal("1.01"), 2))
        there.master.trades("sell", "1", SYMBOL)
        there.comes_to("ann", SYMBOL, "1.5")
        settled_after(there, format_time(datetime.now(UTC)))
        pnl = {one["account"]: one for one in said(bot, "pnl", "--all", "--explain")["accounts"]}
        money = {one["account"]: one for one in said(bot, "money")["accounts"]}
        report = said(bot, "report", "--html", str(tmp_path / "report.html"))
        month = datetime.now(UTC).strftime("%Y-%m")
        (statement,) = said(bot, "statement", "ann", "--month", month)["accounts"]
        exchange = {"kraken": worth(there, "master"), "ann_kraken": worth(there, "ann")}
        journal = there.exchange.journal(type="fill", account="ann")
    for account, equity in exchange.items():
        assert abs(Decimal(pnl[account]["equity"]) - equity) < CENT
        assert abs(Decimal(money[account]["equity"]) - equity) < CENT
        assert abs(Decimal(pnl[account]["difference"])) < CENT
    ann = pnl["ann_kraken"]
    assert abs(Decimal(ann["fees"]) - sum(Decimal(line["fee"]) for line in journal)) < CENT
    bought, sold = (next(line for line in journal if line["side"] == side) for side in ("buy", "sell"))
    gained = Decimal("0.5") * (Decimal(sold["price"]) - Decimal(bought["price"]))
    assert abs(Decimal(ann["realised"]) - gained) < CENT
    assert [Decimal(one["quantity"]) for one in ann["closed"]] == [Decimal("0.5")]
    assert ann["net_deposits"] == money["ann_kraken"]["net_deposits"] == statement["net_deposits"] == "1234.56"
    assert [one["account"] for one in report["accounts"]] == list(pnl)
    assert {name: statement[name] for name in ("realised", "fees")} == {
        name: ann[name] for name in ("realised", "fees")
    }
    assert "ann_kraken" in (tmp_path / "report.html").read_text(encoding="utf-8")
