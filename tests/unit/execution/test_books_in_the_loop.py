"""The books in the loop of an account's thread: in its pauses, behind whatever else there is to do."""

from dataclasses import replace

import pytest

from bot.account_worker import Note
from bot.books.days import DayBoundary
from bot.execution.book_keeper import BookKeeper, BookRules
from bot.seams.ids import SeededIds
from bot.storage import leases
from bot.storage.equity_points import points_of
from bot.storage.opening_balances import find_opening
from bot.storage.store import Store
from tests.unit.test_account_worker import PERIOD_SECONDS, USER, Bench

BOOKS_SECONDS = 40.0


class BenchWithBooks(Bench):
    def __init__(self, store: Store) -> None:
        super().__init__(store)
        desk, label = self.worker.desk, USER.label
        store.write(lambda connection: leases.take_lease(connection, label, owner="test", now=self.clock.now()))
        self.keeper = BookKeeper(
            broker=self.broker,
            store=store,
            clock=self.clock,
            ids=SeededIds(1),
            reconciler=desk.reconciler,
            fence=desk.executor.refuse_when_fenced,
            rules=BookRules(boundary=DayBoundary.of("UTC"), cash_events_seconds=BOOKS_SECONDS),
        )
        self.worker.desk = replace(desk, books=self.keeper)

    def steps(self, number: int) -> None:
        """With nothing to wait for: the clock goes to whatever is due next."""
        for _ in range(number):
            due = [self.worker._cycle_at, self.worker._refresh_at, self.worker._look_at, self.worker._flatten_at]
            due += [self.worker._stream_at, self.worker._publish_at, self.keeper.due_at]
            soonest = min(at for at in due if at is not None)
            self.clock.seconds = max(self.clock.seconds, soonest)
            self.worker.step()

    @property
    def points(self) -> int:
        with self.store.read() as connection:
            return len(list(points_of(connection, USER.label)))

    @property
    def begun(self) -> bool:
        with self.store.read() as connection:
            return find_opening(connection, USER.label) is not None


@pytest.fixture
def bench(store: Store) -> BenchWithBooks:
    return BenchWithBooks(store)


def test_books_are_kept_in_the_pauses_of_the_loop(bench: BenchWithBooks) -> None:
    bench.steps(40)
    assert bench.begun
    assert bench.points > 3
    assert bench.results == ["completed"] * len(bench.results)


def test_a_copy_that_waits_goes_before_the_books(bench: BenchWithBooks) -> None:
    bench.steps(4)
    bench.clock.seconds = max(bench.clock.seconds, bench.keeper.due_at)
    before, runs = bench.points, bench.copies.runs
    bench.worker.tell(Note.COPY)
    bench.worker.tell(Note.COPY)
    bench.worker.step()
    assert (bench.copies.runs, bench.points) == (runs + 1, before)


def test_a_copy_that_comes_in_the_middle_of_a_reading_ends_it(bench: BenchWithBooks) -> None:
    bench.steps(40)
    fetch, before = bench.broker.fetch_holdings, bench.points

    def interrupted() -> object:
        bench.worker.tell(Note.COPY)
        return fetch()

    bench.broker.fetch_holdings = interrupted  # type: ignore[assignment,method-assign]
    while bench.worker.inbox.empty():
        bench.steps(1)
    assert bench.points == before
    bench.broker.fetch_holdings = fetch  # type: ignore[method-assign]
    bench.steps(3)
    assert bench.points > before


def test_where_cycles_never_leave_a_pause_the_books_get_their_turn_all_the_same(bench: BenchWithBooks) -> None:
    def long() -> None:
        bench.clock.seconds += 2 * PERIOD_SECONDS

    bench.cycles.reconcile = long
    bench.steps(60)
    assert bench.begun
    assert bench.points > 2


def test_books_that_fail_in_an_unforeseen_way_do_not_touch_the_account(bench: BenchWithBooks) -> None:
    bench.steps(3)

    def broken(_since: object) -> object:
        raise KeyError("a field that was always there")

    bench.broker.get_cash_events = broken  # type: ignore[assignment,method-assign]
    bench.steps(30)
    assert "a field that was always there" in bench.keeper.problem
    assert set(bench.results) == {"completed"}
    assert bench.status.health.state == "healthy"
