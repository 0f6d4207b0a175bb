"""When users wait for their master, since when, and how often that is said."""

import pytest

from bot.domain.account import AccountRef, BrokerType
from bot.domain.health import Phase
from bot.execution.account_status import AccountStatus
from bot.master_watch import MasterWatch
from bot.storage import accounts
from bot.storage.store import Store
from tests.memory_broker import TestClock

MASTER = AccountRef.master(BrokerType.KRAKEN)
ANNA = AccountRef.user(BrokerType.KRAKEN, "anna")
PERIOD_SECONDS = 100.0


class Bench:
    def __init__(self, store: Store) -> None:
        self.clock = TestClock()
        store.write(
            lambda connection: accounts.remember_account(
                connection, MASTER, name="master", enabled=True, now=self.clock.now()
            )
        )
        self.master = AccountStatus(store=store, clock=self.clock, account=MASTER, mode="paper")
        self.watch = MasterWatch(statuses={MASTER: self.master}, clock=self.clock, period_seconds=PERIOD_SECONDS)

    def after(self, seconds: float) -> str:
        self.clock.seconds += seconds
        return self.watch.waited_for(ANNA)

    def trades(self) -> None:
        self.master.move_to(Phase.READY)
        self.master.cycle_done()


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


def test_a_master_that_starts_is_given_two_cycles(bench: Bench) -> None:
    assert bench.after(2 * PERIOD_SECONDS) == ""
    assert bench.after(1).startswith("waiting for master since 2026-01-01 00:00:00 UTC: kraken is new: not connected")
    bench.trades()
    assert bench.after(0) == ""


@pytest.mark.parametrize("phase", [one for one in Phase if one.has_failed or one is Phase.QUARANTINING])
def test_a_master_that_failed_or_is_cut_off_is_waited_for_at_once(bench: Bench, phase: Phase) -> None:
    bench.trades()
    assert bench.after(50) == ""
    bench.master.set_phase(phase, "because")
    assert bench.after(5) == f"waiting for master since 2026-01-01 00:00:50 UTC: kraken is {phase}: because"


def test_the_time_is_that_of_the_first_trouble_whatever_follows_it(bench: Bench) -> None:
    bench.trades()
    bench.after(50)
    bench.master.set_phase(Phase.DEGRADED, "timed out")
    assert bench.after(2 * PERIOD_SECONDS) == "", "a reading that failed passes"
    bench.master.set_phase(Phase.FAILED_CIRCUIT, "failed too often")
    assert "since 2026-01-01 00:00:50 UTC" in bench.after(0)


def test_a_master_that_is_ready_and_ends_no_cycle_is_waited_for(bench: Bench) -> None:
    bench.trades()
    assert bench.after(2 * PERIOD_SECONDS) == ""
    assert "kraken has ended no cycle for 201 s" in bench.after(1)


def test_a_brokerage_without_a_master_says_so(bench: Bench) -> None:
    other = AccountRef.user(BrokerType.COINBASE, "anna")
    assert bench.watch.waited_for(other) == "waiting for a master: none is switched on at coinbase"


def test_it_is_said_once_when_it_begins_and_once_when_it_ends(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="bot.master_watch")
    bench.trades()
    bench.master.set_phase(Phase.FAILED_CREDENTIALS, "refused")
    for _ in range(3):
        bench.after(1)
    bench.master.move_to(Phase.READY)
    for _ in range(3):
        bench.after(1)
    said = [record.message for record in caplog.records if record.name == "bot.master_watch"]
    assert len(said) == 2
    assert said[0].startswith("anna_kraken: waiting for master since ")
    assert said[1] == "anna_kraken: its master trades again"
