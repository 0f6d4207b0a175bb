"""Fair order, fidelity, sealed history and reconciliation of a real bot, compared with the exchange's journal."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

from tests.acceptance.hand_traded import HandTraded
from tests.bot_process import OVER_WEBSOCKET, BotProcess, wait_until

OFTEN = {"NIJA__BOOKS__CASH_EVENTS_SECONDS": "2", "NIJA__BOOKS__EQUITY_POINT_SECONDS": "2"}
SYMBOL = "ETH/USD"
USERS = ("ann", "bob", "cyd", "dan")
# Of different sizes, so that no copy looks like another.
BUYS = ("0.2", "0.24")


def _json(bot: BotProcess, *words: str, code: int = 0) -> Any:
    done = bot.command("bot.py", *words, "--json")
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


def test_what_users_did_is_served_fairly_told_truly_sealed_and_reconciled(tmp_path: Path) -> None:
    with HandTraded(tmp_path, **{name: {} for name in USERS}) as there:
        bot = there.start(**OVER_WEBSOCKET, **OFTEN)
        try:
            _trade(there)
            _settled(there)
            assert all(one["explained"] for one in _json(bot, "reconcile", "all")["accounts"])
            _follows_its_rank(there)
            for user in _json(bot, "fidelity", "--all")["users"]:
                _told_as_the_exchange_tells(there, user)
            assert bot.stop() == 0
            head = _json(bot, "verify")
            assert (head["holds"], head["not_sealed_yet"]) == (True, 0)
            assert head["head"] in bot.log()
            # Nobody listens now.
            there.exchange.move("kraken", "ann", "deposit", "USD", "77.5")
            asked = _json(bot, "reconcile", "all", "--connect")
            words = {one["account"]: [remark["words"] for remark in one["remarks"]] for one in asked["accounts"]}
            assert words["ann_kraken"] == ["deposit of 77.5 USD is not booked yet: the bot books it when it runs"]
            assert words["kraken"] == words["bob_kraken"] == []
            _tamper(there)
            broken = _json(bot, "verify", "--expect", head["head"], code=1)
            assert (broken["broken"], broken["first"]["kind"], broken["first"]["what"]) == (1, "fill", "changed")
            flagged = _json(bot, "reconcile", "kraken", code=1)["accounts"][0]["flagged"]
            assert flagged == ["USD: nothing in the books explains it"]
        finally:
            bot.kill()


def _trade(there: HandTraded) -> None:
    """The master buys some times and sells all of it; each user follows each time."""
    for number, quantity in enumerate(BUYS):
        there.master.trades("buy", quantity, SYMBOL)
        wait_until(
            lambda number=number: all(len(_fills(there, name)) > number for name in USERS),  # type: ignore[misc]
            seconds=60,
            what="all have bought",
        )
    there.master.trades("sell", "0.44", SYMBOL)
    for name in USERS:
        there.comes_to(name, SYMBOL, "0")


def _settled(there: HandTraded) -> None:
    """Every account was read once more, with nothing under way, after the last trade."""
    query = (
        "SELECT count(DISTINCT account_id) FROM equity_point AS point WHERE settled AND at > "
        "(SELECT max(executed_at) FROM fill WHERE fill.account_id = point.account_id)"
    )

    def all_of_them() -> bool:
        with closing(sqlite3.connect(there.state / "nija.db", timeout=30)) as connection:
            return bool(connection.execute(query).fetchone()[0] == len(USERS) + 1)

    wait_until(all_of_them, seconds=90, what="all accounts are settled")


def _fills(there: HandTraded, name: str) -> list[dict[str, Any]]:
    return there.exchange.journal(type="fill", account=name)


def _follows_its_rank(there: HandTraded) -> None:
    """Orders reach the exchange in the order of the ranks, as far as sockets of their own keep one."""
    right = pairs = 0
    firsts = []
    arrived = [line for line in there.exchange.journal(type="accept") if line["account"] in USERS]
    with closing(sqlite3.connect(there.state / "nija.db")) as connection:
        query = "SELECT account_id, client_order_id, rank, signal_id FROM copy_result ORDER BY signal_id, rank"
        rows = connection.execute(query).fetchall()
    place = {line["client_order_id"]: number for number, line in enumerate(arrived)}
    by_signal: dict[str, list[tuple[str, str, int, str]]] = {}
    for row in rows:
        by_signal.setdefault(row[3], []).append(row)
    assert len(by_signal) == len(BUYS) + 1
    for served in by_signal.values():
        assert [row[2] for row in served] == list(range(len(USERS)))
        firsts.append(tuple(row[0] for row in served))
        for earlier, later in combinations(served, 2):
            pairs += 1
            right += place[earlier[1]] < place[later[1]]
    assert len(set(firsts)) > 1
    assert right / pairs > 0.6, f"{right} of {pairs} pairs arrived as ranked"


def _told_as_the_exchange_tells(there: HandTraded, user: dict[str, Any]) -> None:
    """What the user made less what the ideal would have, both by the exchange's fills, is the difference told."""
    name = user["account"].removesuffix("_kraken")
    actual = sum((_cash(fill) for fill in _fills(there, name)), Decimal(0))
    master = _fills(there, "master")
    sold = next(fill for fill in master if fill["side"] == "sell")
    ideal = Decimal(0)
    *entries, leave = user["lines"]
    assert [line["kind"] for line in user["lines"]] == ["entry"] * len(BUYS) + ["exit"]
    for line, fill in zip(entries, (one for one in master if one["side"] == "buy"), strict=True):
        ratio = Decimal(line["ideal_quantity"]) / Decimal(fill["quantity"])
        ideal += ratio * (_cash(fill) + Decimal(fill["quantity"]) * Decimal(sold["price"]))
    ideal -= Decimal(sold["fee"]) * Decimal(leave["ideal_quantity"]) / Decimal(sold["quantity"])
    told = sum((Decimal(line["difference"]) for line in user["lines"]), Decimal(0))
    assert abs(told - (actual - ideal)) < Decimal("0.000001")
    for line in user["lines"]:
        assert sum((Decimal(part["amount"]) for part in line["parts"]), Decimal(0)) == Decimal(line["difference"])
    assert sum(map(Decimal, user["by_part"].values()), Decimal(0)) == Decimal(user["difference"])
    assert abs(Decimal(user["difference"]) - told) <= Decimal("0.005")


def _cash(fill: dict[str, Any]) -> Decimal:
    """What a fill did to the cash of who made it."""
    notional = Decimal(fill["quantity"]) * Decimal(fill["price"])
    return (notional if fill["side"] == "sell" else -notional) - Decimal(fill["fee"])


def _tamper(there: HandTraded) -> None:
    with closing(sqlite3.connect(there.state / "nija.db")) as connection, connection:
        connection.execute("UPDATE fill SET price = price - 1 WHERE account_id = 'kraken' AND side = 'sell'")
