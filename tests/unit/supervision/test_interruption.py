"""Stopping a Python loop from outside, and looking at where a thread stands."""

import threading

from bot.domain.errors import Fenced
from bot.supervision.interruption import interrupt
from bot.supervision.stacks import stack_of
from tests.exchange_process import wait_until


def started(work: "threading.Thread") -> threading.Thread:
    work.start()
    return work


def test_an_endless_loop_ends_by_it() -> None:
    ended: list[type[BaseException]] = []
    running = threading.Event()

    def loop() -> None:
        try:
            while True:
                running.set()
        except Fenced as error:
            ended.append(type(error))

    thread = started(threading.Thread(target=loop, daemon=True))
    assert running.wait(20)
    # Not while it is inside `Event.set`, which holds a lock.
    wait_until(lambda: interrupt(thread), seconds=20, what="a moment outside of any locking")
    thread.join(20)
    assert ended == [Fenced]


def test_a_thread_that_waits_for_a_lock_of_the_library_is_left_alone() -> None:
    go = threading.Event()
    thread = started(threading.Thread(target=go.wait, args=(60,), daemon=True))
    wait_until(lambda: "wait" in "".join(stack_of(thread)), seconds=20, what="it waits")
    assert not interrupt(thread)
    go.set()
    thread.join(20)


def test_a_thread_that_has_ended_is_left_alone_and_stands_nowhere() -> None:
    thread = started(threading.Thread(target=lambda: None))
    thread.join(20)
    assert not interrupt(thread)
    assert stack_of(thread) == ()


def test_a_stack_has_files_lines_and_functions_and_no_value() -> None:
    go = threading.Event()

    def sign(secret: str) -> None:
        go.wait(60)

    thread = started(threading.Thread(target=sign, args=("c2VjcmV0",), daemon=True))
    wait_until(lambda: "wait" in "".join(stack_of(thread)), seconds=20, what="it waits")
    stack = stack_of(thread)
    go.set()
    assert any(place.startswith("unit/supervision/test_interruption.py:") and ":sign" in place for place in stack)
    assert "c2VjcmV0" not in "".join(stack)
    thread.join(20)
