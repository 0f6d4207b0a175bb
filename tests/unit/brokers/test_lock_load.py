"""Many accounts behind one lock: said once, with what to do."""

import logging

import pytest

from bot.brokers.base import Urgency
from bot.brokers.kraken.lock_load import LockLoad
from bot.brokers.kraken.private_call_lock import LockUse
from tests.unit.brokers.clocks import TurnedClock


def use(load: LockLoad, accounts: int, hold_seconds: float, times: int = 60) -> None:
    for number in range(times):
        load.used(LockUse(f"k{number % accounts}", Urgency.POLL, 0.0, hold_seconds, overran=False))


def test_a_round_of_all_accounts_that_outlasts_a_third_of_a_signals_life_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    load = LockLoad(TurnedClock(), max_signal_age_seconds=60)
    use(load, accounts=30, hold_seconds=0.8, times=200)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1 and "30 accounts" in said[0] and "per_key" in said[0]
    assert load.round_seconds() == pytest.approx(24)


@pytest.mark.parametrize(("accounts", "hold_seconds"), [(3, 5.0), (200, 0.05)])
def test_what_is_quick_enough_is_not_warned_of(
    caplog: pytest.LogCaptureFixture, accounts: int, hold_seconds: float
) -> None:
    load = LockLoad(TurnedClock(), max_signal_age_seconds=60)
    use(load, accounts, hold_seconds, times=400)
    assert caplog.records == []


def test_accounts_that_are_gone_do_not_count_any_more() -> None:
    clock = TurnedClock()
    load = LockLoad(clock, max_signal_age_seconds=60)
    use(load, accounts=30, hold_seconds=0.5)
    clock.advance(3600)
    use(load, accounts=2, hold_seconds=0.5)
    assert load.round_seconds() == pytest.approx(1)
