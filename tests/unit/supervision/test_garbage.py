"""Looking for garbage, which stops every thread, waits until nobody trades; but not for ever."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from bot.supervision.garbage import (
    BUSY_SECONDS,
    FIRST_SECONDS,
    IDLE_SECONDS,
    QUIET_SECONDS,
    SECOND_SECONDS,
    WHOLE_SECONDS,
    Garbage,
)

SECOND_LOOK = FIRST_SECONDS + SECOND_SECONDS


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    before = gc.get_threshold()
    garbage = Garbage()
    garbage.start(0.0)
    yield garbage
    gc.set_threshold(*before)
    gc.unfreeze()


class Knot:
    """Nothing but the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_it_looks_soon_after_the_start_and_then_now_and_then(garbage: Garbage) -> None:
    assert not garbage.tidy(FIRST_SECONDS - 1)
    assert garbage.tidy(FIRST_SECONDS)
    assert not garbage.tidy(SECOND_LOOK - 1)
    assert garbage.tidy(SECOND_LOOK)
    assert not garbage.tidy(SECOND_LOOK + IDLE_SECONDS - 1)
    assert garbage.tidy(SECOND_LOOK + IDLE_SECONDS)


def test_it_waits_until_nobody_has_traded_for_a_while(garbage: Garbage) -> None:
    garbage.worked()
    assert not garbage.tidy(FIRST_SECONDS)
    garbage.worked()
    assert not garbage.tidy(FIRST_SECONDS + QUIET_SECONDS)
    assert not garbage.tidy(FIRST_SECONDS + 2 * QUIET_SECONDS - 1)
    assert garbage.tidy(FIRST_SECONDS + 2 * QUIET_SECONDS)


def test_under_steady_trade_it_looks_all_the_same_though_seldom(garbage: Garbage) -> None:
    looked = []
    for second in range(0, int(3 * BUSY_SECONDS), 2):
        garbage.worked()
        if garbage.tidy(float(second)):
            looked.append(second)
    assert looked == [IDLE_SECONDS, IDLE_SECONDS + BUSY_SECONDS, IDLE_SECONDS + 2 * BUSY_SECONDS]


def test_the_interpreter_never_looks_through_everything_by_itself(garbage: Garbage) -> None:
    before = gc.get_stats()[2]["collections"]
    kept = [Knot() for _ in range(400_000)]
    assert gc.get_stats()[2]["collections"] == before
    assert len(kept) == 400_000


def test_what_became_garbage_after_a_look_is_freed_by_the_next(garbage: Garbage) -> None:
    garbage.tidy(FIRST_SECONDS)
    gone = weakref.ref(Knot())
    garbage.tidy(SECOND_LOOK)
    assert gone() is None


def test_what_was_set_aside_and_became_garbage_is_freed_once_a_day(garbage: Garbage) -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    garbage.tidy(FIRST_SECONDS)
    del knot
    garbage.tidy(SECOND_LOOK)
    assert gone() is not None
    garbage.tidy(WHOLE_SECONDS)
    assert gone() is None
