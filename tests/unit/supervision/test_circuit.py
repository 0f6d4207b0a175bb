"""When a thread may be started again."""

import pytest

from bot.seams.ids import SeededIds
from bot.supervision.circuit import OPEN_SECONDS, Circuit, CircuitState
from tests.memory_broker import TestClock


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def circuit(clock: TestClock) -> Circuit:
    return Circuit(clock=clock, ids=SeededIds(1))


def restart(circuit: Circuit, clock: TestClock) -> bool:
    """Wait for the next restart; False when there is none any more."""
    for _ in range(200):
        if circuit.may_start():
            circuit.started()
            return True
        if circuit.state is not CircuitState.CLOSED:
            return False
        clock.seconds += 0.5
    raise AssertionError("neither started nor opened")


def opened(circuit: Circuit, clock: TestClock) -> Circuit:
    while restart(circuit, clock):
        pass
    return circuit


def test_a_thread_is_started_again_after_a_short_pause(circuit: Circuit, clock: TestClock) -> None:
    assert not circuit.may_start()
    clock.seconds = 1.2
    assert circuit.may_start()
    assert circuit.state is CircuitState.CLOSED


def test_the_sixth_restart_in_five_minutes_opens_it(circuit: Circuit, clock: TestClock) -> None:
    starts = sum(restart(circuit, clock) for _ in range(6))
    assert starts == 5
    assert clock.seconds < 300
    assert circuit.state is CircuitState.OPEN
    assert "too often" in circuit.why


def test_while_it_is_open_nothing_starts_and_then_one_probe_may(circuit: Circuit, clock: TestClock) -> None:
    opened(circuit, clock)
    clock.seconds += OPEN_SECONDS - 1
    assert (circuit.may_start(), circuit.state, circuit.seconds_until_probe()) == (False, CircuitState.OPEN, 1)
    clock.seconds += 1
    assert (circuit.may_start(), circuit.state) == (False, CircuitState.HALF_OPEN)


def test_a_probe_that_works_closes_it_on_a_clean_record(circuit: Circuit, clock: TestClock) -> None:
    opened(circuit, clock)
    clock.seconds += OPEN_SECONDS
    circuit.probed(works=True)
    assert circuit.state is CircuitState.CLOSED
    assert sum(restart(circuit, clock) for _ in range(6)) == 5


def test_a_probe_that_fails_opens_it_for_as_long_again(circuit: Circuit, clock: TestClock) -> None:
    opened(circuit, clock)
    clock.seconds += OPEN_SECONDS
    circuit.probed(works=False)
    assert (circuit.state, circuit.seconds_until_probe()) == (CircuitState.OPEN, OPEN_SECONDS)


def test_deaths_far_apart_never_open_it(circuit: Circuit, clock: TestClock) -> None:
    for _ in range(30):
        clock.seconds += 120
        assert restart(circuit, clock)


def test_it_can_be_opened_by_hand_with_a_reason(circuit: Circuit, clock: TestClock) -> None:
    circuit.open("a second thread of it hangs")
    assert (circuit.state, circuit.why) == (CircuitState.OPEN, "a second thread of it hangs")
    clock.seconds += OPEN_SECONDS
    assert circuit.state is CircuitState.HALF_OPEN
