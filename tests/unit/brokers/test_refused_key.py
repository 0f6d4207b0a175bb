"""When a key that the venue refuses is left alone, and when it is tried again."""

import logging

import pytest

from bot.brokers.refused_key import REFUSED_KEY_PAUSE_SECONDS, RefusedKey
from bot.domain.errors import CredentialsRejected
from tests.unit.brokers.clocks import TurnedClock

CODE = "EAPI:Invalid key"


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def key(clock: TurnedClock) -> RefusedKey:
    return RefusedKey(clock, label="ann_kraken", venue="Kraken")


def refuse(key: RefusedKey, *, times: int = 1) -> None:
    for _ in range(times):
        key.refused(CredentialsRejected(CODE), venue_code=CODE)


def left_alone(key: RefusedKey) -> bool:
    try:
        key.check()
    except CredentialsRejected:
        return True
    return False


def test_one_refusal_may_be_a_slip_and_two_in_a_row_are_not(key: RefusedKey) -> None:
    refuse(key)
    assert not left_alone(key) and key.sentence == ""
    refuse(key)
    assert left_alone(key)


def test_a_good_answer_between_two_refusals_makes_them_two_slips(key: RefusedKey) -> None:
    refuse(key)
    key.accepted()
    refuse(key)
    assert not left_alone(key)


def test_the_sentence_says_since_when_why_and_when_it_is_tried_again(key: RefusedKey, clock: TurnedClock) -> None:
    refuse(key)
    clock.advance(60)
    refuse(key)
    assert "since 2026-03-01 12:00:00 UTC (EAPI:Invalid key)" in key.sentence
    assert "tried again at 2026-03-01 12:16:00 UTC" in key.sentence
    with pytest.raises(CredentialsRejected) as raised:
        key.check()
    assert (str(raised.value), raised.value.venue_code) == (key.sentence, CODE)


def test_after_the_pause_each_refused_try_costs_another_pause(key: RefusedKey, clock: TurnedClock) -> None:
    refuse(key, times=2)
    for _ in range(3):
        clock.advance(REFUSED_KEY_PAUSE_SECONDS - 1)
        assert left_alone(key)
        clock.advance(1)
        assert not left_alone(key)
        refuse(key)
        assert left_alone(key)


def test_a_good_answer_after_the_pause_ends_it_and_two_refusals_are_needed_again(
    key: RefusedKey, clock: TurnedClock
) -> None:
    refuse(key, times=2)
    clock.advance(REFUSED_KEY_PAUSE_SECONDS)
    key.accepted()
    assert key.sentence == ""
    refuse(key)
    assert not left_alone(key)


def test_a_person_is_called_once_however_often_the_key_is_tried(
    key: RefusedKey, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(4):
        refuse(key)
        clock.advance(REFUSED_KEY_PAUSE_SECONDS)
    (critical,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "ann_kraken" in critical.getMessage()
