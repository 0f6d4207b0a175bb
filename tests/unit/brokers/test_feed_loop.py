"""The loop of the sockets: what is handed over runs there, and a loop that hangs is replaced."""

import asyncio
import itertools
import threading
from collections.abc import Iterator

import pytest

from bot.brokers.connect_budget import KEPT_FRACTION, ConnectBudget, Rank
from bot.brokers.feed_loop import FeedLoop, pause
from bot.seams.clock import SystemClock
from bot.seams.ids import SeededIds
from bot.supervision.watchdog import Watchdog, WatchdogTimes
from tests.bot_process import wait_until
from tests.unit.brokers.clocks import TurnedClock


@pytest.fixture
def feed() -> Iterator[FeedLoop]:
    made = FeedLoop("kraken", SystemClock())
    yield made
    made.close()


def test_work_runs_on_the_loop_in_the_order_in_which_it_was_handed_over(feed: FeedLoop) -> None:
    done, order, names = threading.Event(), list[int](), set[str]()

    def note(number: int) -> None:
        order.append(number)
        names.add(threading.current_thread().name)
        if number == 99:
            done.set()

    for number in range(100):
        feed.call(lambda number=number: note(number))  # type: ignore[misc]
    assert done.wait(10)
    assert order == list(range(100)) and names == {"Feed-kraken"}


def test_work_that_fails_costs_the_loop_nothing(feed: FeedLoop, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def broken() -> None:
        raise ValueError("nobody has foreseen this")

    feed.call(broken)
    feed.call(done.set)
    assert done.wait(10)
    assert "nobody has foreseen this" in caplog.text


def test_a_loop_that_nobody_uses_has_no_thread_and_a_closed_one_does_nothing() -> None:
    feed = FeedLoop("kraken", SystemClock())
    assert not any(thread.name == "Feed-kraken" for thread in threading.enumerate())
    feed.close()
    feed.call(lambda: pytest.fail("it is closed"))
    feed.close()
    assert not any(thread.name == "Feed-kraken" for thread in threading.enumerate())


def test_tasks_are_ended_when_the_loop_is_closed(feed: FeedLoop) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        begun.set()
        try:
            await pause(300)
        finally:
            ended.set()

    feed.keep(serve)
    assert begun.wait(10)
    feed.close()
    assert ended.is_set()


def test_a_loop_that_hangs_is_replaced_and_what_waited_on_it_never_runs() -> None:
    clock = SystemClock()
    watchdog = Watchdog(
        clock=clock,
        times=WatchdogTimes(suspect_after_seconds=0.2, quarantine_after_seconds=0.2),
        on_fatal=lambda why: pytest.fail(why),
    )
    feed = FeedLoop("kraken", clock, step_seconds=0.5)
    feed.watched_by(watchdog)
    go, lives, late = threading.Event(), list[asyncio.AbstractEventLoop](), list[str]()

    async def serve() -> None:
        lives.append(asyncio.get_running_loop())
        await pause(300)

    feed.keep(serve)
    wait_until(lambda: lives and feed.is_prompt, seconds=10, what="the loop runs")
    watchdog.start()
    try:
        feed.call(lambda: go.wait(60) and None)
        feed.call(lambda: late.append("an order that is out of time"))
        wait_until(lambda: len(lives) == 2, seconds=30, what="another loop has taken over what is kept")
        assert lives[0] is not lives[1]
        done = threading.Event()
        feed.call(done.set)
        assert done.wait(10), "the new loop works"
        go.set()
        wait_until(lambda: lives[0].is_closed(), seconds=10, what="the old loop ends when it wakes up")
        assert late == []
    finally:
        go.set()
        feed.close()
        watchdog.stop()


def test_no_more_connections_are_begun_than_the_edge_allows_and_masters_come_first() -> None:
    clock = TurnedClock()
    budget = ConnectBudget(clock, SeededIds(1), limit=10, window_seconds=600)
    begun: list[Rank] = []

    async def connect(rank: Rank) -> None:
        await budget.turn(rank)
        begun.append(rank)

    async def everybody() -> None:
        tasks = [asyncio.ensure_future(connect(Rank.USER)) for _ in range(20)]
        tasks += [asyncio.ensure_future(connect(Rank.FIRST)) for _ in range(2)]
        for _ in range(200):
            clock.advance(0.05)
            budget._pump(asyncio.get_running_loop())
            await pause(0)
        # Users leave a part of the budget to those who come first.
        for_users = 10 - round(10 * KEPT_FRACTION)
        assert len(begun) == budget.used == for_users
        assert begun.count(Rank.FIRST) == 2 and begun[1:3] == [Rank.FIRST, Rank.FIRST]
        await asyncio.wait_for(connect(Rank.FIRST), 5)
        assert budget.used == 10
        clock.advance(600)
        for _ in range(200):
            clock.advance(0.05)
            budget._pump(asyncio.get_running_loop())
            await pause(0)
        assert len(begun) == 10 + for_users
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=5)

    asyncio.run(everybody())


def test_accounts_that_lost_their_connections_together_come_back_one_after_the_other() -> None:
    clock = TurnedClock()
    budget = ConnectBudget(clock, SeededIds(1), limit=140)
    begun: list[float] = []

    async def connect() -> None:
        await budget.turn(Rank.USER)
        begun.append(clock.monotonic())

    async def everybody() -> None:
        tasks = [asyncio.ensure_future(connect()) for _ in range(50)]
        for _ in range(2000):
            clock.advance(0.001)
            budget._pump(asyncio.get_running_loop())
            await pause(0)
        await asyncio.wait(tasks, timeout=5)

    asyncio.run(everybody())
    gaps = [later - earlier for earlier, later in itertools.pairwise(begun)]
    assert len(begun) == 50 and min(gaps) >= 0.009 and len({round(gap, 3) for gap in gaps}) > 5
