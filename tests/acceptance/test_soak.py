"""Trading for minutes, with faults and lost connections, leaves no thread, no descriptor and no note behind."""

import json
from pathlib import Path

import pytest

from benchmarks.soak_drill import command


@pytest.mark.slow
def test_no_thread_descriptor_or_queue_grows_while_accounts_trade_through_faults(
    tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if not request.config.getoption("--run-slow", default=False):
        pytest.skip("run with --run-slow")
    words = ["--minutes", "4", "--accounts", "12", "--cycle-seconds", "2", "--directory", str(tmp_path), "--json"]
    command.main(words)
    report = json.loads(capsys.readouterr().out)
    assert report["problem"] == ""
    assert report["samples"][-1]["fills"] > 100
    found = {one["name"]: one["word"] for one in report["verdicts"]}
    assert [name for name in found if found[name] == "grows" and name != "rss"] == [], found
