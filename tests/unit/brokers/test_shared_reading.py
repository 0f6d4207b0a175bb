"""What all accounts of a brokerage need is read once, and an old copy is better than none."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.brokers.shared_reading import SharedReading
from bot.domain.errors import RetryLater, UnreadableReply
from bot.seams.clock import SystemClock
from tests.unit.brokers.clocks import TurnedClock

DAY = 86_400.0


def test_concurrent_askers_share_one_reading() -> None:
    shared: SharedReading[object] = SharedReading(SystemClock())
    reads: list[object] = []
    go = threading.Event()

    def read() -> object:
        go.wait(5)
        reads.append(object())
        return reads[-1]

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(shared.get, "venue", read) for _ in range(8)]
        go.set()
        values = {future.result(5) for future in futures}
    assert len(reads) == 1 and len(values) == 1


def test_it_is_read_again_after_a_day_and_kept_apart_by_venue() -> None:
    clock = TurnedClock()
    shared: SharedReading[int] = SharedReading(clock)
    counter = iter(range(10))
    assert [shared.get("a", lambda: next(counter)) for _ in range(3)] == [0, 0, 0]
    assert shared.get("b", lambda: next(counter)) == 1
    clock.advance(DAY + 1)
    assert shared.get("a", lambda: next(counter)) == 2


def test_a_failed_new_reading_leaves_the_old_one_in_use_but_not_for_ever() -> None:
    clock = TurnedClock()
    shared: SharedReading[str] = SharedReading(clock)
    attempts = []

    def fail() -> str:
        attempts.append(1)
        raise UnreadableReply("html")

    assert shared.get("a", lambda: "old") == "old"
    clock.advance(DAY + 1)
    assert shared.get("a", fail) == "old"
    assert shared.get("a", fail) == "old"
    assert len(attempts) == 1, "not asked again at once"
    clock.advance(7 * DAY)
    with pytest.raises(UnreadableReply):
        shared.get("a", fail)


def test_a_first_reading_that_fails_is_a_failure_and_the_next_asker_tries_again() -> None:
    shared: SharedReading[str] = SharedReading(TurnedClock())

    def fail() -> str:
        raise RetryLater("away")

    with pytest.raises(RetryLater):
        shared.get("a", fail)
    assert shared.get("a", lambda: "new") == "new"


def test_nobody_waits_for_ever_for_another_accounts_reading() -> None:
    shared: SharedReading[str] = SharedReading(SystemClock(), wait_seconds=0.05)
    started, release = threading.Event(), threading.Event()

    def hang() -> str:
        started.set()
        release.wait(5)
        return "late"

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(shared.get, "a", hang)
        assert started.wait(5)
        with pytest.raises(RetryLater):
            shared.get("a", lambda: "mine")
        release.set()
        assert slow.result(5) == "late"


def test_a_value_that_turned_out_wrong_is_read_again_at_most_once_a_minute() -> None:
    clock = TurnedClock()
    shared: SharedReading[int] = SharedReading(clock)
    counter = iter(range(10))

    def read() -> int:
        return next(counter)

    assert shared.known("a") is None
    assert shared.get("a", read) == 0
    for _ in range(3):
        shared.renew("a", read)
    assert shared.known("a") == 0, "it was read less than a minute ago"
    clock.advance(60)
    assert shared.get("a", read) == 1, "the doubt is not forgotten"
    clock.advance(3600)
    for _ in range(3):
        shared.renew("a", read)
    assert shared.known("a") == shared.get("a", read) == 2


def test_a_wrong_value_that_cannot_be_read_anew_is_better_than_none_and_tried_again_a_minute_later() -> None:
    clock = TurnedClock()
    shared: SharedReading[str] = SharedReading(clock)
    attempts = []

    def fail() -> str:
        attempts.append(1)
        raise UnreadableReply("html")

    shared.get("a", lambda: "old")
    clock.advance(3600)
    for _ in range(3):
        shared.renew("a", fail)
    assert (shared.get("a", fail), len(attempts)) == ("old", 1)
    clock.advance(60)
    assert shared.get("a", lambda: "new") == "new"
