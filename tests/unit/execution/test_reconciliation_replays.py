"""The same report ten times, in any order, and a crash at any step: the books are those of one report."""

import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.errors import OutcomeUnknown
from bot.domain.order import IntentState, Side
from bot.seams import failpoints
from bot.storage import migrations
from bot.storage.store import Store, sqlite_url
from tests.unit.copy_bench import MASTER
from tests.unit.execution.reconciler_bench import ANN, OURS, ReconcilerBench

STEPS = (
    "history_read",
    "foreign_noted",
    "fills_booked",
    "open_orders_compared",
    "history_compared",
    "holdings_compared",
    "shrink_lots",
)


class Crash(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, made once."""
    path = tmp_path_factory.mktemp("template") / "nija.db"
    migrations.upgrade(sqlite_url(path))
    return path


@contextmanager
def world(template: Path) -> Iterator[ReconcilerBench]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "nija.db"
        shutil.copy(template, path)
        store = Store(sqlite_url(path))
        store.start()
        try:
            yield ReconcilerBench(store)
        finally:
            store.close()


def _late_fill(bench: ReconcilerBench) -> None:
    """Proven absent, and filled after all."""
    bench.ann.script = [OutcomeUnknown("reset")]
    bench.copied("0.004")
    for intent in bench.intents():
        if intent.state is IntentState.UNKNOWN:
            bench.bench.executors[ANN].abandon(intent, "proven absent at the venue")
            bench.ann.by_hand(intent.side, str(intent.quantity), client_order_id=intent.client_order_id)


def _master_sells(bench: ReconcilerBench) -> None:
    if bench.master.coins >= Decimal("0.001"):
        bench.master.by_hand(Side.SELL, "0.001")


def _user_sells(bench: ReconcilerBench) -> None:
    if bench.ann.coins >= Decimal("0.001"):
        bench.ann.by_hand(Side.SELL, "0.001")


def _orphan(bench: ReconcilerBench) -> str:
    return OURS + f"{len(bench.ann.orders):028x}"


EVENTS: dict[str, Callable[[ReconcilerBench], object]] = {
    "copied": lambda bench: bench.copied("0.004"),
    "late fill": _late_fill,
    "master buys by hand": lambda bench: bench.master.by_hand(Side.BUY, "0.002"),
    "master sells by hand": _master_sells,
    "user buys by hand": lambda bench: bench.ann.by_hand(Side.BUY, "0.002"),
    "user sells by hand": _user_sells,
    "orphan trades": lambda bench: bench.ann.by_hand(Side.BUY, "0.003", client_order_id=_orphan(bench)),
    "orphan rests": lambda bench: bench.ann.resting(Side.BUY, "0.003", client_order_id=_orphan(bench)),
    "foreign order rests": lambda bench: bench.ann.resting(Side.SELL, "0.003"),
}
stories = st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=6)


def tell(bench: ReconcilerBench, story: list[str]) -> None:
    for name in story:
        bench.clock.seconds += 1
        EVENTS[name](bench)


def report(bench: ReconcilerBench) -> None:
    """A pass of each account on a clock that stands still, so that two worlds can be compared row by row."""
    for account in (MASTER, ANN):
        assert bench.run(account, after=0)


def shuffle(bench: ReconcilerBench, chance: random.Random) -> None:
    """From now on lists of trades come in any order, some of them twice."""
    for broker in (bench.master, bench.ann):
        twice = [fill for fill in broker.fills if chance.random() < 0.5]
        broker.fills = [*broker.fills, *twice]
        chance.shuffle(broker.fills)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories, seed=st.integers(0, 1000))
def test_ten_replays_of_the_same_report_shuffled_and_doubled_change_nothing(
    template: Path, story: list[str], seed: int
) -> None:
    with world(template) as bench:
        tell(bench, story)
        report(bench)
        books = bench.dump()
        for number in range(10):
            shuffle(bench, random.Random(seed + number))
            if number % 2:
                bench.restart()
            report(bench)
        assert bench.dump() == books


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories, crashes=st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_a_report_that_is_cut_off_at_any_step_ends_in_the_same_books(
    template: Path, story: list[str], crashes: list[int]
) -> None:
    with world(template) as reference:
        tell(reference, story)
        report(reference)
        books = reference.dump()
    with world(template) as bench:
        tell(bench, story)
        for step in crashes:
            with crash_at(step):
                try:
                    report(bench)
                except Crash:
                    bench.restart()
        report(bench)
        assert bench.dump() == books


@contextmanager
def crash_at(step: int) -> Iterator[None]:
    """The process dies at the n-th step of the thread that reconciles."""
    left = [step]

    def count() -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    failpoints._plan.update(dict.fromkeys(STEPS, count))
    try:
        yield
    finally:
        failpoints.install("")


@pytest.mark.parametrize("step", [4, 5], ids=["before it is written", "after it was written"])
def test_a_shrink_that_is_cut_off_is_done_once(template: Path, step: int) -> None:
    with world(template) as bench:
        bench.copied()
        bench.ann.coins = Decimal("0.002")
        bench.run(after=31), bench.run(after=31)
        # The steps of this pass: open orders, history read, history, the shrink, holdings.
        with crash_at(step), pytest.raises(Crash):
            bench.run(after=31)
        bench.restart()
        for _ in range(4):
            bench.run(after=31)
        assert bench.lots() == Decimal("0.002")
        rows = [row for row in bench.dump()["drift"] if "shrunk" in str(row)]
        assert len(rows) == 1
