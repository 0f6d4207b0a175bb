"""Progress of a thread, seen from outside."""

import threading

import pytest

from bot.domain.errors import Fenced
from bot.supervision.heart import SLACK_SECONDS, Heart, beat, during
from tests.memory_broker import TestClock


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


def test_each_beat_is_another_one_and_names_its_step_and_when_the_next_is_due(clock: TestClock) -> None:
    heart = Heart(clock, step_seconds=30)
    with heart.beating():
        beat("reading the balance")
        first = heart.last
        clock.seconds = 7
        beat("waiting", 150)
    assert (first.step, first.since, first.due_at) == ("reading the balance", 0, 30)
    assert (heart.last.step, heart.last.since, heart.last.due_at) == ("waiting", 7, 157)
    assert heart.last.number == first.number + 1


def test_a_step_inside_another_has_its_own_bound_and_the_outer_one_begins_anew_after_it(clock: TestClock) -> None:
    heart = Heart(clock, step_seconds=30)
    with heart.beating():
        beat("scanning")
        clock.seconds = 20
        with during("calling the venue", 5):
            inner = heart.last
            clock.seconds = 24
        outer = heart.last
    assert (inner.step, inner.due_at) == ("calling the venue", 25 + SLACK_SECONDS)
    assert (outer.step, outer.since, outer.due_at) == ("scanning", 24, 54)
    assert outer.number > inner.number


def test_a_step_that_fails_gives_the_outer_one_back_too(clock: TestClock) -> None:
    heart = Heart(clock)
    with heart.beating():
        beat("scanning")
        with pytest.raises(ValueError, match="a bug"), during("calling the venue", 5):
            raise ValueError("a bug")
    assert heart.last.step == "scanning"


def test_in_a_thread_that_nobody_watches_a_beat_is_nothing(clock: TestClock) -> None:
    heart = Heart(clock)
    before = heart.last
    beat("scanning")
    with during("calling the venue", 5):
        beat("parsing")
    assert heart.last == before


def test_every_thread_beats_its_own_heart(clock: TestClock) -> None:
    mine, other = Heart(clock), Heart(clock)

    def work() -> None:
        with other.beating():
            beat("theirs")

    with mine.beating():
        beat("mine")
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
    assert (mine.last.step, other.last.step) == ("mine", "theirs")


def test_who_was_given_up_ends_at_its_next_beat_and_leaving_a_step_is_none(clock: TestClock) -> None:
    heart = Heart(clock)
    with heart.beating(), during("calling the venue", 5):
        heart.bar("kraken was given up")
    with heart.beating():
        with pytest.raises(Fenced, match="given up"):
            beat("going on")
        with pytest.raises(Fenced, match="given up"), during("calling the venue again", 5):
            raise AssertionError("it came through")


def test_its_age_is_that_of_the_last_beat(clock: TestClock) -> None:
    heart = Heart(clock)
    clock.seconds = 12
    assert heart.age_seconds() == 12
    heart.beat("scanning")
    assert heart.age_seconds() == 0
