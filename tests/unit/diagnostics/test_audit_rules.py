"""The audit over rows that the real engine, executor and recorder wrote, then over the same rows tampered with."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, text

from bot.diagnostics.audit import Report, examine
from bot.domain.errors import OutcomeUnknown
from bot.domain.order import Side
from bot.storage.audits import Patience, Scope, scope_of_newest, scope_since
from bot.storage.missing_answers import MissingAnswers
from bot.storage.schema import order_intent
from bot.storage.store import Store
from tests.unit.copy_bench import MASTER as MASTER_ACCOUNT
from tests.unit.copy_bench import Bench

ANSWER = "each user that was active has one answer to each signal"
STRANGER = "nobody else has one"
WORDS = "each answer is final with a reason of the list, or is worked on"
TIME = "no entry is worked on after its time"
MASTER = "signals equal the master's booked fills"
COPIED = "each copied order belongs to a copy"
ONCE = "one entry order at most for a signal and user"
FILLS = "orders equal their booked fills"
STATES = "states and their changes are of the list"
AGREE = "answers agree with their orders"


@pytest.fixture
def bench(store: Store) -> Bench:
    """The master bought, both users copied; the master sold half of it, both sold half of theirs."""
    bench = Bench(store, {"anna": "1000", "ben": "5000"})
    for side, quantity in ((Side.BUY, "0.01"), (Side.SELL, "0.005")):
        bench.master_trades(side, quantity)
        bench.plan()
        for user in ("anna", "ben"):
            bench.copy(user)
    return bench


def patience(bench: Bench, *, later: float = 0.0, started_later: float | None = None) -> Patience:
    now = bench.clock.now()
    since = None if started_later is None else now + timedelta(seconds=started_later)
    return Patience(now=now + timedelta(seconds=later), running_since=since, max_signal_age_seconds=60)


def audit(bench: Bench, scope: Scope | None = None, **times: float) -> Report:
    with bench.store.read() as connection:
        return examine(connection, scope or Scope(), patience(bench, **times))


def broken(report: Report) -> set[str]:
    return {rule.name for rule in report.rules if rule.broken}


def tamper(bench: Bench, statement: str) -> None:
    def work(connection: Connection) -> None:
        assert connection.execute(text(statement)).rowcount

    bench.store.write(work)


def test_what_the_engine_did_is_proven(bench: Bench) -> None:
    report = audit(bench, later=3600)
    assert (report.proven, broken(report)) == (True, set())
    assert (report.counts["signals"], report.counts["copied"], report.counts["orders"]) == (2, 4, 6)
    assert (report.exit_debts, report.entries_under_way) == (0, 0)


ENTRY = "(SELECT signal_id FROM signal WHERE kind = 'entry')"


@pytest.mark.parametrize(
    ("statement", "rules"),
    [
        (f"DELETE FROM copy_result WHERE account_id = 'anna_kraken' AND signal_id IN {ENTRY}", {ANSWER, COPIED}),
        ("UPDATE membership SET to_sequence = 1 WHERE account_id = 'ben_kraken'", {STRANGER}),
        ("UPDATE copy_result SET status = 'maybe' WHERE account_id = 'anna_kraken'", {WORDS}),
        ("UPDATE copy_result SET reason = 'bad mood' WHERE account_id = 'anna_kraken'", {WORDS}),
        ("UPDATE copy_result SET answered_at = NULL WHERE account_id = 'anna_kraken'", {WORDS}),
        ("UPDATE copy_result SET status = 'planned' WHERE account_id = 'anna_kraken'", {WORDS, TIME}),
        ("UPDATE copy_result SET status = 'skipped' WHERE account_id = 'anna_kraken'", {WORDS, AGREE}),
        ("UPDATE copy_result SET status = 'failed', reason = 'proven_absent'", {AGREE}),
        ("UPDATE copy_result SET filled_quantity = '0.5' WHERE account_id = 'anna_kraken'", {AGREE}),
        ("UPDATE copy_result SET planned_quantity = '0.5' WHERE account_id = 'anna_kraken'", {AGREE}),
        ("UPDATE signal SET quantity = '0.02' WHERE kind = 'entry'", {MASTER}),
        ("UPDATE signal SET quantity = '0.02' WHERE kind = 'exit'", {MASTER}),
        ("UPDATE signal SET venue_order_id = NULL WHERE kind = 'entry'", {MASTER}),
        ("UPDATE fill SET quantity = '0.0099' WHERE account_id = 'kraken' AND side = 'buy'", {MASTER, FILLS}),
        ("UPDATE fill SET quantity = '0.00099' WHERE account_id = 'anna_kraken' AND side = 'buy'", {FILLS}),
        ("DELETE FROM fill WHERE account_id = 'anna_kraken'", {FILLS}),
        ("UPDATE order_intent SET filled_quantity = '7' WHERE account_id = 'anna_kraken'", {FILLS, AGREE}),
        ("UPDATE order_intent SET state = 'lost' WHERE account_id = 'anna_kraken'", {STATES, AGREE}),
        ("UPDATE order_intent SET state = 'acknowledged' WHERE account_id = 'anna_kraken'", {AGREE}),
        ("UPDATE order_event SET new = 'created' WHERE new = 'filled'", {STATES}),
        ("UPDATE copy_result SET client_order_id = NULL WHERE account_id = 'anna_kraken'", {COPIED}),
    ],
)
def test_each_wrong_row_is_found_by_its_rule(bench: Bench, statement: str, rules: set[str]) -> None:
    tamper(bench, statement)
    report = audit(bench, later=3600)
    assert broken(report) == rules
    assert not report.proven


def test_a_second_entry_for_the_same_signal_and_user_is_found(bench: Bench) -> None:
    own = ("client_order_id", "sequence", "venue_order_id")
    names = ", ".join(column.name for column in order_intent.columns if column.name not in own)
    tamper(
        bench,
        f"INSERT INTO order_intent (client_order_id, sequence, {names}) SELECT '{'f' * 32}', 99, {names} "
        "FROM order_intent WHERE account_id = 'anna_kraken' AND kind = 'entry'",
    )
    assert {ONCE, COPIED} <= broken(audit(bench))


def test_the_sentence_names_the_user_and_the_signal(bench: Bench) -> None:
    tamper(bench, f"DELETE FROM copy_result WHERE account_id = 'anna_kraken' AND signal_id IN {ENTRY}")
    (rule,) = [rule for rule in audit(bench).rules if rule.name == ANSWER]
    (finding,) = rule.findings
    assert finding.ids["account"] == "anna_kraken"
    assert finding.ids["signal"] in finding.sentence
    assert "anna_kraken has no answer to signal" in finding.sentence


def test_an_entry_of_unknown_outcome_is_under_way_and_missing_only_after_its_time(bench: Bench) -> None:
    bench.user("anna").script = [OutcomeUnknown("time-out")]
    bench.master_trades(Side.BUY, "0.01")
    bench.plan()
    for user in ("anna", "ben"):
        bench.copy(user)
    settle = bench.user("anna").settle_seconds
    report = audit(bench)
    assert (report.proven, report.entries_under_way) == (True, 1)
    assert audit(bench, later=60 + settle + 55).proven
    assert broken(audit(bench, later=60 + settle + 65)) == {TIME}
    # A new process asks anew, and has the same time again.
    assert audit(bench, later=60 + settle + 65, started_later=60 + settle).proven


def test_an_exit_that_waits_is_a_debt_and_no_missing_answer(bench: Bench) -> None:
    bench.master_trades(Side.SELL, "0.005")
    bench.plan()
    report = audit(bench, later=1_000_000)
    assert (report.proven, report.exit_debts, report.entries_under_way) == (True, 2, 0)


def test_a_signal_that_waits_for_its_plan_is_missing_only_after_its_time(bench: Bench) -> None:
    signal = bench.emitter.emit_trade_signal("kraken", "BTC/USD", "buy", Decimal(100), None, price=Decimal(50000))
    assert audit(bench, later=110).proven
    report = audit(bench, later=130)
    assert broken(report) == {ANSWER}
    assert [rule.broken for rule in report.rules if rule.name == ANSWER] == [2]
    assert signal in report.rules[0].findings[0].sentence


def test_a_sale_of_what_was_not_bought_here_needs_no_signal_and_one_of_a_position_does(bench: Bench) -> None:
    bench.master_trades(Side.SELL, "0.005")
    bench.brokers[MASTER_ACCOUNT].by_hand(Side.SELL, "0.3")
    bench.recorders[MASTER_ACCOUNT].book_history(bench.brokers[MASTER_ACCOUNT].fills)
    assert MASTER not in broken(audit(bench))
    tamper(bench, "UPDATE signal SET venue_order_id = NULL WHERE sequence = 3")
    assert MASTER in broken(audit(bench))


def test_only_the_chosen_signals_are_audited(bench: Bench) -> None:
    tamper(bench, f"UPDATE copy_result SET status = 'maybe' WHERE signal_id IN {ENTRY}")
    with bench.store.read() as connection:
        newest, both = scope_of_newest(connection, 1), scope_of_newest(connection, 2)
        later = scope_since(connection, bench.clock.now() + timedelta(days=1))
    assert audit(bench, newest).proven
    assert audit(bench, newest).counts["signals"] == 1
    assert not audit(bench, both).proven
    nothing = audit(bench, later)
    assert (nothing.proven, nothing.counts["signals"], nothing.counts["orders"]) == (True, 0, 0)


def test_the_metric_is_0_while_copies_are_in_flight_and_counts_what_is_missing(bench: Bench) -> None:
    watch = MissingAnswers()
    bench.master_trades(Side.BUY, "0.01")

    def missing(later: float = 0.0) -> int:
        with bench.store.read() as connection:
            return watch.count(connection, patience(bench, later=later))

    assert missing() == 0
    assert missing(later=130) == 2
    for user in ("anna", "ben"):
        bench.copy(user)
    assert missing(later=1000) == 0


def test_the_metric_goes_on_finding_a_row_that_was_never_there(bench: Bench) -> None:
    tamper(bench, f"DELETE FROM copy_result WHERE account_id = 'anna_kraken' AND signal_id IN {ENTRY}")
    watch = MissingAnswers()
    with bench.store.read() as connection:
        assert [watch.count(connection, patience(bench)) for _ in range(2)] == [1, 1]
