"""When the bot ends nobody waits for a turn any longer, and an exit that is under way keeps its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from bot.brokers.base import Urgency
from bot.brokers.ending import SPARED, Ending
from bot.brokers.kraken.private_call_lock import PrivateCallLock
from bot.brokers.kraken.rates import TIERS, KrakenRates
from bot.brokers.rate_budget import RateBudget
from bot.brokers.shared_parts import shared_parts
from bot.brokers.venue_gate import VenueGate
from bot.domain.errors import VenueStopped
from bot.seams.clock import SystemClock
from bot.settings.model import Settings
from tests.exchange_process import wait_until
from tests.unit.brokers.clocks import TurnedClock

# Nobody waits so long in these tests, unless the end does not wake them.
LONG_SECONDS = 60.0
WITHIN_SECONDS = 20.0
BROKEN_OFF = [urgency for urgency in Urgency if urgency not in SPARED]
Turn = Callable[[Urgency], AbstractContextManager[object]]


def a_lock(ending: Ending) -> tuple[PrivateCallLock, Turn]:
    lock = PrivateCallLock(SystemClock(), hold_seconds=LONG_SECONDS, ending=ending)
    return lock, lambda urgency: lock.hold(key=urgency.name, urgency=urgency, timeout_seconds=LONG_SECONDS)


def a_full_budget(ending: Ending) -> tuple[RateBudget, Turn]:
    """Room for one call, and a minute until there is room for the next."""
    budget = RateBudget(SystemClock(), name="the key's calls", limit=1, decay_per_second=0.02, ending=ending)
    return budget, lambda urgency: budget.spend(1, urgency, within_seconds=LONG_SECONDS)


@pytest.mark.parametrize("place", [a_lock, a_full_budget])
def test_who_waits_for_a_turn_goes_home_when_the_bot_ends_and_an_exit_stays(
    place: Callable[[Ending], tuple[PrivateCallLock | RateBudget, Turn]],
) -> None:
    ending, taken = Ending(), []
    where, turn = place(ending)

    def wait(urgency: Urgency) -> None:
        with turn(urgency):
            taken.append(urgency)

    with ThreadPoolExecutor(len(Urgency)) as pool:
        with turn(Urgency.EXIT):
            waiters = {urgency: pool.submit(wait, urgency) for urgency in Urgency}
            wait_until(lambda: where.waiting == len(Urgency), what="all of them wait")
            ending.begin()
            for urgency in BROKEN_OFF:
                with pytest.raises(VenueStopped, match="not sent: the bot is stopping"):
                    waiters[urgency].result(WITHIN_SECONDS)
            assert where.waiting == len(SPARED)
        for urgency in SPARED:
            waiters[urgency].result(WITHIN_SECONDS)
    assert sorted(taken) == sorted(SPARED)


def test_an_exit_that_waits_on_does_so_without_turning_in_circles() -> None:
    ending, woken = Ending(), threading.Event()
    with ending.waking(woken, Urgency.EXIT):
        ending.begin()
        assert not woken.is_set()


@pytest.mark.parametrize("urgency", Urgency)
def test_after_the_end_has_begun_the_gate_lets_only_exits_and_cancels_through(urgency: Urgency) -> None:
    ending = Ending()
    gate = VenueGate(TurnedClock(), "kraken", ending=ending)
    ending.begin()
    passed = []
    try:
        with gate.visit("kraken:master", urgency), gate.passage("kraken:master", urgency):
            passed.append(urgency)
    except VenueStopped:
        pass
    assert bool(passed) is (urgency in SPARED)


def test_the_counters_of_one_kraken_key_end_with_the_bot() -> None:
    ending = Ending()
    rates = KrakenRates(TurnedClock(), name="kraken:master", tier=TIERS["starter"], ending=ending)
    ending.begin()
    with rates.calls.spend(15, Urgency.EXIT, within_seconds=0) as spending:
        spending.leaving()
    with (
        pytest.raises(VenueStopped),
        rates.call("Balance", Urgency.POLL, within_seconds=LONG_SECONDS),
    ):
        pass


def test_one_end_is_shared_by_all_that_a_process_waits_for() -> None:
    shared = shared_parts(Settings(), TurnedClock())
    try:
        shared.ending.begin()
        for gate in shared.gates.values():
            with pytest.raises(VenueStopped), gate.visit("an account", Urgency.POLL):
                pass
    finally:
        shared.close()
