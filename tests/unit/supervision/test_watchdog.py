"""The watchdog, step by step, on a clock that moves when it is told to; the threads it watches are real."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from bot.supervision.heart import Heart
from bot.supervision.probes import BROKEN_AFTER_SECONDS, Probe, lock_probe
from bot.supervision.watchdog import Hang, Ward, Watchdog, WatchdogTimes
from tests.memory_broker import TestClock

DUE, SUSPECT, QUARANTINE = 30.0, 5.0, 5.0


class Bench:
    """Wards with threads that wait until the test ends, and a list of what was done to them, in order."""

    def __init__(self, probes: tuple[Probe, ...] = ()) -> None:
        self.clock = TestClock()
        self.end = threading.Event()
        self.done: list[str] = []
        self.fatal: list[str] = []
        self.stalls: list[float] = []
        self.hangs: list[Hang] = []
        self.store_refuses = False
        self.hearts: dict[str, Heart] = {}
        self.ends: dict[str, threading.Event] = {}
        self.threads: dict[str, threading.Thread] = {}
        self.watchdog = Watchdog(
            clock=self.clock,
            times=WatchdogTimes(suspect_after_seconds=SUSPECT, quarantine_after_seconds=QUARANTINE),
            on_fatal=self.fatal.append,
            on_stall=self.stalls.append,
            probes=probes,
        )

    def ward(self, name: str, *, vital: bool = False) -> Heart:
        end = threading.Event()
        thread = threading.Thread(target=end.wait, args=(60,), name=f"Trader-{name}", daemon=True)
        thread.start()
        heart = Heart(self.clock, step_seconds=DUE)
        self.hearts[name], self.ends[name], self.threads[name] = heart, end, thread
        self.watchdog.watch(
            Ward(
                name=name,
                thread=thread,
                heart=heart,
                vital=vital,
                cut=lambda: self.done.append(f"cut {name}"),
                fence=lambda: self._fence(name),
                revoke=lambda: self.done.append(f"revoke {name}"),
                on_hang=lambda hang: self._hung(name, hang),
                on_dead=lambda: self.done.append(f"dead {name}"),
            )
        )
        return heart

    def _fence(self, name: str) -> None:
        if self.store_refuses:
            raise OSError("the disk is full")
        self.done.append(f"fence {name}")

    def _hung(self, name: str, hang: Hang) -> None:
        self.done.append(f"replace {name}")
        self.hangs.append(hang)

    def seconds(self, seconds: float) -> "Bench":
        """Let time pass, with a look each second."""
        for _ in range(round(seconds)):
            self.clock.seconds += 1
            self.watchdog.step()
        return self

    def dies(self, name: str) -> None:
        self.ends[name].set()
        self.threads[name].join(10)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for end in made.ends.values():
        end.set()


GIVEN_UP = ["cut kraken", "fence kraken", "revoke kraken", "cut kraken", "replace kraken"]


def test_who_beats_in_time_is_left_in_peace(bench: Bench) -> None:
    heart = bench.ward("kraken")
    for _ in range(20):
        heart.beat("scanning")
        bench.seconds(DUE)
    assert (bench.done, bench.fatal) == ([], [])


def test_a_long_wait_that_was_announced_is_no_hang(bench: Bench) -> None:
    bench.ward("kraken").beat("waiting", 500)
    bench.seconds(500)
    assert bench.done == []


def test_who_makes_no_progress_is_suspect_first_and_loses_its_connections(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.ward("kraken").beat("reading the balance")
    bench.seconds(DUE + SUSPECT)
    assert bench.done == []
    bench.seconds(1)
    assert bench.done == ["cut kraken"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert "no progress for 36 s in the step 'reading the balance'" in line
    assert "threading.py" in line, "the stack"


def test_a_suspect_that_goes_on_is_free_again(bench: Bench) -> None:
    heart = bench.ward("kraken")
    bench.seconds(DUE + SUSPECT + 1)
    heart.beat("going on")
    bench.seconds(DUE)
    assert bench.done == ["cut kraken"]
    assert bench.watchdog.zombies() == []


def test_who_still_hangs_is_fenced_first_then_cut_off_then_replaced(bench: Bench) -> None:
    bench.ward("kraken").beat("placing buy BTC/USD")
    bench.seconds(DUE + SUSPECT + QUARANTINE + 2)
    assert bench.done == GIVEN_UP
    (zombie,) = bench.watchdog.zombies()
    assert (zombie.name, zombie.thread) == ("kraken", bench.threads["kraken"])
    assert bench.hangs[0].step == "placing buy BTC/USD"
    assert ":wait" in bench.hangs[0].stack[-1]


def test_while_the_store_does_not_fence_it_nothing_is_replaced_and_then_everything_is(bench: Bench) -> None:
    heart = bench.ward("kraken")
    bench.store_refuses = True
    bench.seconds(DUE + SUSPECT + QUARANTINE + 20)
    assert bench.done == ["cut kraken"]
    heart.beat("awake again, but perhaps shut out already")
    bench.store_refuses = False
    bench.seconds(1)
    assert bench.done == GIVEN_UP


def test_one_refusal_of_the_store_is_enough_for_a_look(bench: Bench) -> None:
    asked: list[str] = []
    for name in ("ann", "bob", "eve"):
        bench.ward(name)
    bench._fence = lambda name: (asked.append(name), 1 / 0)  # type: ignore[method-assign,assignment,return-value]
    bench.seconds(DUE + SUSPECT + QUARANTINE + 1)
    asked.clear()
    bench.seconds(1)
    assert len(asked) == 1


def test_a_thread_that_died_is_reported_once(bench: Bench) -> None:
    bench.ward("kraken")
    bench.dies("kraken")
    bench.seconds(3)
    assert bench.done == ["dead kraken"]


def test_whose_end_is_wanted_is_watched_no_more(bench: Bench) -> None:
    bench.ward("kraken")
    bench.watchdog.forget("kraken")
    bench.dies("kraken")
    bench.seconds(100)
    assert bench.done == []


def test_one_that_hangs_costs_the_others_nothing(bench: Bench) -> None:
    bench.ward("kraken")
    other = bench.ward("coinbase")
    for _ in range(8):
        other.beat("scanning")
        bench.seconds(10)
    assert bench.done == GIVEN_UP


def test_trouble_with_one_ward_costs_the_others_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.ward("kraken")
    bench.ward("coinbase")
    bench.watchdog._watched["kraken"].ward.cut = lambda: 1 / 0  # type: ignore[assignment,return-value]
    bench.seconds(DUE + SUSPECT + QUARANTINE + 2)
    assert "replace kraken" in bench.done
    assert "replace coinbase" in bench.done


@pytest.mark.parametrize("how", ["hangs", "dies"])
def test_a_thread_that_everybody_needs_ends_the_process(bench: Bench, how: str) -> None:
    bench.ward("Store", vital=True)
    if how == "dies":
        bench.dies("Store")
    bench.seconds(DUE + SUSPECT + QUARANTINE + 5)
    (reason,) = bench.fatal
    assert "Trader-Store" in reason
    assert "nothing works without it" in reason


def test_more_than_three_zombies_end_the_process_and_three_do_not(bench: Bench) -> None:
    for name in ("ann", "bob", "eve"):
        bench.ward(name)
    bench.seconds(DUE + SUSPECT + QUARANTINE + 5)
    assert len(bench.watchdog.zombies()) == 3
    assert bench.fatal == []
    bench.ward("joe")
    bench.seconds(DUE + SUSPECT + QUARANTINE + 5)
    (reason,) = bench.fatal
    assert "4 threads hang for good (ann, bob, eve, joe)" in reason


def test_a_zombie_that_ends_is_none_any_more(bench: Bench) -> None:
    for name in ("ann", "bob", "eve"):
        bench.ward(name)
    bench.seconds(DUE + SUSPECT + QUARANTINE + 5)
    bench.dies("ann")
    bench.ward("joe")
    bench.seconds(DUE + SUSPECT + QUARANTINE + 5)
    assert bench.fatal == []
    assert [zombie.name for zombie in bench.watchdog.zombies()] == ["bob", "eve", "joe"]


def test_after_the_whole_process_stood_still_everybody_has_his_time_again_once(bench: Bench) -> None:
    bench.ward("kraken")
    bench.ward("Store", vital=True)
    bench.clock.seconds += 3600
    bench.seconds(DUE)
    assert (bench.done, bench.fatal) == ([], [])
    assert len(bench.stalls) == 1
    assert bench.stalls[0] == pytest.approx(3600)
    bench.seconds(SUSPECT + QUARANTINE + 5)
    assert GIVEN_UP[-1] in bench.done, "and no more than once"


def test_a_suspect_is_forgiven_too_when_the_process_stood_still(bench: Bench) -> None:
    bench.ward("kraken")
    bench.seconds(DUE + SUSPECT + 1)
    bench.clock.seconds += 60
    bench.seconds(QUARANTINE + 2)
    assert bench.done == ["cut kraken"]


def test_a_lock_that_nobody_gives_back_ends_the_process_and_one_that_is_busy_does_not() -> None:
    lock = threading.Lock()
    bench = Bench((lock_probe("the registry", lock),))
    with lock:
        bench.seconds(BROKEN_AFTER_SECONDS - 1)
    bench.seconds(3)
    assert bench.fatal == []
    with lock:
        bench.seconds(BROKEN_AFTER_SECONDS + 2)
    (reason,) = bench.fatal
    assert "the registry has not been free for 20 s" in reason


def test_it_says_nothing_while_a_shared_lock_is_taken_for_it_could_be_the_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lock = threading.Lock()
    bench = Bench((lock_probe("the log", lock),))
    bench.ward("kraken")
    with lock:
        bench.seconds(DUE + SUSPECT + 1)
    assert bench.done == ["cut kraken"]
    assert caplog.records == []
    bench.ends["kraken"].set()


def test_its_thread_outlives_an_error_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    looked = threading.Event()
    fail: list[Callable[[], bool]] = [lambda: bool(1 / 0), lambda: True]

    def works() -> bool:
        if len(fail) == 1:
            looked.set()
            return fail[0]()
        return fail.pop(0)()

    bench = Bench((Probe("nonsense", works),))
    bench.clock.wait = lambda event, _seconds: event.wait(0.001)  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR):
        bench.watchdog.start()
        assert looked.wait(10)
        bench.watchdog.stop()
    assert "watchdog: unexpected error" in caplog.text
