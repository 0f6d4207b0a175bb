"""One call at a time, the urgent first, and nobody who hangs stops the others."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.base import Urgency
from bot.brokers.kraken.private_call_lock import LockUse, PrivateCallLock, PrivateCallLocks, _Turn
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


# -- nobody starves -------------------------------------------------------------------------------------------------
class EndlessExits:
    """Threads that want the lock for an exit again and again: one of them waits at any moment."""

    def __init__(self, lock: PrivateCallLock, pool: ThreadPoolExecutor, *, threads: int, hold_seconds: float) -> None:
        self.turns = 0
        self._lock, self._hold_seconds = lock, hold_seconds
        self._end = threading.Event()
        self._futures = [pool.submit(self._run, number) for number in range(threads)]
        wait_until(lambda: self.turns > threads and lock.waiting > 0, what="the exits to be under way")

    def _run(self, number: int) -> None:
        while not self._end.is_set():
            with self._lock.hold(key=f"exits{number}", urgency=Urgency.EXIT, timeout_seconds=30):
                self.turns += 1
                self._end.wait(self._hold_seconds)

    def stop(self) -> None:
        self._end.set()
        for future in self._futures:
            future.result(30)


@pytest.mark.parametrize("urgency", [Urgency.POLL, Urgency.ENTRY, Urgency.RESOLVE, Urgency.CANCEL])
def test_everybody_gets_a_turn_while_exits_never_end(pool: ThreadPoolExecutor, urgency: Urgency) -> None:
    lock = PrivateCallLock(SystemClock(), hold_seconds=0.2, parked_key_seconds=0)
    exits = EndlessExits(lock, pool, threads=4, hold_seconds=0.01)
    try:
        with lock.hold(key="patient", urgency=urgency, timeout_seconds=30):
            pass
        # The least it had to wait shows that it did not simply overtake.
        assert lock.longest_wait_seconds >= 0.2 * int(urgency)
    finally:
        exits.stop()


def test_what_a_key_waited_in_vain_counts_when_it_comes_back(pool: ThreadPoolExecutor) -> None:
    lock = PrivateCallLock(SystemClock(), hold_seconds=0.3, parked_key_seconds=0)
    exits = EndlessExits(lock, pool, threads=3, hold_seconds=0.01)
    attempts = 0
    try:
        while attempts < 500:
            attempts += 1
            with (
                contextlib.suppress(RetryLater),
                lock.hold(key="impatient", urgency=Urgency.POLL, timeout_seconds=0.2),
            ):
                break
    finally:
        exits.stop()
    assert 1 < attempts < 100, "no single attempt waits long enough to be next"


@settings(max_examples=200, deadline=None)
@given(
    first=st.sampled_from(list(Urgency)),
    others=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(list(Urgency))), max_size=30),
)
def test_nobody_waits_longer_than_a_hold_per_class_and_one_for_each_who_was_there_before(
    first: Urgency, others: list[tuple[int, Urgency]]
) -> None:
    """Every hold takes its whole time and whoever comes, comes at the worst moment: just before the next turn."""
    clock = TurnedClock()
    lock = PrivateCallLock(clock, hold_seconds=5)
    arrivals = sorted(
        [(0, first, "first"), *((at, urgency, "other") for at, urgency in others)], key=lambda one: one[0]
    )
    before = sum(1 for at, _, name in arrivals if name == "other" and at == 0)
    waiting: list[tuple[str, _Turn]] = []
    for turns in range(len(arrivals) + 60):
        while arrivals and arrivals[0][0] <= turns:
            _, urgency, name = arrivals.pop(0)
            now = clock.monotonic()
            waiting.append((name, _Turn(name, urgency, 0, now, waits_since=now, arrival=len(waiting))))
        if waiting:
            now = clock.monotonic()
            chosen = min(waiting, key=lambda one: lock._rank(one[1], now))
            waiting.remove(chosen)
            if chosen[0] == "first":
                assert turns <= int(first) + before
                return
        clock.advance(5)
    raise AssertionError("it never had its turn")


def test_a_fresh_exit_overtakes_everybody_who_is_fresh(pool: ThreadPoolExecutor) -> None:
    lock = PrivateCallLock(SystemClock(), hold_seconds=30)
    order: list[Urgency] = []

    def use(urgency: Urgency) -> None:
        with lock.hold(key=urgency.name, urgency=urgency, timeout_seconds=30):
            order.append(urgency)

    with held_by_another_thread(lock, pool):
        futures = []
        for number, urgency in enumerate([Urgency.POLL, Urgency.ENTRY, Urgency.EXIT], start=1):
            futures.append(pool.submit(use, urgency))
            wait_until(lambda expected=number: lock.waiting == expected)
    for future in futures:
        future.result(10)
    assert order == [Urgency.EXIT, Urgency.ENTRY, Urgency.POLL]


# -- threads that are stopped at the worst moment -----------------------------------------------------------------
class Stopped(BaseException):
    """Comes into a thread from outside."""


class StoppingClock(SystemClock):
    """Whoever waits on it is stopped once."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = True

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        if self.armed:
            self.armed = False
            raise Stopped
        return super().wait(event, timeout_seconds)


def test_a_waiter_that_is_stopped_while_it_waits_is_given_no_turn(pool: ThreadPoolExecutor) -> None:
    lock = PrivateCallLock(StoppingClock(), hold_seconds=30)
    with held_by_another_thread(lock, pool):
        with pytest.raises(Stopped), lock.hold(key="stopped", urgency=Urgency.EXIT, timeout_seconds=5):
            pass
        assert lock.waiting == 0
    with lock.hold(key="next", urgency=Urgency.POLL, timeout_seconds=1):
        pass


def test_a_lock_that_was_given_back_and_not_passed_on_is_taken_by_whoever_waits(pool: ThreadPoolExecutor) -> None:
    lock = PrivateCallLock(SystemClock(), hold_seconds=30)

    def use() -> None:
        with lock.hold(key="waiter", urgency=Urgency.POLL, timeout_seconds=30):
            pass

    with held_by_another_thread(lock, pool):
        waiter = pool.submit(use)
        wait_until(lambda: lock.waiting == 1)
        with lock._mutex:
            lock._owner = None  # the owner's thread was stopped between giving it back and passing it on
            lock._queue[0].ready.set()
        waiter.result(10)


def test_the_lock_of_a_thread_that_is_known_to_hang_is_taken_from_it_at_once(pool: ThreadPoolExecutor) -> None:
    lock = PrivateCallLock(SystemClock(), hold_seconds=30)
    with held_by_another_thread(lock, pool, key="hung"):
        assert not lock.take_from("another")
        assert lock.take_from("hung")
        with lock.hold(key="next", urgency=Urgency.POLL, timeout_seconds=1):
            pass
    assert lock.held_by is None and lock.parked_seconds("hung") > 0
