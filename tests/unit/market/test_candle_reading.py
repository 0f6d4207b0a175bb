"""Candles of more markets than there is time for."""

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import RetryLater
from bot.domain.quote import Candle
from bot.market.candle_cache import CandleCache
from bot.market.candle_order import reading_order
from tests.unit.candles import candles_of

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAMES = st.text("ABC", min_size=1, max_size=3)


class Clock:
    def __init__(self) -> None:
        self.seconds = 30_010.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def wall_ns(self) -> int:
        return int(self.now().timestamp()) * 1_000_000_000

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        self.seconds += timeout_seconds
        return event.is_set()


class SlowVenue:
    """Takes a second for each answer, as a venue that allows one call a second."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked: list[str] = []
        self.broken = False

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        self.asked.append(symbol)
        self.clock.seconds += 1.0
        if self.broken:
            raise RetryLater("the venue is busy")
        closed = int(self.clock.seconds // 60)
        return candles_of([100.0] * min(limit, closed), start=START + timedelta(minutes=closed - min(limit, closed)))


def cache_of(venue: SlowVenue, *, round_seconds: float = 5.0, round_calls: int | None = None) -> CandleCache:
    return CandleCache(
        venue,
        clock=venue.clock,
        interval_minutes=1,
        candles_needed=20,
        round_seconds=round_seconds,
        round_calls=round_calls,
        name="kraken",
    )


SYMBOLS = [f"S{number:03}" for number in range(60)]


@given(st.dictionaries(NAMES, st.floats(0, 9)), st.sets(NAMES), st.sets(NAMES))
def test_everybody_is_in_the_order_once_and_what_is_held_comes_first(
    asked_at: dict[str, float], first: set[str], sooner: set[str]
) -> None:
    order = reading_order(asked_at, first=first, sooner=sooner)
    assert sorted(order) == sorted(asked_at)
    held = [symbol in first for symbol in order]
    assert held == sorted(held, reverse=True)


@given(st.integers(0, 30), st.integers(1, 30))
def test_however_many_move_the_others_get_every_second_turn(movers: int, others: int) -> None:
    asked_at = {f"M{number}": -1.0 for number in range(movers)} | {f"O{number}": 0.0 for number in range(others)}
    order = reading_order(asked_at, first=(), sooner=[f"M{number}" for number in range(movers)])
    of_others = [place for place, symbol in enumerate(order) if symbol.startswith("O")]
    assert all(place <= 2 * number + 1 for number, place in enumerate(of_others))


def test_a_round_is_over_after_its_time_or_its_calls_and_the_rest_is_not_read_yet() -> None:
    venue = SlowVenue(Clock())
    coverage = cache_of(venue).refresh(SYMBOLS)
    assert (coverage.calls, len(coverage.ready), len(coverage.not_ready)) == (5, 5, 55)
    assert set(coverage.rules.values()) == {"candles_not_read_yet"}
    assert cache_of(venue, round_calls=3).refresh(SYMBOLS).calls == 3


def test_between_rounds_it_reads_on_until_somebody_wants_the_thread() -> None:
    venue = SlowVenue(Clock())
    cache = cache_of(venue, round_seconds=20.0)
    cache.refresh(SYMBOLS[:30])
    assert cache.due_at <= venue.clock.monotonic()
    cache.read_on(lambda: len(venue.asked) >= 27)
    assert venue.asked == SYMBOLS[:27]
    cache.read_on(lambda: False)
    assert cache.read_count(SYMBOLS) == 30
    assert cache.due_at > venue.clock.monotonic()


def test_more_markets_than_a_minute_has_seconds_all_get_their_turn() -> None:
    venue = SlowVenue(Clock())
    cache = cache_of(venue, round_seconds=20.0)
    many = [f"S{number:03}" for number in range(150)]
    for _ in range(20):
        cache.refresh(many, sooner=many[:20])
    assert cache.read_count(many) == 150


def test_what_is_held_is_read_first_in_every_round() -> None:
    venue = SlowVenue(Clock())
    cache = cache_of(venue)
    for _ in range(3):
        venue.asked.clear()
        cache.refresh(SYMBOLS, first=["HELD"])
        assert venue.asked[0] == "HELD"
        venue.clock.seconds += 61


def test_a_venue_in_trouble_is_left_alone_between_cycles() -> None:
    venue = SlowVenue(Clock())
    venue.broken = True
    cache = cache_of(venue, round_seconds=20.0)
    cache.refresh(SYMBOLS)
    assert len(venue.asked) == 3
    assert cache.due_at > venue.clock.monotonic() + 3


def test_a_long_first_reading_says_how_far_it_has_come(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    cache = cache_of(SlowVenue(Clock()), round_seconds=25.0)
    for _ in range(3):
        cache.refresh(SYMBOLS)
    assert [record.getMessage() for record in caplog.records] == [
        "kraken: candles of 10 of 60 markets are known",
        "kraken: candles of 20 of 60 markets are known, the rest takes about 40 s",
        "kraken: candles of 30 of 60 markets are known, the rest takes about 30 s",
        "kraken: candles of 40 of 60 markets are known, the rest takes about 20 s",
        "kraken: candles of 50 of 60 markets are known, the rest takes about 10 s",
        "kraken: candles of all 60 markets are known",
    ]
