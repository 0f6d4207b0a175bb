"""The benchmark of a whole look at the markets times each way and compares the wishes."""

import json

import pytest

from benchmarks.scan import main


def test_a_tiny_run_times_each_look_and_loses_no_wish(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--markets", "40", "--strategy", "breakout", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["rows"]) == 4
    assert all(one["ms"] > 0 for one in said["rows"])
    assert said["settings"] == {"markets": 40, "passed": 24, "lost": 0}
