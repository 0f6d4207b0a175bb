"""The memory benchmark reads the kernel's word of real processes, and its slope is that of the accounts."""

import json
import os

import pytest

from benchmarks.memory import main, nothing, of_threads, resident_kilobytes, row


def test_a_tiny_run_measures_the_program_and_the_anchors(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--accounts", "1", "3", "--mode", "polled", "--json"])
    bot, clients, bare = json.loads(capsys.readouterr().out)["rows"]
    assert bot["MB at the fewest"] > clients["MB at the fewest"] > 1
    assert bare["kB an account"] is not None


def test_an_accounts_part_is_the_slope_between_few_and_many() -> None:
    said = row("x", [50, 250], [100 * 1024, 100 * 1024 + 200 * 90], 100.0)
    assert (said["kB an account"], said["goal kB"]) == (90, 100)
    assert said["MB at 1,000"] == pytest.approx(100 + 950 * 90 / 1024, abs=0.1)


def test_what_threads_own_is_in_the_figure() -> None:
    assert resident_kilobytes(os.getpid()) > 1000
    assert of_threads(a_megabyte_or_so, 30, "") - of_threads(nothing, 30, "") > 20 * 1024


def a_megabyte_or_so(_url: str) -> object:
    return bytearray(b"x" * 1_000_000)
