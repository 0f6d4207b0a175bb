"""How the isolation drill times the others: what holds an account up is seen, wherever it holds it up."""

from datetime import datetime

import pytest

from benchmarks.isolation_drill.catalogue import ALL, BY_NAME, QUICK
from benchmarks.isolation_drill.drill import Finding
from benchmarks.isolation_drill.lateness import cycle_starts, lateness, percentile
from benchmarks.kill_drill.installation import ALL_BROKERAGES

LOG = """\
2026-11-21 10:00:01,250 INFO    [Trader-kraken] kraken - Cycle #1
2026-11-21 10:00:01,300 INFO    [Trader-ann_kraken] ann_kraken (USER) - Cycle #1
2026-11-21 10:00:01,900 INFO    [Trader-kraken] kraken cycle completed successfully
2026-11-21 10:00:02,250 INFO    [Trader-kraken] kraken - Cycle #2
"""


def test_cycles_are_found_in_the_log_with_their_milliseconds() -> None:
    starts = cycle_starts(LOG.splitlines())
    first = datetime(2026, 11, 21, 10, 0, 1, 250_000).timestamp()  # noqa: DTZ001 - local time, as logged
    assert starts == {"kraken": [first, first + 1], "ann_kraken": [pytest.approx(first + 0.05)]}


def test_cycles_in_time_are_not_late() -> None:
    assert lateness([0, 1, 2, 3], since=0, until=2.5, period=1) == [0, 0]


def test_a_cycle_that_took_long_makes_the_next_one_late() -> None:
    assert lateness([0, 1, 4, 5], since=0, until=3, period=1) == [0, 2]


def test_a_cycle_that_never_comes_is_late_by_all_that_time() -> None:
    assert lateness([0, 1], since=0, until=9, period=1) == [0, 7]


def test_an_account_without_any_cycle_is_late_by_the_whole_window() -> None:
    assert lateness([], since=10, until=15, period=1) == [5]


def test_what_was_late_before_or_after_the_window_does_not_count() -> None:
    assert lateness([0, 5, 6, 7, 8, 20], since=5.5, until=8.5, period=1) == [0, 0, 0]


def test_the_99th_percentile_of_few_values_is_the_largest() -> None:
    assert percentile([0.1, 3.0, 0.2], 99) == 3.0
    assert percentile([float(n) for n in range(1000)], 99) == 990.0


def test_lateness_beyond_what_is_allowed_is_a_problem_of_the_brokerage_it_shows_at() -> None:
    finding = Finding("hang", "ann_kraken", near=2, near_allowed=5, far=2, far_allowed=1, recovered=1)
    assert finding.problems == ["hang (ann_kraken): another brokerage: 2.00 s late, 1.00 s are allowed"]


def test_an_account_that_does_not_come_back_is_a_problem() -> None:
    assert len(Finding("hang", "ann_kraken").problems) == 1


def test_the_faults_are_many_and_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(ALL) >= 60
    assert set(QUICK) <= set(BY_NAME)
    assert {each.brokerage for each in ALL} == set(ALL_BROKERAGES)
    assert {BY_NAME[name].brokerage for name in QUICK} == set(ALL_BROKERAGES)
