"""The phases of an account: which may follow which, and that nobody enters without having become ready first."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import AssetBalance, BalanceReading, BalanceStatus, Holdings
from bot.domain.health import FAILED, HealthState, Phase, may_follow, way
from bot.execution.account_status import AccountStatus
from bot.storage import accounts
from bot.storage.schema import health_transition
from bot.storage.store import Store
from tests.memory_broker import START, TestClock

ANNA = AccountRef.user(BrokerType.KRAKEN, "anna")
CLOSED = FAILED | {Phase.NEW, Phase.STARTING, Phase.RECOVERING, Phase.QUARANTINING, Phase.BACKOFF}


def opened(store: Store, clock: TestClock | None = None) -> AccountStatus:
    clock = clock or TestClock()
    store.write(
        lambda connection: accounts.remember_account(connection, ANNA, name="Anna", enabled=True, now=clock.now())
    )
    return AccountStatus(store=store, clock=clock, account=ANNA, mode="paper")


def rows(store: Store) -> list[tuple[str, str]]:
    with store.read() as connection:
        found = connection.execute(
            select(health_transition.c.old_phase, health_transition.c.new_phase).order_by(health_transition.c.id)
        )
        return [(row.old_phase, row.new_phase) for row in found]


def reading(seconds: float, *, errors: int = 0) -> BalanceReading:
    cash = AssetBalance(available=Decimal(100), held=Decimal(0))
    holdings = Holdings({"USD": cash}, START + timedelta(seconds=seconds))
    status = BalanceStatus.STALE if errors else BalanceStatus.FRESH
    return BalanceReading(status, holdings, 0.0, errors, "timed out" if errors else "")


@pytest.fixture
def status(store: Store) -> AccountStatus:
    return opened(store)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_health_word_and_only_ready_is_healthy(phase: Phase) -> None:
    assert (phase.health is HealthState.HEALTHY) == (phase is Phase.READY)


@pytest.mark.parametrize("phase", [one for one in Phase if one not in (Phase.RECOVERING, Phase.DEGRADED)])
def test_ready_follows_only_recovering_or_degraded(phase: Phase) -> None:
    assert not may_follow(phase, Phase.READY)


@pytest.mark.parametrize("old", Phase)
@pytest.mark.parametrize("new", Phase)
def test_every_way_is_made_of_legal_steps_and_passes_through_no_failure(old: Phase, new: Phase) -> None:
    steps = way(old, new)
    assert all(may_follow(one, other) for one, other in zip([old, *steps], steps, strict=False))
    assert not FAILED & set(steps[:-1])
    assert Phase.READY not in steps[:-1]
    if steps:
        assert steps[-1] is new


words = st.one_of(
    st.tuples(st.just("phase"), st.sampled_from(Phase)),
    st.tuples(st.just("move"), st.sampled_from(Phase)),
    st.tuples(st.just("health"), st.sampled_from(HealthState)),
    st.tuples(st.just("balance"), st.integers(0, 4)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(words, max_size=25))
def test_whatever_is_told_in_whatever_order_entries_are_open_only_in_ready_reached_by_recovering_or_degraded(
    fresh_store: Callable[[], Store], told: list[tuple[str, object]]
) -> None:
    store = fresh_store()
    status = opened(store)
    for moment, (how, what) in enumerate(told):
        if isinstance(what, HealthState):
            status.set_health(what, "because")
        elif isinstance(what, Phase):
            (status.move_to if how == "move" else status.set_phase)(what)
        elif isinstance(what, int):
            status.balance(reading(moment, errors=what))
        assert (status.may_enter() == "") == (status.health.phase is Phase.READY)
        assert (status.health.not_ready_since is None) == (status.health.phase is Phase.READY)
    trail = rows(store)
    phase = Phase.NEW
    for old, new in trail:
        assert old == phase, "every change is a row, in order"
        phase = Phase(new)
        assert may_follow(Phase(old), phase)
        if phase is Phase.READY:
            assert Phase(old) not in CLOSED or Phase(old) is Phase.RECOVERING
    assert phase is status.health.phase


def test_a_step_that_may_not_follow_is_logged_and_changes_nothing(
    status: AccountStatus, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    assert not status.set_phase(Phase.READY)
    assert status.health.phase is Phase.NEW
    assert "anna_kraken stays new: ready may not follow it" in caplog.text
    assert rows(store) == []


def test_an_account_that_lacks_something_is_degraded_in_place_of_ready_and_says_what(status: AccountStatus) -> None:
    missing = ["the venue's time is not known"]
    status.needs(lambda: missing[0])
    status.set_health(HealthState.HEALTHY)
    assert (status.health.phase, status.may_enter()) == (Phase.DEGRADED, "degraded: the venue's time is not known")
    missing[0] = ""
    status.set_health(HealthState.HEALTHY)
    assert status.may_enter() == ""
    missing[0] = "the balance is stale"
    assert status.may_enter() == "the balance is stale", "between two cycles too"


def test_after_three_failed_readings_two_good_ones_are_needed_before_entries(status: AccountStatus) -> None:
    status.set_health(HealthState.HEALTHY)
    for errors in (1, 2):
        status.balance(reading(0, errors=errors))
        assert status.may_enter() == "", "what a single failure means is for the needs to say"
    status.balance(reading(0, errors=3))
    assert status.health.phase is Phase.DEGRADED
    status.balance(reading(1))
    assert status.may_enter() != "", "a reading alone is no judgement"
    status.set_health(HealthState.HEALTHY)
    assert "one more good reading is awaited" in status.may_enter()
    status.balance(reading(1))
    assert status.may_enter() != "", "the same reading is not another one"
    status.balance(reading(2))
    assert status.may_enter() == ""


def test_a_failure_between_the_two_successes_begins_the_count_anew(status: AccountStatus) -> None:
    status.set_health(HealthState.HEALTHY)
    status.balance(reading(0, errors=3))
    status.set_health(HealthState.HEALTHY)
    status.balance(reading(0, errors=1))
    status.set_health(HealthState.HEALTHY)
    assert status.may_enter() != ""
    status.set_health(HealthState.HEALTHY)
    assert status.may_enter() == ""


def test_one_failed_reading_costs_no_second_success(status: AccountStatus) -> None:
    status.set_health(HealthState.HEALTHY)
    status.set_health(HealthState.DEGRADED, "timed out", error=True)
    status.set_health(HealthState.HEALTHY)
    assert status.may_enter() == ""


def test_a_late_word_of_a_thread_that_was_cut_off_is_not_heard(status: AccountStatus) -> None:
    status.set_health(HealthState.HEALTHY)
    status.set_phase(Phase.QUARANTINING, "hung while placing an order")
    status.set_health(HealthState.HEALTHY)
    status.set_health(HealthState.DEGRADED, "its reading failed")
    assert status.health.phase is Phase.QUARANTINING
    assert status.set_phase(Phase.RECOVERING, "a new thread")


@pytest.mark.parametrize("state", [HealthState.HEALTHY, HealthState.FAILED, HealthState.STARTING])
def test_a_stopped_account_stays_stopped_until_it_is_taken_up_anew(status: AccountStatus, state: HealthState) -> None:
    status.set_health(HealthState.STOPPED, "asked to stop")
    status.set_health(state, "too late")
    assert (status.health.phase, status.health.reason) == (Phase.STOPPED, "asked to stop")
    status.move_to(Phase.RECOVERING)
    assert status.health.phase is Phase.RECOVERING


def test_a_change_of_health_is_logged_in_its_words_and_a_change_of_phase_alone_in_its_own(
    status: AccountStatus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    status.set_phase(Phase.STARTING, "connecting")
    assert "anna_kraken phase: starting (connecting), was new" in caplog.text
    status.set_health(HealthState.HEALTHY)
    assert "anna_kraken health: healthy, was starting" in caplog.text
    status.set_health(HealthState.DEGRADED, "no balance")
    assert "anna_kraken health: degraded (no balance), was healthy" in caplog.text


def test_asking_whether_to_enter_waits_for_nobody(status: AccountStatus, store: Store) -> None:
    """The store's thread asks in the transaction of an entry, while the account's thread waits for that very store."""
    status.set_health(HealthState.HEALTHY)
    answers: list[str] = []

    def work(_connection: object) -> None:
        answers.append(status.may_enter())

    def read_balances() -> None:
        for second in range(50):
            status.balance(reading(second))

    writer = threading.Thread(target=read_balances)
    writer.start()
    for _ in range(50):
        store.write(work)
    writer.join(30)
    assert not writer.is_alive()
    assert answers == [""] * 50
