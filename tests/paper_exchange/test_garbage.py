"""Looking for garbage waits until nobody calls, but not for ever."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from paper_exchange.garbage import BUSY_SECONDS, IDLE_SECONDS, Garbage


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    before = gc.get_threshold()
    garbage = Garbage()
    garbage.start(0.0)
    yield garbage
    gc.set_threshold(*before)
    gc.unfreeze()


def test_it_looks_once_a_minute_while_nobody_calls(garbage: Garbage) -> None:
    assert not garbage.tidy(IDLE_SECONDS - 1, calls=0)
    assert garbage.tidy(IDLE_SECONDS + 1, calls=0)
    assert not garbage.tidy(IDLE_SECONDS + 2, calls=0)


def test_it_waits_while_calls_come_in(garbage: Garbage) -> None:
    assert not garbage.tidy(IDLE_SECONDS + 1, calls=5)
    assert not garbage.tidy(IDLE_SECONDS + 2, calls=6)
    assert garbage.tidy(IDLE_SECONDS + 3, calls=6)


def test_it_does_not_wait_for_ever(garbage: Garbage) -> None:
    assert not garbage.tidy(BUSY_SECONDS - 1, calls=5)
    assert garbage.tidy(BUSY_SECONDS + 1, calls=6)


def test_garbage_that_refers_to_itself_is_found(garbage: Garbage) -> None:
    class Ring:
        pass

    ring = Ring()
    ring.itself = ring  # type: ignore[attr-defined]
    del ring
    assert garbage.tidy(IDLE_SECONDS + 1, calls=0)
    assert not [one for one in gc.get_objects() if type(one).__name__ == "Ring"]
