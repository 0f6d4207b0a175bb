"""A day of trading by the default strategy: every wish has its end, every position its exits, every order its decision.

The small size is a quarter of an hour at Kraken. The day of docs/trading.md, at Kraken and Coinbase:

    NIJA_DAY=24h python -m pytest -n 0 -s tests/day
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.storage.scan_cycles import ScanCycle
from tests.day.day import STEP, Day, Size, text

LIVE = {"armed", "selling", "waiting"}


def size() -> Size:
    hours = os.environ.get("NIJA_DAY")
    if hours is None:
        return Size(hours=0.25, brokerages=("kraken",), markets=8)
    return Size(hours=float(hours.removesuffix("h")), brokerages=("kraken", "coinbase"), markets=8)


def test_a_day_of_trading_leaves_no_wish_without_an_end_and_no_position_without_its_exits(tmp_path: Path) -> None:
    with Day(tmp_path / "lived", size()) as day:
        day.start()
        judged = 0
        for number in range(day.size.steps):
            judged += every_position_was_judged(day, day.step())
            if number % 24 == 23:
                print(f"{(number + 1) * STEP.total_seconds() / 3600:.0f} h: {figures(day)}", flush=True)
        every_scan_adds_up(day)
        every_wish_has_its_end(day)
        every_order_has_its_decision(day)
        the_commands_say_the_same(day)
        print(f"{judged} judgements of positions; {figures(day)}")


def every_position_was_judged(day: Day, moment: datetime) -> int:
    """In the cycle that has just ended, by rules in force. Positions of this very cycle are judged in the next one."""
    held = day.rows(
        "SELECT position.account_id, position.symbol, status, reason, rules_json, at FROM position LEFT JOIN exit_state"
        " ON exit_state.account_id = position.account_id AND exit_state.symbol = position.symbol"
        " WHERE opened_at < :moment",
        moment=text(moment - STEP / 2),
    )
    for one in held:
        assert one["status"] in LIVE, one
        assert one["at"] >= text(moment - STEP / 2), one
        assert '"level"' in one["rules_json"], one
    return len(held)


def every_scan_adds_up(day: Day) -> None:
    wished = day.rows("SELECT scan_id, outcome, count(*) AS number FROM entry_decision GROUP BY scan_id, outcome")
    by_scan = Counter({(row["scan_id"], row["outcome"]): row["number"] for row in wished})
    scans = [_scan(row) for row in day.rows("SELECT * FROM scan_cycle")]
    assert scans
    assert [scan.mismatch for scan in scans if scan.mismatch] == []
    for scan in scans:
        assert by_scan[scan.id, "ordered"] == scan.ordered, scan
        assert by_scan[scan.id, "vetoed"] == scan.signals - scan.ordered, scan
    assert sum(by_scan.values()) == sum(scan.signals for scan in scans)


def every_wish_has_its_end(day: Day) -> None:
    """An order that was made, or a rule with its sentence."""
    orders = {row["client_order_id"] for row in day.rows("SELECT client_order_id FROM order_intent")}
    for wish in day.rows("SELECT * FROM entry_decision"):
        assert wish["strategy"] and wish["reason"], wish
        if wish["outcome"] == "ordered":
            assert wish["client_order_id"] in orders, wish
        else:
            assert wish["outcome"] == "vetoed" and wish["rule"] and wish["detail"], wish


def every_order_has_its_decision(day: Day) -> None:
    """Of the account itself, or of its master by the signal that it copies."""
    wishes = {row["client_order_id"] for row in day.rows("SELECT client_order_id FROM entry_decision")}
    exits = {row["client_order_id"] for row in day.rows("SELECT client_order_id FROM exit_decision")}
    answers = {row["client_order_id"] for row in day.rows("SELECT client_order_id FROM copy_result")}
    for order in day.rows("SELECT * FROM order_intent WHERE sent_at IS NOT NULL"):
        first = order["chain_id"] or order["client_order_id"]
        assert order["decision"], order
        if order["signal_id"] is not None:
            assert order["kind"] == "exit" or first in answers, order
        else:
            assert first in (wishes if order["kind"] == "entry" else exits), order


def the_commands_say_the_same(day: Day) -> None:
    for account in day.accounts:
        code, said = day.command("why-no-trade", account, "--cycles", "100000")
        assert code == 0 and said["mismatches"] == [], said
        code, said = day.command("why", account)
        assert code == 0 and said["answer"], said
    master = day.accounts[0]
    ordered = day.count("SELECT count(*) FROM entry_decision WHERE outcome = 'ordered' AND account_id = :a", a=master)
    _, said = day.command("why-no-trade", master, "--cycles", "100000")
    assert said["funnel"]["ordered"] == ordered


def figures(day: Day) -> dict[str, Any]:
    """What happened."""
    vetoed = day.rows("SELECT rule, count(*) AS number FROM entry_decision WHERE outcome = 'vetoed' GROUP BY rule")
    ended = day.rows("SELECT exit_rule, count(*) AS number FROM round_trip GROUP BY exit_rule")
    copies = day.rows("SELECT status, reason, count(*) AS number FROM copy_result GROUP BY status, reason")
    waited = day.rows("SELECT waiting, count(*) AS number FROM scan_cycle WHERE waiting != '' GROUP BY waiting")
    return {
        "scans": day.count("SELECT count(*) FROM scan_cycle WHERE waiting = ''"),
        "waited": {row["waiting"]: row["number"] for row in waited},
        "ordered": day.count("SELECT count(*) FROM entry_decision WHERE outcome = 'ordered'"),
        "vetoed": {row["rule"]: row["number"] for row in vetoed},
        "exit_decisions": day.count("SELECT count(*) FROM exit_decision"),
        "round_trips": {row["exit_rule"]: row["number"] for row in ended},
        "orders": day.count("SELECT count(*) FROM order_intent"),
        "fills": day.count("SELECT count(*) FROM fill"),
        "copies": {f"{row['status']} {row['reason']}".strip(): row["number"] for row in copies},
    }


def _scan(row: Mapping[str, Any]) -> ScanCycle:
    counts = json.loads(row["counts_json"])
    names = ("id", "account_id", "listed", "passed", "ready", "signals", "ordered", "waiting")
    return ScanCycle(at=row["at"], counts=counts, **{name: row[name] for name in names})
