"""The registry of brokers: who is connected in which order, and what becomes of a failure. No threads, no sleeping."""

import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import cast

import pytest

from bot.account_desk import AccountDesk
from bot.account_worker import CycleTimes
from bot.brokers.base import BaseBroker
from bot.brokers.refused_key import REFUSED_KEY_PAUSE_SECONDS
from bot.copy_trade_engine import Follower
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceStatus
from bot.domain.errors import ConfigurationError, CredentialsRejected, NotConfigured, RetryLater, UnreadableReply
from bot.domain.health import HealthState, Phase
from bot.domain.leaving import WhenDisabled
from bot.execution.account_status import AccountStatus
from bot.independent_broker_trader import IndependentBrokerTrader
from bot.multi_account_broker_manager import (
    LONGEST_RETRY_SECONDS,
    FailedConnection,
    MultiAccountBrokerManager,
    Pauses,
)
from bot.position_sizer import CopyRules
from bot.seams.ids import SeededIds
from bot.storage.accounts import remember_account
from bot.storage.store import Store
from bot.trading_strategy import TradingStrategy
from tests.memory_broker import BTC, MemoryBroker, TestClock

KRAKEN = BrokerType.KRAKEN
MASTER = AccountRef.master(KRAKEN)
NO_PAUSES = Pauses(0, 0, 0, 60)


def user(name: str) -> AccountRef:
    return AccountRef.user(KRAKEN, name)


class Bench:
    """`errors` says what building or connecting an account raises."""

    def __init__(self, *users: str, pauses: Pauses = NO_PAUSES, leaving: str = "") -> None:
        self.clock, self.stop = TestClock(), threading.Event()
        self.errors: dict[AccountRef, Exception] = {}
        self.tried: list[tuple[str, float]] = []
        self.closed: list[str] = []
        self.failures: list[FailedConnection] = []
        self.connected: list[str] = []
        self.holders: set[AccountRef] = set()
        self.manager = MultiAccountBrokerManager(
            masters=[KRAKEN],
            followers=[
                Follower(
                    account=user(name),
                    name=name.title(),
                    rules=CopyRules(),
                    leaving=WhenDisabled.CLOSE_ONLY if name == leaving else None,
                )
                for name in users
            ],
            build=self.build,
            pauses=pauses,
            clock=self.clock,
            ids=SeededIds(1),
            stop=self.stop,
            holds_positions=lambda account: account in self.holders,
            on_connected=lambda broker: self.connected.append(broker.account.label),
            on_failed=self.failures.append,
        )

    def build(self, account: AccountRef) -> BaseBroker:
        self.tried.append((account.label, self.clock.seconds))
        error = self.errors.get(account)
        if isinstance(error, ConfigurationError):
            raise error
        return FailingBroker(account, self.clock, error, self.closed.append)

    def labels_tried(self) -> list[str]:
        return [label for label, _ in self.tried]


class FailingBroker(MemoryBroker):
    """Connects unless it was given an error."""

    def __init__(
        self, account: AccountRef, clock: TestClock, error: Exception | None, on_close: Callable[[str], None]
    ) -> None:
        super().__init__(account, clock)
        self._error = error
        self._on_close = on_close

    def connect(self) -> bool:
        if self._error is not None:
            raise self._error
        return super().connect()

    def close(self) -> None:
        self._on_close(self.account.label)


def test_the_master_is_first_then_holders_of_positions_then_the_others_then_copying_is_armed() -> None:
    bench = Bench("anna", "ben", "cleo")
    bench.holders.add(user("cleo"))
    assert not bench.manager.copying_armed(KRAKEN)
    bench.manager.connect_brokerage(KRAKEN)
    assert bench.labels_tried() == ["kraken", "cleo_kraken", "anna_kraken", "ben_kraken"]
    assert bench.manager.copying_armed(KRAKEN)
    assert not bench.manager.copying_armed(BrokerType.COINBASE)
    assert next(broker.account for broker in bench.manager.connected()) == MASTER
    assert set(bench.manager.master_brokers) == {KRAKEN}
    assert set(bench.manager.user_brokers) == {"anna", "ben", "cleo"}


@pytest.mark.parametrize(
    "error",
    [
        RetryLater("busy"),
        UnreadableReply("HTML"),
        CredentialsRejected("EAPI:Invalid key"),
        ConfigurationError("KRAKEN_USER_ANNA_API_SECRET is missing"),
        ZeroDivisionError("a bug"),
        OSError(28, "No space left on device"),
    ],
)
@pytest.mark.parametrize("account", [MASTER, user("anna")])
def test_whatever_one_account_suffers_the_others_connect_and_copying_is_armed(
    account: AccountRef, error: Exception
) -> None:
    bench = Bench("anna", "ben")
    bench.errors[account] = error
    bench.manager.connect_brokerage(KRAKEN)
    assert set(bench.connected) == {"kraken", "anna_kraken", "ben_kraken"} - {account.label}
    assert bench.manager.copying_armed(KRAKEN)
    failed = bench.manager.failed_brokers[account.label]
    assert str(error) in failed.reason
    assert bench.manager.broker_of(account) is None
    assert f"not connected: {failed.reason}" == bench.manager.not_ready_reason(account)
    reading = bench.manager.balance_of(account)
    assert (reading.status, reading.holdings) == (BalanceStatus.UNKNOWN, None)
    assert bench.closed == ([] if isinstance(error, ConfigurationError) else [account.label])


def test_a_failure_is_tried_again_later_each_time_up_to_a_minute_and_keeps_since_when() -> None:
    bench = Bench("anna")
    bench.errors[user("anna")] = RetryLater("busy")
    bench.manager.connect_brokerage(KRAKEN)
    began = bench.manager.failed_brokers["anna_kraken"].since
    pauses = []
    for attempt in range(2, 10):
        due = bench.manager.failed_brokers["anna_kraken"].next_try_monotonic
        assert due is not None
        pauses.append(due - bench.clock.seconds)
        bench.clock.seconds = due - 0.001
        bench.manager.retry_failed(KRAKEN)
        assert bench.manager.failed_brokers["anna_kraken"].attempts == attempt - 1
        bench.clock.seconds = due
        bench.manager.retry_failed(KRAKEN)
        assert bench.manager.failed_brokers["anna_kraken"].attempts == attempt
    for number, pause in enumerate(pauses):
        base = min(LONGEST_RETRY_SECONDS, 2.0 * 2**number)
        assert 0.8 * base <= pause <= 1.2 * base
    assert bench.manager.failed_brokers["anna_kraken"].since == began


def test_an_account_that_connects_at_last_is_registered_and_its_failure_forgotten() -> None:
    bench = Bench("anna")
    bench.errors[user("anna")] = RetryLater("busy")
    bench.manager.connect_brokerage(KRAKEN)
    del bench.errors[user("anna")]
    bench.clock.seconds += 5
    bench.manager.retry_failed(KRAKEN)
    assert bench.manager.failed_brokers == {}
    assert bench.manager.not_ready_reason(user("anna")) == ""
    assert bench.connected == ["kraken", "anna_kraken"]
    bench.manager.retry_failed(KRAKEN)
    assert bench.labels_tried().count("anna_kraken") == 2


def test_a_refused_key_is_left_alone_for_long_and_a_missing_one_for_good() -> None:
    bench = Bench("anna", "ben")
    bench.errors[user("anna")] = CredentialsRejected("EAPI:Invalid key")
    bench.errors[user("ben")] = ConfigurationError("no key")
    bench.manager.connect_brokerage(KRAKEN)
    bench.clock.seconds += REFUSED_KEY_PAUSE_SECONDS - 1
    bench.manager.retry_failed(KRAKEN)
    assert len(bench.tried) == 3
    bench.clock.seconds += 1
    bench.manager.retry_failed(KRAKEN)
    assert bench.labels_tried()[3:] == ["anna_kraken"]
    assert bench.manager.failed_brokers["ben_kraken"].next_try_monotonic is None


def test_the_rules_of_a_market_are_those_that_were_read_last(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench("anna")
    assert bench.manager.instrument_of(KRAKEN, "BTC/USD") is None
    bench.manager.connect_brokerage(KRAKEN)
    assert bench.manager.instrument_of(KRAKEN, "BTC/USD") == BTC
    changed = replace(BTC, lot_step=Decimal("0.0001"))
    monkeypatch.setattr(MemoryBroker, "known_trading_pairs", lambda _broker: {"BTC/USD": changed})
    assert bench.manager.instrument_of(KRAKEN, "BTC/USD") == changed


def test_retries_of_one_brokerage_leave_another_alone() -> None:
    bench = Bench("anna")
    bench.errors[user("anna")] = RetryLater("busy")
    bench.manager.connect_brokerage(KRAKEN)
    bench.clock.seconds += 60
    bench.manager.retry_failed(BrokerType.COINBASE)
    assert bench.labels_tried().count("anna_kraken") == 1


def test_users_are_staggered_after_the_master_as_live_mode_asks() -> None:
    bench = Bench("anna", "ben", "cleo", pauses=Pauses(5, 5, 5, 60))
    bench.manager.connect_brokerage(KRAKEN)
    assert [moment for _, moment in bench.tried] == [0, 5, 10, 15]


def test_many_users_share_one_minute_of_staggering() -> None:
    names = [f"u{number}" for number in range(101)]
    bench = Bench(*names, pauses=Pauses(5, 5, 5, 60))
    bench.manager.connect_brokerage(KRAKEN)
    assert bench.tried[-1][1] == pytest.approx(65)


def test_a_master_without_users_waits_for_nobody() -> None:
    bench = Bench(pauses=Pauses(5, 5, 5, 60))
    bench.manager.connect_brokerage(KRAKEN)
    assert bench.clock.seconds == 0


def test_a_stop_ends_the_connecting_and_arms_nothing() -> None:
    bench = Bench("anna", "ben")
    bench.stop.set()
    bench.manager.connect_brokerage(KRAKEN)
    assert bench.labels_tried() == ["kraken"]
    assert not bench.manager.copying_armed(KRAKEN)


# -- looking after connected accounts ---------------------------------------------------------------------------------
def test_an_account_without_any_key_is_left_out_without_a_retry_and_without_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench("anna", "ben")
    bench.errors[user("anna")] = NotConfigured("not configured: set KRAKEN_USER_ANNA_API_KEY")
    bench.errors[user("ben")] = ConfigurationError("KRAKEN_USER_BEN_API_SECRET is missing")
    bench.manager.connect_brokerage(KRAKEN)
    anna, ben = bench.failures
    assert (anna.phase, anna.phase.health, anna.next_try_monotonic) == (Phase.STOPPED, HealthState.STOPPED, None)
    assert ben.phase is Phase.FAILED_CONFIG
    assert "anna" not in "".join(one.message for one in caplog.records if one.levelname == "WARNING")
    assert bench.manager.not_ready_reason(user("anna")) == (
        "not connected: not configured: set KRAKEN_USER_ANNA_API_KEY"
    )


def trader_over(
    bench: Bench,
    store: Store,
    *,
    troubled: str,
    on_left: Callable[[AccountRef], None] = lambda _account: None,
    at_par: AbstractSet[str] = frozenset({"USD"}),
) -> tuple[IndependentBrokerTrader, list[AccountStatus]]:
    """A thread keeper whose look at one account raises; nobody else has duties, and cash decides. No thread starts."""
    accounts = [MASTER, user("anna"), user("ben")]
    for account in accounts:
        store.write(partial(remember_account, ref=account, name=account.label, enabled=True, now=bench.clock.now()))
    statuses = {
        account: AccountStatus(store=store, clock=bench.clock, account=account, mode="paper") for account in accounts
    }

    def has_duties(account: AccountRef) -> bool:
        if account.label == troubled:
            raise ZeroDivisionError("a bug")
        return False

    def no_desk(_broker: BaseBroker) -> AccountDesk:
        raise AssertionError("nobody here is funded")

    trader = IndependentBrokerTrader(
        manager=bench.manager,
        strategy=cast(TradingStrategy, None),
        times=CycleTimes(5.0, 0.0, 45.0),
        minimum_funded_usd=Decimal(20_000),
        at_par=at_par,
        multi_broker=True,
        clock=bench.clock,
        ids=SeededIds(1),
        stop=bench.stop,
        open_desk=no_desk,
        has_duties=has_duties,
        statuses=statuses,
        on_cycle=lambda _account, _result, _seconds: None,
        on_left=on_left,
    )
    return trader, list(statuses.values())


def test_a_surprise_while_one_account_is_looked_after_costs_those_behind_it_nothing(store: Store) -> None:
    bench = Bench("anna", "ben")
    bench.manager.connect_brokerage(KRAKEN)
    trader, (master, anna, ben) = trader_over(bench, store, troubled="kraken")
    trader.step(KRAKEN)
    assert (master.health.state, master.health.reason) == (HealthState.DEGRADED, "ZeroDivisionError: a bug")
    for status in (anna, ben):
        assert status.health.state is HealthState.STARTING
        assert status.health.reason == "not funded: 1000.00 is below 20000 USD"
    assert trader.threads() == {}


def test_a_user_who_left_and_is_done_is_disconnected_and_gets_no_thread(store: Store) -> None:
    bench = Bench("anna", "ben", leaving="anna")
    bench.manager.connect_brokerage(KRAKEN)
    assert bench.manager.is_leaving(user("anna")) and not bench.manager.is_leaving(user("ben"))
    left: list[AccountRef] = []
    trader, _ = trader_over(bench, store, troubled="", on_left=left.append)
    trader.step(KRAKEN)
    trader.step(KRAKEN)
    assert left == [user("anna")]
    assert bench.closed == ["anna_kraken"]
    assert [each.account for each in bench.manager.followers_of(KRAKEN)] == [user("ben")]
    assert bench.manager.broker_of(user("anna")) is None


def test_an_account_whose_balance_cannot_be_read_gets_no_thread_and_is_degraded(store: Store) -> None:
    bench = Bench("anna", "ben")
    bench.manager.connect_brokerage(KRAKEN)
    broker = bench.manager.user_brokers["anna"][KRAKEN]
    assert isinstance(broker, MemoryBroker)
    broker.balance_error = "NaN is not a number"
    trader, (_, anna, ben) = trader_over(bench, store, troubled="")
    trader.step(KRAKEN)
    assert (anna.health.state, anna.health.reason) == (HealthState.DEGRADED, "balance unknown: NaN is not a number")
    assert ben.health.state is HealthState.STARTING
    broker.balance_error = None
    bench.clock.seconds += 5
    trader.step(KRAKEN)
    assert anna.health.reason.startswith("not funded")
