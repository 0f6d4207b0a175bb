"""Restarts wait longer each time, end in giving up, and are forgotten after a healthy stretch."""

from pathlib import Path

import pytest

from bot.seams.ids import SeededIds
from bot.supervision.instance_lock import AlreadyRunning, InstanceLock
from bot.supervision.restarts import RestartPolicy
from tests.memory_broker import TestClock


def waits(policy: RestartPolicy, clock: TestClock, times: int) -> list[float | None]:
    seen: list[float | None] = []
    for _ in range(times):
        wait = policy.next_wait_seconds()
        seen.append(wait)
        if wait is None:
            break
        clock.seconds += wait
        assert policy.next_wait_seconds() == 0
        policy.restarted()
    return seen


def test_each_restart_waits_longer_and_the_sixth_is_refused() -> None:
    clock = TestClock()
    seen = waits(RestartPolicy(clock=clock, ids=SeededIds(1)), clock, 6)
    assert seen[-1] is None
    pauses = [wait for wait in seen if wait is not None]
    assert len(pauses) == 5
    assert all(0.8 * 2**n <= pause <= 1.2 * 2**n for n, pause in enumerate(pauses))


def test_a_healthy_stretch_forgives() -> None:
    clock = TestClock()
    policy = RestartPolicy(clock=clock, ids=SeededIds(1))
    waits(policy, clock, 6)
    clock.seconds += 601
    assert policy.next_wait_seconds() is not None


def test_a_second_process_cannot_take_the_state_directory(tmp_path: Path) -> None:
    first = InstanceLock(tmp_path)
    first.acquire()
    with pytest.raises(AlreadyRunning, match="already works in"):
        InstanceLock(tmp_path).acquire()
    first.release()
    second = InstanceLock(tmp_path)
    second.acquire()
    second.release()
