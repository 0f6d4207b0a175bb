"""The process dies, stops, sleeps or is told to end at a chosen step; what the exchange saw is the judge."""

import signal
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from benchmarks.kill_drill.plan import failpoints_in
from tests.acceptance.one_brokerage import OneBrokerage
from tests.bot_process import ROOT

# Each life begins with the recovery of what the one before left behind. The last of each stretch leaves an order that
# never arrived, which takes its time to be proven absent.
KILL_POINTS = {
    "writing": (
        "intent_committed",
        "plan_transaction",
        "fill_transaction",
        "fills_booked",
        "submitted_committed",
    ),
    "sending": (
        "kraken.after_AddOrder",
        "ack_received",
        "ack_committed",
        "answer_committed",
        "exit_planned",
        "kraken.before_AddOrder",
    ),
}
BOOK_POINTS = (
    "settled_balances_read",
    "cash_events_read",
    "cash_events_booked",
    "books_read",
    "books_opening",
    "chain_batch",
)
OFTEN = {"NIJA__BOOKS__CASH_EVENTS_SECONDS": "1", "NIJA__BOOKS__EQUITY_POINT_SECONDS": "1"}
BATCHES = "tests/acceptance/test_batches_over_kills.py"
CHAINS = "tests/unit/execution/test_order_chains.py"
COPYING = "tests/integration/test_faults_of_copying.py"
DRILL = "benchmarks/kill_drill/plan.py"
STOPS = "tests/unit/test_protective_stops.py"
REPLAYS = "tests/unit/execution/test_reconciliation_replays.py"
ELSEWHERE = {
    "cancel_committed": COPYING,
    "cancel_sent": COPYING,
    "plan_signal": COPYING,
    "signal_planned": COPYING,
    "kraken.before_CancelOrder": "tests/contract_brokers/test_streams.py",
    "kraken.after_CancelOrder": "tests/contract_brokers/test_streams.py",
    **{f"{name}.before_POST": DRILL for name in ("coinbase", "okx", "binance", "alpaca")},
    **{f"{name}.after_POST": DRILL for name in ("coinbase", "okx", "binance", "alpaca")},
    **dict.fromkeys(BOOK_POINTS, "tests/acceptance/test_faults_of_the_process.py"),
    "day_closing": "tests/unit/execution/test_book_keeping.py",
    "day_closed": "tests/unit/execution/test_book_keeping.py",
    "lane_boarded": BATCHES,
    "lane_departing": BATCHES,
    "lane_handed_over": BATCHES,
    "kraken_nonce.after_write": "tests/unit/brokers/test_kraken_nonce.py",
    "kraken_nonce.before_write": "tests/unit/brokers/test_kraken_nonce.py",
    "migrate": "tests/acceptance/test_store_faults.py",
    "store_commit": "tests/unit/storage/test_store_faults.py",
    "store_committed": "tests/unit/storage/test_store_faults.py",
    "flatten_placed": "tests/unit/test_flattening.py",
    "flatten_sold": "tests/unit/test_flattening.py",
    "main_turn": "tests/integration/test_last_way_out.py",
    "watchdog_look": "tests/integration/test_last_way_out.py",
    "chain_confirmed": CHAINS,
    "chain_ended": CHAINS,
    "foreign_noted": REPLAYS,
    "history_compared": REPLAYS,
    "history_read": REPLAYS,
    "holdings_compared": REPLAYS,
    "open_orders_compared": REPLAYS,
    "shrink_lots": REPLAYS,
    "stop_placed": STOPS,
    "stop_replacing": STOPS,
}


@pytest.mark.parametrize("stretch", KILL_POINTS)
def test_a_bot_killed_at_every_step_of_an_orders_life_loses_and_doubles_nothing(tmp_path: Path, stretch: str) -> None:
    with OneBrokerage(tmp_path) as there:
        missed = [failpoint for failpoint in KILL_POINTS[stretch] if not there.killed_at(failpoint)]
        assert missed == []
        assert there.settle() == []


def test_a_bot_killed_at_every_step_of_its_bookkeeping_begins_its_books_once_and_they_hold(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        assert all(there.killed_at(point) for point in ("answer_committed", "chain_batch")), "there is history"
        # Balances are settled while nothing is under way, which is seldom where a strategy trades twice a second.
        there.enter(entries=False)
        missed = [point for point in BOOK_POINTS[:-1] if not there.killed_at(point, seconds=90, **OFTEN)]
        assert missed == []
        with there.start(**OFTEN) as bot:
            opened = "SELECT DISTINCT account_id FROM equity_point WHERE settled"
            there.waits_for(lambda: len(there.rows(opened)) == 2, "the books of both accounts have begun", seconds=90)
            assert bot.command("bot.py", "verify").returncode in (0, 3)
            assert bot.stop() == 0
        openings = there.rows("SELECT account_id, units FROM opening_balance WHERE asset = 'USD'")
        assert sorted(row["account_id"] for row in openings) == ["ann_kraken", "kraken"]
        assert there.rows("SELECT * FROM drift WHERE kind = 'books' AND cleared_at IS NULL") == []
        assert there.settle() == []


def test_recovery_that_is_itself_killed_five_times_still_ends_with_equal_books(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        assert there.killed_at("kraken.after_AddOrder")
        unknown = there.rows("SELECT client_order_id FROM order_intent WHERE state = 'submitted'")
        assert unknown, "the order was on its way when the bot died"
        assert all(there.killed_at("kraken.after_OpenOrders") for _ in range(5))
        assert there.settle() == []
        for row in unknown:
            assert len(there.accepted(client_order_id=row["client_order_id"])) == 1


def test_told_to_end_while_an_order_is_on_its_way_it_finishes_that_one_and_sends_no_other(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        with there.start(NIJA_FAILPOINTS="submitted_committed:hang=1") as bot:
            there.waits_for(lambda: submitted(there), "an order is about to leave")
            bot.process.send_signal(signal.SIGTERM)
            bot.says("Stopping: signal SIGTERM")
            on_their_way = submitted(there)
            assert bot.process.wait(20) == 0
        assert {line["client_order_id"] for line in there.accepted()} <= on_their_way
        # Now one that does not end in time and is killed by an impatient platform.
        with there.start(NIJA_FAILPOINTS="ack_received:hang=60", NIJA__SHUTDOWN_SECONDS="60") as bot:
            there.waits_for(lambda: submitted(there) & taken(there), "an order is out and its answer is held up")
            bot.process.send_signal(signal.SIGTERM)
            bot.says("Stopping: signal SIGTERM")
            bot.kill()
        assert there.settle() == []


def taken(there: OneBrokerage) -> set[str]:
    return {str(line["client_order_id"]) for line in there.accepted()}


def submitted(there: OneBrokerage) -> set[str]:
    return {row["client_order_id"] for row in there.rows("SELECT * FROM order_intent WHERE state = 'submitted'")}


def test_a_process_that_slept_expires_the_copies_it_had_not_sent_and_goes_on(tmp_path: Path) -> None:
    """As a laptop that is closed between the master's order and its copies."""
    age = 3.0
    with (
        OneBrokerage(tmp_path, latency_milliseconds=250) as there,
        there.start(NIJA__COPYING__MAX_SIGNAL_AGE_SECONDS=str(age)) as bot,
    ):
        there.waits_for(lambda: there.accepted(account="master", side="buy"), "the master buys")
        bot.process.send_signal(signal.SIGSTOP)
        assert not there.accepted(account="ann"), "the copy was quicker than the pause"
        seen = there.exchange.last_seq()
        Event().wait(age + 1)
        bot.process.send_signal(signal.SIGCONT)
        first = there.waits_for(lambda: first_answer(there), "the copy of the first trade is answered")
        assert (first["status"], first["reason"]) == ("skipped", "too_old")
        assert not there.accepted(client_order_id=first["client_order_id"])
        there.waits_for(lambda: there.accepted(seen, account="ann", side="buy"), "a later trade is copied")
        assert bot.stop() == 0
        assert not [problem for problem in there.problems() if problem.startswith(("I7", "I12", "I13"))]


def first_answer(there: OneBrokerage) -> Any:
    rows = there.rows("SELECT copy_result.* FROM copy_result JOIN signal USING (signal_id) ORDER BY sequence LIMIT 1")
    return rows[0] if rows and rows[0]["status"] != "planned" else None


def test_with_a_clock_an_hour_off_copies_are_made_in_time_and_the_books_stay_equal(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        for offset_seconds in (3600, -3600):
            since = there.exchange.last_seq()
            with there.start(NIJA_TEST_CLOCK_OFFSET_SECONDS=str(offset_seconds)) as bot:
                bought = partial(there.accepted, since, account="ann", side="buy")
                there.waits_for(bought, f"a trade is copied with the clock {offset_seconds} s off")
                assert bot.stop() == 0
        assert there.settle() == []


def test_each_failpoint_of_the_bot_is_one_where_some_test_kills_or_fails_it() -> None:
    here = {failpoint for stretch in KILL_POINTS.values() for failpoint in stretch}
    assert set(failpoints_in(ROOT / "bot")) == here | ELSEWHERE.keys()
    unnamed = {name: file for name, file in ELSEWHERE.items() if name not in (ROOT / file).read_text(encoding="utf-8")}
    assert unnamed == {}
