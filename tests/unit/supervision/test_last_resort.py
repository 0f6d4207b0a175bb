"""The last way out: at once, whatever is locked, with a trace of what everybody did."""

import subprocess
import sys
from pathlib import Path

from bot.supervision.last_resort import WatchdogGuard
from bot.supervision.watchdog import Watchdog, WatchdogTimes
from tests.bot_process import ROOT
from tests.memory_broker import TestClock

SILENCE = 30.0
# A thread holds the log's lock for ever, so that nobody can log, and the main thread wants to end.
PROGRAM = """
import logging, sys, threading
from pathlib import Path
from bot.supervision.last_resort import end_process

logging.basicConfig(filename=sys.argv[1])
taken = threading.Event()

def lost_in_the_log(api_secret="c2VjcmV0"):
    with logging.getLogger().handlers[0].lock:
        taken.set()
        threading.Event().wait(600)

if sys.argv[2] == "locked":
    threading.Thread(target=lost_in_the_log, daemon=True).start()
    taken.wait(60)
end_process("the thread Store hangs", log_file=Path(sys.argv[1]), code=70)
"""


def ended(log: Path, how: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(log), how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_process_ends_with_its_code_and_the_log_says_why(tmp_path: Path) -> None:
    assert ended(tmp_path / "nija.log", "free").returncode == 70
    text = (tmp_path / "nija.log").read_text()
    assert "NIJA ends at once: the thread Store hangs. What its threads were doing:" in text
    assert "CRITICAL" in text


def test_it_ends_too_when_the_log_is_locked_for_ever_and_shows_where_but_no_value(tmp_path: Path) -> None:
    assert ended(tmp_path / "nija.log", "locked").returncode == 70
    text = (tmp_path / "nija.log").read_text()
    assert "in lost_in_the_log" in text
    assert "c2VjcmV0" not in text


class Bench:
    def __init__(self) -> None:
        self.clock = TestClock()
        self.watchdog = Watchdog(clock=self.clock, times=WatchdogTimes(), on_fatal=lambda _reason: None)
        self.guard = WatchdogGuard(self.watchdog, silence_seconds=SILENCE, longest_turn_seconds=2.0)

    def turns(self, count: int, *, watched: bool) -> str:
        for _ in range(count):
            self.clock.seconds += 1
            if watched:
                self.watchdog.step()
            problem = self.guard.problem()
            if problem:
                return problem
        return ""


def test_a_watchdog_that_looks_is_no_problem_and_one_that_does_not_is_one_after_its_time() -> None:
    bench = Bench()
    assert bench.turns(100, watched=True) == ""
    assert bench.turns(30, watched=False) == ""
    assert "the watchdog has not looked at anything for 31 s" in bench.turns(1, watched=False)


def test_a_watchdog_that_looks_again_is_forgiven() -> None:
    bench = Bench()
    bench.turns(25, watched=False)
    bench.turns(1, watched=True)
    assert bench.turns(25, watched=False) == ""


def test_a_process_that_stood_still_for_an_hour_accuses_nobody() -> None:
    bench = Bench()
    bench.turns(5, watched=True)
    bench.clock.seconds += 3600
    assert bench.turns(1, watched=False) == ""
