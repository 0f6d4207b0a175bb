"""Threads that open and watch over connections, when one account's call hangs in them: the others keep their turn."""

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
from bot.domain.balance import Holdings
from bot.execution.account_status import AccountStatus
from bot.independent_broker_trader import PASS_SECONDS, IndependentBrokerTrader, Supervision
from bot.multi_account_broker_manager import MultiAccountBrokerManager, Pauses
from bot.position_sizer import CopyRules
from bot.seams.clock import SystemClock
from bot.seams.ids import SeededIds
from bot.storage import migrations
from bot.storage.accounts import remember_account
from bot.storage.store import Store, sqlite_url
from bot.supervision.watchdog import Watchdog, WatchdogTimes
from bot.trading_strategy import TradingStrategy
from tests.exchange_process import wait_until
from tests.integration.test_faults_of_threads import DeskOf, Threads
from tests.memory_broker import MemoryBroker, TestClock

KRAKEN = BrokerType.KRAKEN
MASTER = AccountRef.master(KRAKEN)
USERS = [AccountRef.user(KRAKEN, name) for name in ("ann", "bob", "eve")]
ANN, BOB, EVE = USERS
PATIENCE = 60.0


class SlowBroker(MemoryBroker):
    """Its connection may hang until it is let go; its balance call may take long, on the clock of the test."""

    hanging: threading.Event | None = None
    balance_seconds = 0.0
    asked = 0

    def connect(self) -> bool:
        if self.hanging is not None:
            self.hanging.wait(120)
        return super().connect()

    def fetch_holdings(self) -> Holdings:
        self.asked += 1
        if self.balance_seconds:
            self.clock.seconds += self.balance_seconds
        return super().fetch_holdings()


class Living(Threads):
    """Bodies that make progress until the end."""

    def _live(self, account: AccountRef) -> None:
        self.lives.append(account.label)
        heart = self._workers[account].heart
        while account not in self.dying and not self._stop.wait(0.1):
            heart.beat("living")


class Bench:
    """A keeper of threads whose accounts' brokers are made by `brokers`; each may be prepared before it is opened."""

    def __init__(self, store: Store, clock: "TestClock | SystemClock", *, watched: bool) -> None:
        self.stop = threading.Event()
        self.opened: list[AccountRef] = []
        self.hang_once: dict[AccountRef, threading.Event] = {}
        self.poor: set[AccountRef] = set()
        self.brokers: dict[AccountRef, SlowBroker] = {}
        self.clock = clock
        self.fatal: list[str] = []
        self.watchdog = Watchdog(
            clock=clock,
            times=WatchdogTimes(suspect_after_seconds=0.5, quarantine_after_seconds=0.5),
            on_fatal=self.fatal.append,
        )
        self.manager = MultiAccountBrokerManager(
            masters=[KRAKEN],
            followers=[Follower(account=account, name=account.label, rules=CopyRules()) for account in USERS],
            build=self._build,
            pauses=Pauses(0, 0, 0, 60),
            clock=clock,
            ids=SeededIds(1),
            stop=self.stop,
            holds_positions=lambda _account: False,
            on_connected=lambda _broker: None,
            on_failed=lambda _failure: None,
        )
        self.trader: IndependentBrokerTrader = Living(
            manager=self.manager,
            strategy=cast(TradingStrategy, None),
            times=CycleTimes(5.0, 0.0, 45.0),
            minimum_funded_usd=Decimal(10),
            multi_broker=True,
            clock=clock,
            ids=SeededIds(1),
            stop=self.stop,
            open_desk=lambda broker: cast(AccountDesk, DeskOf(broker)),
            has_duties=lambda _account: False,
            statuses={
                account: AccountStatus(store=store, clock=clock, account=account, mode="paper")
                for account in (MASTER, *USERS)
            },
            on_cycle=lambda _account, _result, _seconds: None,
            supervision=Supervision(watchdog=self.watchdog, step_seconds=2.0) if watched else None,
        )
        cast(Threads, self.trader).lives = []

    def _build(self, account: AccountRef) -> BaseBroker:
        self.opened.append(account)
        broker = SlowBroker(account, cast(TestClock, self.clock), cash="0" if account in self.poor else "1000")
        broker.hanging = self.hang_once.pop(account, None)
        self.brokers[account] = broker
        return broker

    def trading(self, *accounts: AccountRef) -> bool:
        threads = self.trader.threads()
        return all(account in threads and threads[account].is_alive() for account in accounts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = sqlite_url(tmp_path / "nija.db")
    migrations.upgrade(url)
    opened = Store(url)
    opened.start()
    for account in (MASTER, *USERS):
        opened.write(partial(remember_account, ref=account, name=account.label, enabled=True, now=SystemClock().now()))
    yield opened
    opened.close()


@pytest.fixture
def live(store: Store) -> Iterator[Bench]:
    """On the real clock, with all its threads."""
    bench = Bench(store, SystemClock(), watched=True)
    yield bench
    for account in list(bench.hang_once):
        bench.hang_once.pop(account).set()
    bench.watchdog.stop()
    bench.trader.stop_independent_trading(20)


def test_a_connection_that_hangs_is_taken_up_by_another_thread_and_is_made_once(live: Bench) -> None:
    go = live.hang_once[ANN] = threading.Event()
    live.watchdog.start()
    live.trader.start_independent_trading()
    wait_until(lambda: live.trading(MASTER), seconds=PATIENCE, what="the master does not wait for it")
    wait_until(lambda: live.trading(MASTER, *USERS), seconds=PATIENCE, what="all trade, the one that hung too")
    first = live.brokers[ANN]
    opened = len(live.opened)
    (zombie,) = live.watchdog.zombies()
    assert zombie.name == "Connect-kraken"
    go.set()
    wait_until(lambda: not live.watchdog.zombies(), seconds=PATIENCE, what="the late one ends")
    assert live.manager.broker_of(ANN) is first, "what it opened is not taken"
    assert len(live.opened) == opened
    assert live.manager.failed_brokers == {}
    assert live.fatal == []


def test_a_pass_ends_after_its_time_and_who_had_to_wait_comes_first_in_the_next(store: Store) -> None:
    clock = TestClock()
    bench = Bench(store, clock, watched=False)
    bench.poor = set(USERS)
    bench.manager.connect_brokerage(KRAKEN)
    for broker in bench.brokers.values():
        broker.balance_seconds = PASS_SECONDS + 1
    asked = []
    for _ in range(4):
        before = {account: broker.asked for account, broker in bench.brokers.items()}
        bench.trader.step(KRAKEN)
        asked.append([account for account, broker in bench.brokers.items() if broker.asked > before[account]])
    assert all(len(accounts) == 1 for accounts in asked), "one slow account is enough for a pass"
    assert {accounts[0] for accounts in asked} == {MASTER, *USERS}
    bench.stop.set()


def test_a_thread_that_died_is_replaced_at_once_however_slow_the_unfunded_are(store: Store) -> None:
    clock = TestClock()
    bench = Bench(store, clock, watched=False)
    bench.poor = {ANN, BOB}
    threads = cast(Threads, bench.trader)
    bench.manager.connect_brokerage(KRAKEN)
    bench.trader.step(KRAKEN)
    threads.dying = frozenset({EVE})
    clock.seconds += 20
    bench.stop.set()
    wait_until(lambda: not bench.trading(EVE), seconds=PATIENCE, what="it dies")
    bench.stop.clear()
    threads.dying = frozenset()
    for account in (ANN, BOB):
        bench.brokers[account].balance_seconds = 100
    lives = threads.lives.count("eve_kraken")
    bench.trader.step(KRAKEN)
    bench.trader.step(KRAKEN)
    wait_until(lambda: threads.lives.count("eve_kraken") == lives + 1, seconds=PATIENCE, what="it lives again")
    bench.stop.set()
