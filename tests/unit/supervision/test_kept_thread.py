"""A thread that is needed for as long as the program runs."""

import threading
from collections.abc import Iterator

import pytest

from bot.domain.errors import Fenced
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog, WatchdogTimes
from tests.exchange_process import wait_until
from tests.memory_broker import TestClock


class Bench:
    """A body that says which life it is in, and waits until that one is let go."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.watchdog = Watchdog(clock=self.clock, times=WatchdogTimes(), on_fatal=lambda _reason: None)
        self.lives: list[threading.Event] = []
        self.fenced: list[int] = []
        self.cut: list[threading.Thread] = []
        self.fail = False
        self.kept = KeptThread(
            "Connector-kraken", self._body, clock=self.clock, watchdog=self.watchdog, cut=self.cut.append
        )

    def _body(self) -> None:
        number = len(self.lives)
        self.lives.append(threading.Event())
        beat("waiting")
        self.lives[number].wait(60)
        if self.fail:
            raise ValueError("a bug")
        try:
            beat("going on")
        except Fenced:
            self.fenced.append(number)
            raise

    def seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.seconds += 1
            self.watchdog.step()

    def has_lived(self, lives: int) -> None:
        wait_until(lambda: len(self.lives) == lives, seconds=20, what=f"{lives} lives")


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.watchdog.forget(made.kept.name)
    for life in made.lives:
        life.set()


def test_one_that_hangs_is_replaced_and_ends_when_it_wakes_up(bench: Bench) -> None:
    bench.kept.start()
    bench.has_lived(1)
    bench.seconds(60)
    bench.has_lived(2)
    assert len(bench.watchdog.zombies()) == 1
    bench.lives[0].set()
    wait_until(lambda: bench.fenced == [0], seconds=20, what="the first life ends")
    wait_until(lambda: not bench.watchdog.zombies(), seconds=20, what="no zombie is left")
    assert bench.kept.is_alive()
    assert bench.cut, "what it waited on was cut"


def test_one_that_dies_is_started_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.kept.start()
    bench.has_lived(1)
    bench.fail = True
    bench.lives[0].set()
    bench.kept.join(20)
    bench.fail = False
    bench.seconds(1)
    bench.has_lived(2)
    assert "Connector-kraken has died" in caplog.text


def test_one_that_is_done_is_not_started_again(bench: Bench) -> None:
    bench.kept.start()
    bench.has_lived(1)
    bench.lives[0].set()
    bench.kept.join(20)
    bench.seconds(5)
    assert len(bench.lives) == 1
    assert not bench.kept.is_alive()


def test_one_that_the_machine_does_not_give_is_asked_for_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        bench.kept.start()
        bench.seconds(2)
    assert bench.lives == []
    bench.seconds(1)
    bench.has_lived(1)
