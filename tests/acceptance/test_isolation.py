"""No account can hurt another: one of fifteen suffers, the others' cycles begin as before, and no signal is lost."""

from pathlib import Path

import pytest

from benchmarks.isolation_drill.catalogue import ALL, BY_NAME, QUICK
from benchmarks.isolation_drill.drill import IsolationDrill, Options, Report
from benchmarks.isolation_drill.installation import USERS

# Other tests run beside this one. What holds all accounts up costs whole calls, each of them seconds long.
BUSY_MACHINE_SECONDS = 2.5


def drill(directory: Path, names: list[str], options: Options) -> Report:
    lines: list[str] = []
    report = IsolationDrill(directory, options, lines.append).run([BY_NAME[name] for name in names])
    print("\n".join(lines))
    return report


def test_while_one_account_suffers_the_others_go_on_in_time_and_every_signal_is_answered(tmp_path: Path) -> None:
    options = Options(
        seconds=3.5, baseline_seconds=4, cycle_seconds=1.5, floor_seconds=BUSY_MACHINE_SECONDS, fresh_baseline=False,
        more_tries=2,
    )  # fmt: skip
    report = drill(tmp_path, list(QUICK), options)
    assert report.problems == []
    assert len(report.findings) == len(QUICK)
    assert report.signals >= 10
    assert report.answers == USERS * report.signals


@pytest.mark.slow
def test_no_fault_of_one_account_reaches_another(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--run-slow", default=False):
        pytest.skip("run with --run-slow")
    report = drill(tmp_path, [each.name for each in ALL], Options(floor_seconds=BUSY_MACHINE_SECONDS, more_tries=2))
    assert report.problems == []
