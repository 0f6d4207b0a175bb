"""One call at a time, the urgent first, and nobody who hangs stops the others."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from bot.brokers.base import Urgency
from bot.brokers.kraken.private_call_lock import LockUse, PrivateCallLock, PrivateCallLocks
from bot.domain.errors import RetryLater
from bot.seams.clock import SystemClock
from tests.exchange_process import wait_until
from tests.unit.brokers.clocks import TurnedClock


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as executor:
        yield executor


@contextlib.contextmanager
def held_by_another_thread(lock: PrivateCallLock, pool: ThreadPoolExecutor, key: str = "holder") -> Iterator[None]:
    taken, give_back = threading.Event(), threading.Event()

    def hold() -> None:
        with lock.hold(key=key, urgency=Urgency.POLL, timeout_seconds=5):
            taken.set()
            give_back.wait(10)

    future = pool.submit(hold)
    assert taken.wait(5)
    try:
        yield
    finally:
        give_back.set()
        future.result(10)


@pytest.mark.parametrize("round_", range(50))
def test_no_two_threads_hold_it_at_once(pool: ThreadPoolExecutor, round_: int) -> None:
    lock = PrivateCallLock(SystemClock())
    inside: list[int] = []
    most = []

    def use(number: int) -> None:
        for _ in range(5):
            with lock.hold(key=f"k{number}", urgency=Urgency(number % 5), timeout_seconds=10):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    list(pool.map(use, range(8)))
    assert set(most) == {1}
    assert lock.held_by is None and lock.waiting == 0 and lock.holds == 40


@pytest.mark.parametrize("round_", range(50))
def test_waiters_go_by_urgency_and_then_by_arrival(pool: ThreadPoolExecutor, round_: int) -> None:
    lock = PrivateCallLock(SystemClock())
    order: list[tuple[Urgency, int]] = []

    def use(urgency: Urgency, number: int) -> None:
        with lock.hold(key=f"k{number}", urgency=urgency, timeout_seconds=10):
            order.append((urgency, number))

    arrivals = [Urgency.POLL, Urgency.ENTRY, Urgency.POLL, Urgency.EXIT, Urgency.RESOLVE, Urgency.EXIT, Urgency.CANCEL]
    futures: list[Future[None]] = []
    with held_by_another_thread(lock, pool):
        for number, urgency in enumerate(arrivals):
            futures.append(pool.submit(use, urgency, number))
            wait_until(lambda expected=number + 1: lock.waiting == expected, what="the waiter's arrival")
    for future in futures:
        future.result(10)
    assert order == sorted(order)


def test_the_thread_that_holds_it_may_take_it_again() -> None:
    lock = PrivateCallLock(SystemClock())
    with lock.hold(key="a", urgency=Urgency.POLL, timeout_seconds=1):
        with lock.hold(key="b", urgency=Urgency.EXIT, timeout_seconds=1):
            assert lock.held_by == "a"
        assert lock.held_by == "a"
    assert lock.held_by is None


def test_waiting_ends_at_the_deadline_and_says_that_nothing_was_sent(pool: ThreadPoolExecutor) -> None:
    lock = PrivateCallLock(SystemClock())
    with (
        held_by_another_thread(lock, pool),
        pytest.raises(RetryLater, match=r"not sent.*held by holder"),
        lock.hold(key="a", urgency=Urgency.EXIT, timeout_seconds=0.05),
    ):
        pass
    assert lock.waiting == 0
    with lock.hold(key="a", urgency=Urgency.POLL, timeout_seconds=1):
        pass


def test_an_owner_that_hangs_loses_it_and_its_late_release_takes_it_from_nobody(pool: ThreadPoolExecutor) -> None:
    lock = PrivateCallLock(SystemClock(), hold_seconds=0.05)
    with contextlib.ExitStack() as late, contextlib.ExitStack() as in_time:
        late.enter_context(held_by_another_thread(lock, pool, key="hung"))
        in_time.enter_context(held_by_another_thread(lock, pool, key="next"))
        assert lock.evictions == 1
        late.close()
        assert lock.held_by == "next"
    assert lock.held_by is None
    assert lock.parked_seconds("hung") > 0


def test_a_key_that_overran_is_parked_except_for_exits_and_told_until_when() -> None:
    clock = TurnedClock()
    lock = PrivateCallLock(clock, hold_seconds=5, parked_key_seconds=30)
    with lock.hold(key="slow", urgency=Urgency.POLL, timeout_seconds=1):
        clock.advance(5.1)
    with pytest.raises(RetryLater, match="until 2026-03-01T12:00:35") as refused:
        lock.hold(key="slow", urgency=Urgency.ENTRY, timeout_seconds=1).__enter__()
    assert refused.value.retry_after_seconds == pytest.approx(30)
    with lock.hold(key="slow", urgency=Urgency.EXIT, timeout_seconds=1):
        pass
    with lock.hold(key="quick", urgency=Urgency.POLL, timeout_seconds=1):
        pass
    clock.advance(30)
    with lock.hold(key="slow", urgency=Urgency.POLL, timeout_seconds=1):
        pass


def test_a_waiter_whose_key_is_parked_meanwhile_is_turned_away_at_its_turn(pool: ThreadPoolExecutor) -> None:
    lock = PrivateCallLock(SystemClock(), hold_seconds=0.05)

    def wait() -> None:
        with lock.hold(key="hung", urgency=Urgency.POLL, timeout_seconds=10):
            pass

    with held_by_another_thread(lock, pool, key="hung"):
        waiter = pool.submit(wait)
        with pytest.raises(RetryLater, match="only its exits"):
            waiter.result(10)


def test_each_use_is_reported_with_how_long_it_waited_and_held() -> None:
    uses: list[LockUse] = []
    clock = TurnedClock()
    lock = PrivateCallLock(clock, on_use=uses.append)
    with lock.hold(key="a", urgency=Urgency.ENTRY, timeout_seconds=1):
        clock.advance(2)
    assert uses == [LockUse("a", Urgency.ENTRY, 0.0, 2.0, overran=False)]
    assert lock.longest_hold_seconds == 2.0


def test_an_exception_inside_gives_it_back() -> None:
    lock = PrivateCallLock(SystemClock())
    with pytest.raises(KeyError), lock.hold(key="a", urgency=Urgency.POLL, timeout_seconds=1):
        raise KeyError
    assert lock.held_by is None


def test_globally_all_keys_share_one_lock_and_per_key_they_do_not() -> None:
    def make() -> PrivateCallLock:
        return PrivateCallLock(SystemClock())

    shared, apart = PrivateCallLocks(make, per_key=False), PrivateCallLocks(make, per_key=True)
    assert shared.for_key("a") is shared.for_key("b")
    assert apart.for_key("a") is not apart.for_key("b")
    assert apart.for_key("a") is apart.for_key("a")
