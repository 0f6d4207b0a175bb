"""The loop of one account when the bot ends in the middle of its cycle."""

import logging

import pytest

from bot.domain.errors import VenueStopped
from bot.domain.health import HealthState
from bot.storage.store import Store
from tests.unit.test_account_worker import Bench


def test_a_cycle_that_the_end_breaks_off_is_no_failure_of_its_account(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(store)
    bench.cycles.reconcile = bench.stop.set
    bench.cycles.error = VenueStopped("not sent: the bot is stopping")
    with caplog.at_level(logging.INFO):
        bench.worker.run()
    assert bench.results == []
    assert bench.status.health.state is HealthState.STOPPED
    assert bench.status.health.error_count == 0
    assert "degraded" not in caplog.text
    assert "its cycle was broken off: not sent: the bot is stopping" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_fails_because_of_the_end_does_not_degrade_its_account(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A balance that could not be read any more is judged at the end of a cycle that came through."""
    bench = Bench(store)
    bench.cycles.reconcile = bench.stop.set
    bench.broker.balance_error = "not sent: the bot is stopping"
    with caplog.at_level(logging.INFO):
        bench.worker.run()
    assert bench.status.health.state is HealthState.STOPPED
    assert "degraded" not in caplog.text
