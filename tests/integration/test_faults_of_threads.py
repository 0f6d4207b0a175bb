"""Accounts' threads that die without a word, or cannot be started: begun again, ever later, and given up by name."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from bot.account_desk import AccountDesk
from bot.account_worker import CycleTimes
from bot.brokers.base import BaseBroker
from bot.copy_trade_engine import Follower
from bot.domain.account import AccountRef, BrokerType
from bot.domain.health import HealthState
from bot.execution.account_status import AccountStatus
from bot.independent_broker_trader import IndependentBrokerTrader
from bot.multi_account_broker_manager import MultiAccountBrokerManager, Pauses
from bot.position_sizer import CopyRules
from bot.seams.ids import SeededIds
from bot.storage import migrations
from bot.storage.accounts import remember_account
from bot.storage.store import Store, sqlite_url
from bot.supervision.circuit import OPEN_SECONDS
from bot.trading_strategy import TradingStrategy
from tests.memory_broker import MemoryBroker, TestClock

KRAKEN = BrokerType.KRAKEN
MASTER, ANN = AccountRef.master(KRAKEN), AccountRef.user(KRAKEN, "ann")


class Threads(IndependentBrokerTrader):
    """The keeper of threads, with bodies of the test's own: `dying` accounts' threads end at once."""

    dying: frozenset[AccountRef] = frozenset()
    lives: list[str]

    def run_broker_trading_loop(self, broker_type: BrokerType, broker: BaseBroker) -> None:
        self._live(AccountRef.master(broker_type))

    def run_user_broker_trading_loop(self, user_id: str, broker_type: BrokerType, broker: BaseBroker) -> None:
        self._live(AccountRef.user(broker_type, user_id))

    def _live(self, account: AccountRef) -> None:
        self.lives.append(account.label)
        if account not in self.dying:
            self._stop.wait(30)


class Venue:
    """Opens the brokers; `balance_error` is what a balance call of ANN's then says."""

    def __init__(self, clock: TestClock) -> None:
        self._clock = clock
        self.balance_error: str | None = None
        self.opened = 0

    def open(self, account: AccountRef) -> BaseBroker:
        broker = MemoryBroker(account, self._clock)
        if account == ANN:
            self.opened += 1
            broker.balance_error = self.balance_error
        return broker


@pytest.fixture
def venue(clock: TestClock) -> Venue:
    return Venue(clock)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def statuses(tmp_path: Path, clock: TestClock) -> Iterator[dict[AccountRef, AccountStatus]]:
    url = sqlite_url(tmp_path / "nija.db")
    migrations.upgrade(url)
    store = Store(url)
    store.start()
    for account in (MASTER, ANN):
        store.write(partial(remember_account, ref=account, name=account.label, enabled=True, now=clock.now()))
    yield {account: AccountStatus(store=store, clock=clock, account=account, mode="paper") for account in (MASTER, ANN)}
    store.close()


@pytest.fixture
def threads(
    clock: TestClock, stop: threading.Event, statuses: dict[AccountRef, AccountStatus], venue: Venue
) -> Threads:
    manager = MultiAccountBrokerManager(
        masters=[KRAKEN], followers=[Follower(account=ANN, name="Ann", rules=CopyRules())],
        build=venue.open, pauses=Pauses(0, 0, 0, 60), clock=clock,
        ids=SeededIds(1), stop=stop, holds_positions=lambda _account: False, on_connected=lambda _broker: None,
        on_failed=lambda _failure: None,
    )  # fmt: skip
    manager.connect_brokerage(KRAKEN)
    keeper = Threads(
        manager=manager, strategy=cast(TradingStrategy, None), times=CycleTimes(5.0, 0.0, 45.0),
        minimum_funded_usd=Decimal(10), multi_broker=True, clock=clock, ids=SeededIds(1), stop=stop,
        open_desk=lambda broker: cast(AccountDesk, DeskOf(broker)), has_duties=lambda _account: False,
        statuses=statuses, on_cycle=lambda _account, _result, _seconds: None,
    )  # fmt: skip
    keeper.lives = []
    return keeper


class DeskOf:
    """As much of a desk as a thread needs that never comes to work."""

    def __init__(self, broker: BaseBroker) -> None:
        self.broker = broker
        self.account = broker.account
        self.reconciler = None


def look_after(threads: Threads, clock: TestClock, *, times: int, seconds: float = 61.0) -> None:
    for _ in range(times):
        threads.step(KRAKEN)
        thread = threads.threads().get(ANN)
        if ANN in threads.dying and thread is not None and thread.ident is not None:
            thread.join(10)
        clock.seconds += seconds


def test_a_thread_that_dies_without_a_word_is_started_again_and_the_others_never_notice(
    threads: Threads, clock: TestClock
) -> None:
    threads.dying = frozenset({ANN})
    look_after(threads, clock, times=2, seconds=0.5)
    assert threads.lives.count("ann_kraken") == 1, "not before a pause"
    look_after(threads, clock, times=1, seconds=5)
    threads.dying = frozenset()
    look_after(threads, clock, times=2, seconds=5)
    assert threads.threads()[ANN].is_alive()
    assert threads.lives.count("kraken") == 1


def test_one_that_dies_at_every_start_is_given_up_by_name(
    threads: Threads, clock: TestClock, statuses: dict[AccountRef, AccountStatus]
) -> None:
    threads.dying = frozenset({ANN})
    look_after(threads, clock, times=14, seconds=20)
    assert threads.lives.count("ann_kraken") == 6, "once, and five times again"
    health = statuses[ANN].health
    assert health.state is HealthState.FAILED
    assert "too often; a person may look at it, it is tried again at 2026-01-01T00:1" in health.reason
    assert threads.threads()[MASTER].is_alive()
    assert statuses[MASTER].health.state is not HealthState.FAILED


def test_one_that_died_too_often_is_begun_anew_after_a_probe_and_on_a_clean_record(
    threads: Threads, clock: TestClock
) -> None:
    threads.dying = frozenset({ANN})
    look_after(threads, clock, times=14, seconds=20)
    threads.dying = frozenset()
    look_after(threads, clock, times=2, seconds=OPEN_SECONDS)
    assert threads.threads()[ANN].is_alive()
    assert threads.lives.count("ann_kraken") == 7


def test_a_probe_that_fails_leaves_the_account_alone_for_as_long_again(
    threads: Threads, clock: TestClock, statuses: dict[AccountRef, AccountStatus], venue: Venue
) -> None:
    threads.dying = frozenset({ANN})
    look_after(threads, clock, times=14, seconds=20)
    threads.dying, venue.balance_error = frozenset(), "Kraken is closed"
    opened = venue.opened
    look_after(threads, clock, times=20, seconds=OPEN_SECONDS / 10)
    assert venue.opened == opened + 1, "one probe, and nothing else"
    assert "it is tried again at" in statuses[ANN].health.reason
    venue.balance_error = None
    look_after(threads, clock, times=2, seconds=OPEN_SECONDS)
    assert threads.threads()[ANN].is_alive()


def test_a_thread_the_machine_does_not_give_is_asked_for_again_and_costs_nobody_else_theirs(
    threads: Threads,
    clock: TestClock,
    statuses: dict[AccountRef, AccountStatus],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name == "Trader-kraken":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    look_after(threads, clock, times=1)
    assert threads.threads()[ANN].is_alive()
    assert statuses[MASTER].health.state is HealthState.DEGRADED
    assert "can't start new thread" in statuses[MASTER].health.reason
    monkeypatch.undo()
    look_after(threads, clock, times=2)
    assert threads.threads()[MASTER].is_alive()
