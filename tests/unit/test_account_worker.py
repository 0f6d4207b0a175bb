"""The loop of one account, stepped by hand on a clock that stands still between steps."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from sqlalchemy import Row

from bot.account_desk import AccountDesk
from bot.account_worker import (
    INBOX_BOUND,
    LOOK_AGAIN_SECONDS,
    NOT_HYDRATED_CYCLE_SECONDS,
    PUBLISH_AFTER_SECONDS,
    AccountWorker,
    CycleTimes,
    Note,
)
from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import CredentialsRejected, RetryLater, StoreUnavailable, VenueStopped
from bot.domain.health import HealthState
from bot.domain.position import ExitPlan
from bot.execution.account_status import AccountStatus
from bot.execution.fill_recorder import FillRecorder
from bot.execution.order_executor import OrderExecutor
from bot.execution.reconciliation import Reconciler
from bot.seams.ids import SeededIds
from bot.storage import accounts
from bot.storage.store import Store
from bot.trading_strategy import TradingStrategy
from bot.user_copier import UserCopier
from tests.memory_broker import MemoryBroker, TestClock
from tests.unit.lane_bench import WriteCount

USER = AccountRef.user(BrokerType.KRAKEN, "anna")
PERIOD_SECONDS = 150.0
REFRESH_SECONDS = 45.0


class Cycles:
    """Stands where the strategy stands: counts the cycles, reads the balance as a cycle does, fails when told to."""

    def __init__(self) -> None:
        self.modes: list[bool] = []
        self.error: Exception | None = None
        self.reconcile: Callable[[], None] = lambda: None

    def run_cycle(self, broker: BaseBroker, user_mode: bool) -> None:
        self.modes.append(user_mode)
        broker.refresh_balance()
        self.reconcile()
        if self.error is not None:
            raise self.error


class Copies:
    """Stands where the copier stands; `wait` is when it wants to look again."""

    def __init__(self) -> None:
        self.runs = 0
        self.wait: float | None = None
        self.error: Exception | None = None
        self.found_work = True

    def run(self) -> float | None:
        self.runs += 1
        if self.error is not None:
            raise self.error
        return self.wait


class Bench:
    def __init__(self, store: Store, account: AccountRef = USER) -> None:
        self.store, self.clock, self.stop = store, TestClock(), threading.Event()
        self.broker = MemoryBroker(account, self.clock)
        self.readings = 0
        self.cycles, self.copies = Cycles(), Copies()
        self.results: list[str] = []
        store.write(
            lambda connection: accounts.remember_account(
                connection, account, name=account.label, enabled=True, now=self.clock.now()
            )
        )
        self.status = AccountStatus(store=store, clock=self.clock, account=account, mode="paper")
        self.worker = AccountWorker(
            desk=self._desk(account),
            strategy=cast(TradingStrategy, self.cycles),
            times=CycleTimes(PERIOD_SECONDS, 0.0, REFRESH_SECONDS),
            clock=self.clock,
            ids=SeededIds(1),
            stop=self.stop,
            on_cycle=lambda _account, result, _seconds: self.results.append(result),
        )
        self.cycles.reconcile = self.worker.desk.reconciler.run_if_due

    def _desk(self, account: AccountRef) -> AccountDesk:
        recorder = FillRecorder(
            store=self.store,
            clock=self.clock,
            account=account,
            default_exit_plan=ExitPlan(),
            emit=None,
            on_booked=lambda _fills: None,
        )
        executor = OrderExecutor(
            broker=self.broker,
            store=self.store,
            clock=self.clock,
            recorder=recorder,
            stop=self.stop,
            confirm_seconds=0.0,
            gather_milliseconds=0,
            on_order=lambda _intent: None,
            epoch=1,
        )
        copier = None if account.is_master else cast(UserCopier, self.copies)
        reconciler = Reconciler(
            broker=self.broker,
            store=self.store,
            clock=self.clock,
            ids=SeededIds(1),
            status=self.status,
            recorder=recorder,
            executor=executor,
            install_id="test",
        )
        return AccountDesk(
            broker=self.broker,
            status=self.status,
            recorder=recorder,
            executor=executor,
            reconciler=reconciler,
            copier=copier,
            candles=None,
        )

    def after(self, seconds: float) -> "Bench":
        """Let time pass, then step once."""
        self.clock.seconds += seconds
        self.worker.step()
        return self

    def told(self, note: Note) -> "Bench":
        self.worker.tell(note)
        self.worker.step()
        return self

    def balance_age(self) -> float | None:
        return self.broker.balance_book.reading().age_seconds


@pytest.fixture
def bench(store: Store) -> Bench:
    """A user's worker that has done its first cycle and looked for copies."""
    made = Bench(store)
    made.worker.step()
    made.worker.step()
    return made


def test_the_first_step_is_a_cycle_and_after_it_the_user_looks_for_copies(store: Store) -> None:
    bench = Bench(store)
    bench.worker.step()
    assert (bench.cycles.modes, bench.copies.runs) == ([True], 0)
    bench.worker.step()
    assert (bench.cycles.modes, bench.copies.runs) == ([True], 1)
    assert bench.status.health.state is HealthState.HEALTHY


def test_a_master_runs_full_cycles_and_copies_nothing(store: Store) -> None:
    bench = Bench(store, AccountRef.master(BrokerType.KRAKEN))
    bench.worker.step()
    bench.told(Note.COPY)
    assert (bench.cycles.modes, bench.copies.runs) == ([False], 0)


def test_a_cycle_comes_when_its_period_is_over_and_not_before(bench: Bench) -> None:
    bench.after(PERIOD_SECONDS - 1)
    assert len(bench.cycles.modes) == 1
    bench.after(1)
    assert len(bench.cycles.modes) == 2
    assert bench.results == ["completed", "completed"]


def test_a_note_of_a_copy_is_worked_on_at_once(bench: Bench) -> None:
    bench.told(Note.COPY)
    assert bench.copies.runs == 2
    assert len(bench.cycles.modes) == 1


def test_an_account_that_is_late_with_its_cycle_copies_first(bench: Bench) -> None:
    bench.worker.tell(Note.COPY)
    bench.after(PERIOD_SECONDS)
    assert (len(bench.cycles.modes), bench.copies.runs) == (2, 2)
    assert bench.worker.inbox.empty()


def test_a_copier_that_wants_to_look_again_is_asked_then_and_not_before(bench: Bench) -> None:
    bench.copies.wait = 3.0
    bench.told(Note.COPY)
    bench.told(Note.REFRESH).after(3.0)
    assert bench.copies.runs == 3


def test_the_balance_is_read_on_time_between_cycles(bench: Bench) -> None:
    bench.after(REFRESH_SECONDS)
    assert bench.balance_age() == 0.0
    assert len(bench.cycles.modes) == 1


def test_the_balance_is_read_on_time_however_often_copies_come(bench: Bench) -> None:
    """Otherwise a user whose master trades often would have a stale balance and be skipped."""
    for _ in range(5):
        bench.clock.seconds += 20
        bench.told(Note.COPY)
        age = bench.balance_age()
        assert age is not None
        assert age < REFRESH_SECONDS


def test_an_exception_while_the_balance_is_read_costs_the_thread_nothing(bench: Bench) -> None:
    def broken() -> None:
        raise ValueError("a bug")

    bench.broker.fetch_holdings = broken  # type: ignore[assignment,method-assign]
    bench.after(REFRESH_SECONDS)
    assert bench.status.health.state is HealthState.DEGRADED
    assert "reading the balance: ValueError: a bug" in bench.status.health.reason
    # It waits for its next turn.
    bench.told(Note.COPY)
    assert bench.copies.runs == 2


def test_a_failing_cycle_degrades_and_the_fifth_in_a_row_is_a_failure(bench: Bench) -> None:
    bench.cycles.error = RetryLater("Kraken is busy")
    states = [bench.after(PERIOD_SECONDS).status.health.state for _ in range(5)]
    assert states == [*[HealthState.DEGRADED] * 4, HealthState.FAILED]
    assert bench.status.health.reason == "Kraken is busy"
    assert bench.results == ["completed", *["failed"] * 5]


def test_a_venue_that_is_left_alone_is_no_failure_of_its_accounts(bench: Bench) -> None:
    bench.cycles.error = VenueStopped("not sent: kraken breaker open")
    bench.copies.error = VenueStopped("not sent: kraken breaker open")
    states = [bench.after(PERIOD_SECONDS).told(Note.COPY).status.health.state for _ in range(8)]
    assert states == [HealthState.DEGRADED] * 8
    assert bench.status.health.error_count == 0
    bench.cycles.error = bench.copies.error = None
    assert bench.after(PERIOD_SECONDS).status.health.state is HealthState.HEALTHY


def test_two_good_cycles_make_a_failed_account_healthy_and_forget_its_errors(bench: Bench) -> None:
    bench.cycles.error = RetryLater("Kraken is busy")
    for _ in range(6):
        bench.after(PERIOD_SECONDS)
    bench.cycles.error = None
    bench.after(PERIOD_SECONDS)
    assert bench.status.health.state is HealthState.DEGRADED, "one good cycle may be luck"
    bench.after(PERIOD_SECONDS)
    assert bench.status.health.state is HealthState.HEALTHY
    bench.cycles.error = RetryLater("again")
    assert bench.after(PERIOD_SECONDS).status.health.state is HealthState.DEGRADED


def test_an_unexpected_exception_is_named_with_its_trace_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.cycles.error = KeyError("ordermin")
    with caplog.at_level(logging.INFO):
        bench.after(PERIOD_SECONDS).after(PERIOD_SECONDS)
    assert bench.status.health.reason == "KeyError: 'ordermin'"
    failures = [record for record in caplog.records if "trading cycle failed" in record.message]
    assert len(failures) == 1
    assert failures[0].exc_info


def test_a_cycle_without_a_readable_balance_leaves_the_account_degraded_with_the_reason(bench: Bench) -> None:
    bench.broker.balance_error = "not JSON"
    bench.after(PERIOD_SECONDS)
    assert bench.results[-1] == "completed"
    assert bench.status.health.state is HealthState.DEGRADED
    assert "not JSON" in bench.status.health.reason


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), ZeroDivisionError("a bug")])
def test_an_error_while_copying_degrades_this_account_and_is_tried_again_soon(bench: Bench, error: Exception) -> None:
    bench.copies.error = error
    bench.told(Note.COPY)
    assert bench.status.health.state is HealthState.DEGRADED
    assert str(error) in bench.status.health.reason
    bench.copies.error = None
    bench.after(LOOK_AGAIN_SECONDS)
    assert bench.copies.runs == 3


@pytest.mark.parametrize("note", [Note.COPY, Note.REFRESH])
def test_a_key_that_is_refused_shows_at_once_outside_cycles_too_and_until_it_is_taken_again(
    bench: Bench, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    def health() -> tuple[HealthState, str]:
        return bench.status.health.state, bench.status.health.reason

    refused = (HealthState.FAILED, "Kraken refuses the API key")
    with monkeypatch.context() as patch:
        patch.setattr(MemoryBroker, "key_refusal", refused[1])
        bench.told(note)
        assert health() == refused
        bench.broker.balance_error = refused[1]
        bench.after(PERIOD_SECONDS)
        assert health() == refused, "nor does the reading that fails because of it hide it"
        bench.cycles.error = CredentialsRejected(refused[1])
        bench.after(PERIOD_SECONDS)
        assert health() == refused
        (row,) = stored(bench)
        assert (row.health, row.authenticated_at) == ("failed", None)
    bench.broker.balance_error, bench.cycles.error = None, None
    bench.after(PERIOD_SECONDS).after(PERIOD_SECONDS)
    assert health() == (HealthState.HEALTHY, "")
    (row,) = stored(bench)
    assert row.authenticated_at is not None


def stored(bench: Bench) -> Sequence[Row[Any]]:
    with bench.store.read() as connection:
        return [row for row in accounts.states(connection) if row.account_id == USER.label]


def test_who_counts_cycles_may_fail_and_the_account_trades_on(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_account: AccountRef, _result: str, _seconds: float) -> None:
        raise ValueError("no such label")

    bench.worker._on_cycle = broken
    bench.after(PERIOD_SECONDS).after(PERIOD_SECONDS)
    assert len(bench.cycles.modes) == 3
    assert "unexpected error while its cycle was counted" in caplog.text


def test_its_heart_beats_with_its_steps_and_a_wait_is_announced_with_its_length(bench: Bench) -> None:
    steps: list[str] = []

    def look() -> None:
        steps.append(bench.worker.heart.last.step)

    bench.cycles.reconcile = look
    with bench.worker.heart.beating():
        bench.after(PERIOD_SECONDS)
        bench.worker.tell(Note.COPY)
        bench.worker.step()
        waits = bench.worker.heart.last
        bench.after(PUBLISH_AFTER_SECONDS)
        # Something to hear, or it would wait for as long as it says it does: the inbox has no clock but the real one.
        bench.worker.tell(Note.REFRESH)
        bench.worker._next_note()
    assert steps == ["beginning"]
    assert waits.step == "copying"
    assert bench.worker.heart.last.step == "waiting"
    assert bench.worker.heart.last.due_at >= bench.clock.seconds + REFRESH_SECONDS


def test_a_worker_that_was_given_up_ends_at_its_next_step_and_leaves_health_to_its_successor(bench: Bench) -> None:
    health = bench.status.health
    bench.worker.heart.bar("anna_kraken was given up")
    bench.worker.run()
    assert bench.status.health == health
    assert len(bench.cycles.modes) == 1


def test_a_full_inbox_drops_the_note_and_not_the_caller(bench: Bench) -> None:
    for _ in range(INBOX_BOUND + 10):
        bench.worker.tell(Note.COPY)
    assert bench.worker.inbox.qsize() == INBOX_BOUND


@pytest.mark.parametrize("ask", [lambda bench: bench.stop.set(), lambda bench: bench.worker.tell(Note.STOP)])
def test_asked_to_stop_it_does_nothing_more(bench: Bench, ask: Callable[[Bench], None]) -> None:
    ask(bench)
    bench.worker.tell(Note.COPY)
    bench.after(PERIOD_SECONDS)
    assert (len(bench.cycles.modes), bench.copies.runs) == (1, 1)


def test_a_stopped_loop_ends_and_says_so_in_the_store(bench: Bench) -> None:
    bench.stop.set()
    bench.worker.run()
    with bench.store.read() as connection:
        (row,) = [row for row in accounts.states(connection) if row.account_id == USER.label]
    assert row.health == "stopped"


def test_an_account_that_is_not_hydrated_says_why_and_tries_again_soon(store: Store) -> None:
    bench = Bench(store)
    bench.broker.open_orders_error = "503 from the edge"
    bench.worker.step()
    assert "503 from the edge" in bench.status.health.reason
    bench.worker.step()
    bench.broker.open_orders_error = None
    bench.after(NOT_HYDRATED_CYCLE_SECONDS)
    assert len(bench.cycles.modes) == 2
    assert bench.status.health.state is HealthState.HEALTHY
    bench.worker.step()
    bench.after(PERIOD_SECONDS - 1)
    assert len(bench.cycles.modes) == 2


def test_an_account_that_hears_of_copies_first_begins_with_a_cycle_all_the_same(store: Store) -> None:
    bench = Bench(store)
    bench.told(Note.COPY)
    assert (len(bench.cycles.modes), bench.copies.runs) == (1, 0)
    bench.worker.step()
    assert (len(bench.cycles.modes), bench.copies.runs) == (1, 1)


def test_a_look_that_finds_no_copy_writes_nothing(bench: Bench) -> None:
    bench.copies.found_work = False
    writes = WriteCount(bench.store)
    before = bench.copies.runs
    for _ in range(3):
        bench.told(Note.COPY)
    assert (bench.copies.runs - before, writes.commits) == (3, 0)
    bench.copies.found_work = True
    bench.told(Note.COPY)
    bench.told(Note.COPY)
    assert writes.commits == 0, "the bookings of a batch come first"
    bench.after(PUBLISH_AFTER_SECONDS)
    assert writes.commits == 1
