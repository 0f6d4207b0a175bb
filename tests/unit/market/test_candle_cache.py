import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.domain.errors import RetryLater, UnreadableReply
from bot.domain.quote import Candle
from bot.market.candle_cache import CandleCache
from tests.unit.candles import candles_of

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class TurnableClock:
    """A clock that stands until it is moved; the wall may be moved by itself."""

    def __init__(self) -> None:
        self.moment = START + timedelta(minutes=500, seconds=10)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.moment

    def wall_ns(self) -> int:
        return int(self.moment.timestamp()) * 1_000_000_000

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, timeout_seconds: float) -> bool:
        self.pass_seconds(timeout_seconds)
        return event.is_set()

    def pass_seconds(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.seconds += seconds


class Venue:
    """Serves closed candles of a market that moves every minute, and fails as it is told."""

    def __init__(self, clock: TurnableClock) -> None:
        self.clock = clock
        self.calls: list[tuple[str, int]] = []
        self.faults: dict[str, Callable[[], Exception]] = {}
        self.changed: dict[str, Callable[[list[Candle]], list[Candle]]] = {}
        self.call_seconds = 0.0
        self.ends_after: dict[str, int] = {}
        self.time_ahead = timedelta(0)  # of the machine's wall clock

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        self.calls.append((symbol, limit))
        self.clock.pass_seconds(self.call_seconds)
        if symbol in self.faults:
            raise self.faults[symbol]()
        closed = int((self.clock.moment + self.time_ahead - START).total_seconds() // 60)
        closed = min(closed, self.ends_after.get(symbol, closed))
        candles = candles_of([100 + i % 7 for i in range(closed)])[-limit:]
        return self.changed.get(symbol, lambda unchanged: unchanged)(candles)

    def asked(self) -> list[str]:
        names = [symbol for symbol, _ in self.calls]
        self.calls.clear()
        return names


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture
def venue(clock: TurnableClock) -> Venue:
    return Venue(clock)


@pytest.fixture
def cache(clock: TurnableClock, venue: Venue) -> CandleCache:
    return CandleCache(venue, clock=clock, interval_minutes=1, candles_needed=20)


def test_a_symbol_is_asked_once_and_again_only_when_a_candle_can_have_closed(
    cache: CandleCache, venue: Venue, clock: TurnableClock
) -> None:
    assert cache.refresh(["BTC/USD"]).ready == ("BTC/USD",)
    clock.pass_seconds(45)
    cache.refresh(["BTC/USD"])
    assert venue.calls == [("BTC/USD", 20)]
    before = cache.closed("BTC/USD")[-1].opened_at
    clock.pass_seconds(10)
    cache.refresh(["BTC/USD"])
    assert venue.calls[1:] == [("BTC/USD", 3)]
    assert cache.closed("BTC/USD")[-1].opened_at == before + timedelta(minutes=1)


def test_it_keeps_a_bounded_number_of_candles_without_holes(
    cache: CandleCache, venue: Venue, clock: TurnableClock
) -> None:
    for seconds in (0, 60, 61, 60, 3600 * 5, 60):
        clock.pass_seconds(seconds)
        cache.refresh(["BTC/USD"])
        times = [candle.opened_at for candle in cache.closed("BTC/USD")]
        assert times == [times[0] + timedelta(minutes=i) for i in range(20)]


def test_after_a_pause_nobody_noticed_it_reads_everything_again(
    cache: CandleCache, venue: Venue, clock: TurnableClock
) -> None:
    cache.refresh(["BTC/USD"])
    clock.moment += timedelta(hours=3)  # the machine slept: its monotonic clock stood still
    clock.pass_seconds(60)
    cache.refresh(["BTC/USD"])
    times = [candle.opened_at for candle in cache.closed("BTC/USD")]
    assert times == [times[0] + timedelta(minutes=i) for i in range(20)]
    assert clock.moment - times[-1] < timedelta(minutes=2)


def test_a_bad_symbol_costs_only_itself_and_says_why(cache: CandleCache, venue: Venue) -> None:
    venue.faults["BAD/USD"] = lambda: UnreadableReply("kraken: candles of BAD/USD are no list")
    coverage = cache.refresh(["BAD/USD", "BTC/USD", "ETH/USD"])
    assert coverage.ready == ("BTC/USD", "ETH/USD")
    assert dict(coverage.not_ready) == {"BAD/USD": "kraken: candles of BAD/USD are no list"}
    assert (coverage.asked, coverage.calls, coverage.failed) == (3, 3, 1)
    assert cache.closed("BAD/USD") == ()
    assert "2 of 3" in str(coverage) and "BAD/USD" in str(coverage)


@pytest.mark.parametrize("error", [KeyError("result"), ZeroDivisionError(), TypeError("a reply nobody foresaw")])
def test_even_an_unforeseen_reply_does_not_end_the_scan(cache: CandleCache, venue: Venue, error: Exception) -> None:
    venue.faults["BAD/USD"] = lambda: error
    assert cache.refresh(["BAD/USD", "BTC/USD"]).ready == ("BTC/USD",)


def test_a_failing_symbol_is_asked_less_and_less_often_and_recovers(
    cache: CandleCache, venue: Venue, clock: TurnableClock
) -> None:
    venue.faults["BTC/USD"] = lambda: UnreadableReply("no")
    for _ in range(120):
        cache.refresh(["BTC/USD"])
        clock.pass_seconds(5)
    assert 4 <= len(venue.calls) <= 9
    del venue.faults["BTC/USD"]
    clock.pass_seconds(300)
    assert cache.refresh(["BTC/USD"]).ready == ("BTC/USD",)


def test_a_venue_that_says_when_to_come_back_is_not_asked_before(
    cache: CandleCache, venue: Venue, clock: TurnableClock
) -> None:
    venue.faults["BTC/USD"] = lambda: RetryLater("busy", retry_after_seconds=90)
    cache.refresh(["BTC/USD"])
    clock.pass_seconds(89)
    cache.refresh(["BTC/USD"])
    assert len(venue.calls) == 1


def test_a_dead_venue_does_not_cost_a_time_out_for_every_symbol(cache: CandleCache, venue: Venue) -> None:
    symbols = [f"C{i}/USD" for i in range(40)]
    for symbol in symbols:
        venue.faults[symbol] = lambda: UnreadableReply("timed out")
    coverage = cache.refresh(symbols)
    assert coverage.calls == coverage.failed == 3
    assert len(coverage.not_ready) == 40


def test_a_slow_venue_is_left_after_a_while_and_the_rest_is_asked_next(
    cache: CandleCache, venue: Venue, clock: TurnableClock
) -> None:
    venue.call_seconds = 4.0
    symbols = [f"C{i}/USD" for i in range(8)]
    assert len(cache.refresh(symbols).ready) == 5
    first = venue.asked()
    cache.refresh(symbols)
    assert set(first) | set(venue.asked()) == set(symbols)


def test_it_stops_asking_when_the_program_stops(clock: TurnableClock, venue: Venue) -> None:
    stopping = CandleCache(venue, clock=clock, interval_minutes=1, candles_needed=5, should_stop=lambda: True)
    assert stopping.refresh(["BTC/USD"]).calls == 0


def test_a_clock_set_back_does_not_stop_the_candles(cache: CandleCache, venue: Venue, clock: TurnableClock) -> None:
    cache.refresh(["BTC/USD"])
    newest = cache.closed("BTC/USD")[-1].opened_at
    clock.moment -= timedelta(hours=1)
    venue.time_ahead = timedelta(hours=1)
    clock.pass_seconds(60)
    assert cache.refresh(["BTC/USD"]).ready == ("BTC/USD",)
    assert cache.closed("BTC/USD")[-1].opened_at == newest + timedelta(minutes=1)


def test_a_market_without_trades_falls_behind_and_is_not_judged_by_old_prices(
    cache: CandleCache, venue: Venue, clock: TurnableClock
) -> None:
    venue.ends_after["OLD/USD"] = 490
    coverage = cache.refresh(["OLD/USD", "BTC/USD"])
    assert coverage.ready == ("BTC/USD",)
    assert "10 candles behind" in coverage.not_ready["OLD/USD"]


def test_when_no_market_gets_new_candles_none_is_ready(cache: CandleCache, venue: Venue, clock: TurnableClock) -> None:
    venue.ends_after["BTC/USD"] = 500
    assert cache.refresh(["BTC/USD"]).ready == ("BTC/USD",)
    for _ in range(40):
        clock.pass_seconds(5)
        coverage = cache.refresh(["BTC/USD"])
    assert "no new candle of any market" in coverage.not_ready["BTC/USD"]
    assert cache.closed("BTC/USD") == ()


def test_too_few_candles_are_counted_not_shrugged_at(cache: CandleCache, venue: Venue) -> None:
    venue.changed["NEW/USD"] = lambda candles: candles[-7:]
    assert cache.refresh(["NEW/USD", "BTC/USD"]).not_ready["NEW/USD"] == "7 of 20 candles"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda candles: candles[::-1],
        lambda candles: [*candles, candles[-1]],
        lambda candles: [*candles[:-1], replace(candles[-1], opened_at=candles[-1].opened_at + timedelta(seconds=7))],
        lambda candles: [*candles[:-1], replace(candles[-1], low=Decimal(0))],
        lambda candles: [*candles[:-1], replace(candles[-1], high=Decimal(1))],
        lambda candles: [*candles[:-1], replace(candles[-1], volume=Decimal(-1))],
    ],
)
def test_candles_that_contradict_themselves_are_not_used(
    cache: CandleCache, venue: Venue, spoil: Callable[[list[Candle]], list[Candle]]
) -> None:
    venue.changed["BTC/USD"] = spoil
    assert cache.refresh(["BTC/USD"]).ready == ()
    assert cache.closed("BTC/USD") == ()


def test_nothing_wanted_is_not_full_coverage(cache: CandleCache) -> None:
    assert cache.refresh([]).ready_percent is None


def test_symbols_nobody_wants_any_more_are_forgotten(cache: CandleCache, clock: TurnableClock) -> None:
    cache.refresh(["OLD/USD", "BTC/USD"])
    clock.pass_seconds(3601)
    cache.refresh(["BTC/USD"])
    assert cache.closed("OLD/USD") == ()
    assert cache.closed("BTC/USD") != ()
