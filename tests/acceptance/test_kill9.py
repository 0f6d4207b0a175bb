"""kill -9 at any moment: the books still equal the exchange's journal. And the judge of that can say no."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kill_drill.drill import Options, run_drill
from benchmarks.kill_drill.judge import INVARIANTS
from benchmarks.kill_drill.outcome import Outcome, summed
from benchmarks.kill_drill.plan import failpoints_in
from benchmarks.kill_drill.terms import SHORT_TIMES
from tests.acceptance.copied_trade import TAG, TERMS, CopiedTrade, Row, stamp
from tests.bot_process import ROOT


def fill_without_signal(trade: CopiedTrade) -> None:
    trade.drop("signal", signal_id="S2")
    for user in ("ann_kraken", "bob_kraken"):
        trade.drop("copy_result", signal_id="S2", account_id=user)


def never_sold(trade: CopiedTrade) -> None:
    trade.order("kraken", "buy", "1", "2000", second=300)
    trade.signal(3, "buy", "2000", 300)
    trade.order("kraken", "sell", "1", "2000", second=310)
    trade.signal(4, "sell", "2000", 310)
    for number in (3, 4):
        for user in ("ann_kraken", "bob_kraken"):
            trade.add("copy_result", signal_id=f"S{number}", account_id=user, status="skipped", ratio=None, detail="")
    trade.order("ann_kraken", "buy", "0.1", "2000", second=301, signal="S3")
    trade.terms = replace(TERMS, balances={("ann_kraken", "ETH"): Decimal("3.1")})


def same_fill_in_two_signals(trade: CopiedTrade) -> None:
    trade.signal(3, "buy", "2000", 100)
    trade.tables["signal"][-1]["batch"] = 1
    for user in ("ann_kraken", "bob_kraken"):
        trade.add("copy_result", signal_id="S3", account_id=user, status="skipped", ratio=None, detail="")


def second_entry(trade: CopiedTrade) -> None:
    """An entry sent again under another name, both taken, both sold."""
    trade.order("ann_kraken", "buy", "0.1", "2000", second=102, signal="S1")
    trade.order("ann_kraken", "sell", "0.1", "2010", second=202, signal="S2")


def accepted_twice(trade: CopiedTrade) -> None:
    trade.lines.append(trade.found("accept", "ann_kraken101") | {"order_id": "O-again"})


def own_coins_gone(trade: CopiedTrade) -> None:
    trade.terms = replace(TERMS, balances={("ann_kraken", "ETH"): Decimal(2)})


def change(row: Callable[[CopiedTrade], Row], **values: Any) -> Callable[[CopiedTrade], None]:
    return lambda trade: row(trade).update(values)


def intent(**values: Any) -> Callable[[CopiedTrade], None]:
    """Change Ann's entry in the books."""
    return change(lambda trade: trade.intent("ann_kraken101"), **values)


def line(kind: str, **values: Any) -> Callable[[CopiedTrade], None]:
    """Change a line of Ann's entry in the journal."""
    return change(lambda trade: trade.found(kind, "ann_kraken101"), **values)


def row(table: str, wanted: Row, **values: Any) -> Callable[[CopiedTrade], None]:
    return change(lambda trade: trade.row(table, **wanted), **values)


def without_line(kind: str) -> Callable[[CopiedTrade], None]:
    return lambda trade: trade.lines.remove(trade.found(kind, "ann_kraken101"))


def without_row(table: str, **wanted: Any) -> Callable[[CopiedTrade], None]:
    return lambda trade: trade.drop(table, **wanted)


def row_again(table: str, **values: Any) -> Callable[[CopiedTrade], None]:
    return lambda trade: trade.add(table, **trade.tables[table][0] | values)


def own_order(trade: CopiedTrade, *then: str) -> None:
    """Bob has left an order of his own at the exchange; what came of it is in the lines `then`."""
    mine = {
        "account": "bob", "client_order_id": None, "order_id": "O-own", "symbol": "ETH/USD", "side": "sell",
        "quantity": "1", "price": "9000",
    }  # fmt: skip
    for kind in ("accept", *then):
        trade.line(kind, 50, **mine)
    trade.terms = replace(trade.terms, by_hand=frozenset({"O-own"}))


def own_order_cancelled(trade: CopiedTrade) -> None:
    own_order(trade, "cancel")


def nonce_refused(trade: CopiedTrade) -> None:
    trade.line("refuse", 9, account="ann", nonce="1", error="EAPI:Invalid nonce")


def oversold(trade: CopiedTrade) -> None:
    trade.order("ann_kraken", "sell", "0.1", "2010", second=203, signal="S2")


FIRST, SECOND = {"signal_id": "S1"}, {"signal_id": "S2"}
ANN, BOB = {"account_id": "ann_kraken"}, {"account_id": "bob_kraken"}
DOCTORED: list[tuple[str, str, Callable[[CopiedTrade], None]]] = [
    ("I1", "a master's fill without a signal", fill_without_signal),
    ("I1", "a copy row missing", without_row("copy_result", **FIRST, **BOB)),
    ("I1", "a row of one who had left", row("membership", BOB, to_sequence=1)),
    ("I1", "half a fill in the signal", row("signal", FIRST, quantity="0.5")),
    ("I2", "a fill in two signals", same_fill_in_two_signals),
    ("I2", "two rows of one user", row_again("copy_result")),
    ("I2", "two live entries of one user", second_entry),
    ("I3", "an order in no book", without_row("order_intent", client_order_id=f"{TAG}kraken100")),
    ("I3", "an order without a tag", line("accept", client_order_id="by-hand")),
    ("I3", "an order of another size", intent(quantity="0.11")),
    ("I3", "a user's own order cancelled", own_order_cancelled),
    ("I4", "an order accepted twice", accepted_twice),
    ("I4", "an entry under two names", second_entry),
    ("I5", "an order without an end", intent(state="unknown")),
    ("I5", "a copy without an answer", row("copy_result", FIRST, status="planned")),
    ("I5", "a signal without a plan", row("signal", SECOND, planned_at=None)),
    ("I6", "a filled order believed absent", intent(state="abandoned")),
    ("I6", "a fill too many", intent(filled_quantity="0.2")),
    ("I6", "an order that is filled in the books alone", without_line("accept")),
    ("I6", "an order that a person must judge", intent(needs_person="odd")),
    ("I7", "an entry accepted too late", line("accept", time=stamp(100 + 60 + 8 + 0.1))),
    ("I7", "a signal younger than its fill", row("signal", FIRST, executed_at=stamp(101))),
    ("I8", "a fill that is not booked", without_row("fill", **ANN, side="buy")),
    ("I8", "a fee off by its last digit", row("fill", ANN, fee="0.0124")),
    ("I8", "a fill that never was", row_again("fill", trade_id="T-none")),
    ("I8", "a fill booked twice", row_again("fill")),
    ("I9", "more sold than was copied", oversold),
    ("I9", "own coins gone", own_coins_gone),
    ("I9", "more than the ratio", row("copy_result", FIRST, ratio="0.05")),
    ("I10", "a user left behind", never_sold),
    ("I11", "a fill beyond the bound", line("fill", price="2010.01")),
    ("I12", "an order that was not written down", line("write_ahead", verdict="missing")),
    ("I12", "an order that was not looked up", without_line("write_ahead")),
    ("I13", "a nonce that fell", change(lambda trade: trade.lines[-4], nonce="1")),
    ("I13", "a nonce refused", nonce_refused),
]


def test_a_trade_without_a_fault_is_not_blamed(tmp_path: Path) -> None:
    assert CopiedTrade().broken(tmp_path / "books.db") == set()


def test_an_order_made_by_hand_that_still_rests_is_no_problem(tmp_path: Path) -> None:
    trade = CopiedTrade()
    own_order(trade)
    assert trade.broken(tmp_path / "books.db") == set()


@pytest.mark.parametrize(("invariant", "what", "doctor"), DOCTORED, ids=[what for _, what, _ in DOCTORED])
def test_the_judge_sees(invariant: str, what: str, doctor: Callable[[CopiedTrade], None], tmp_path: Path) -> None:
    trade = CopiedTrade()
    doctor(trade)
    assert invariant in trade.broken(tmp_path / "books.db")


def test_every_invariant_has_a_doctored_trade() -> None:
    assert {invariant for invariant, _, _ in DOCTORED} == set(INVARIANTS)


def test_the_drill_knows_the_failpoints_of_the_order_path() -> None:
    names = failpoints_in(ROOT / "bot")
    assert {"submitted_committed", "ack_received", "fills_booked", "kraken.before_AddOrder"} <= set(names)


def test_figures_of_several_installations_are_summed() -> None:
    one = Outcome(1, kills={"random": 2, "ready": 1}, ready_seconds=[1.0, 3.0], orders=5, kill_seconds=6.0)
    two = Outcome(2, kills={"random": 1}, ready_seconds=[2.0], orders=1, kill_seconds=2.0, problems=["I8: x"])
    figures: Mapping[str, Any] = summed([one, Outcome.from_json(two.to_json())])
    assert (figures["kills"], figures["orders"], figures["seconds_per_kill"]) == (4, 6, 2.0)
    assert figures["ready_seconds"] == {"restarts": 3, "median": 2.0, "p99": 3.0, "max": 3.0}
    assert figures["problems"] == ["seed 2: I8: x"]


def test_kills_leave_books_that_equal_the_exchanges_journal(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kills = 30 if request.config.getoption("--run-slow", default=False) else 8
    options = Options(
        directory=tmp_path / "drill", kills=kills, seed=1, longest=2.0, times=SHORT_TIMES, settle_limit=60,
        hurry_after=40,
    )  # fmt: skip
    outcome = run_drill(options, lambda kills, doing: None)
    assert outcome.problems == []
    assert outcome.killed == kills
    assert outcome.with_open_orders >= kills // 8, "kills that hit nothing prove nothing"
    assert outcome.checks >= outcome.orders > kills
