from collections.abc import Mapping, Sequence
from decimal import Decimal

from bot.domain.errors import RetryLater
from bot.domain.quote import Quote, Ticker
from bot.market import ticker_board
from bot.market.ticker_board import TickerBoard
from tests.memory_broker import TestClock


class Venue:
    def __init__(self, clock: TestClock) -> None:
        self.clock = clock
        self.asked: list[list[str]] = []
        self.silent: set[str] = set()
        self.fault: Exception | None = None

    def get_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        self.asked.append(list(symbols))
        if self.fault is not None:
            raise self.fault
        now = self.clock.now()
        return {one: Ticker(Quote(one, Decimal(1), Decimal(2), now)) for one in symbols if one not in self.silent}


def test_markets_are_asked_about_once_in_a_while_and_known_in_between() -> None:
    clock = TestClock()
    venue = Venue(clock)
    board = TickerBoard(venue, clock=clock, refresh_seconds=30)
    board.refresh(["A", "B"])
    clock.seconds += 29
    board.refresh(["A", "B", "C"])
    clock.seconds += 1
    board.refresh(["A", "B", "C"])
    assert venue.asked == [["A", "B"], ["C"], ["A", "B"]]
    assert board.age_seconds("C") == 1.0


def test_a_failed_reading_leaves_the_old_ticker_with_its_age_and_says_why() -> None:
    clock = TestClock()
    venue = Venue(clock)
    board = TickerBoard(venue, clock=clock, refresh_seconds=30)
    board.refresh(["A"])
    venue.fault = RetryLater("the venue is busy")
    clock.seconds += 40
    board.refresh(["A"])
    assert (board.age_seconds("A"), board.problem) == (40.0, "the venue is busy")
    venue.fault = None
    clock.seconds += 40
    board.refresh(["A"])
    assert (board.age_seconds("A"), board.problem) == (0.0, "")


def test_a_market_that_shows_no_price_has_no_age_and_is_not_asked_about_at_once_again() -> None:
    clock = TestClock()
    venue = Venue(clock)
    venue.silent = {"A"}
    board = TickerBoard(venue, clock=clock, refresh_seconds=30)
    board.refresh(["A"])
    board.refresh(["A"])
    assert (venue.asked, board.of("A"), board.age_seconds("A")) == ([["A"]], None, None)


def test_a_venue_with_more_markets_than_fit_a_round_gets_them_all_their_turn() -> None:
    clock = TestClock()
    venue = Venue(clock)
    board = TickerBoard(venue, clock=clock, refresh_seconds=10)
    symbols = [str(number) for number in range(2 * ticker_board.TICKERS_PER_ROUND + 1)]
    for _ in range(6):
        board.refresh(symbols)
        clock.seconds += 5
    assert max(map(len, venue.asked)) == ticker_board.TICKERS_PER_ROUND
    assert {symbol for asked in venue.asked[:3] for symbol in asked} == set(symbols)


def test_what_is_not_listed_any_more_is_forgotten() -> None:
    clock = TestClock()
    board = TickerBoard(Venue(clock), clock=clock, refresh_seconds=10)
    board.refresh(["A", "B"])
    clock.seconds += 10
    board.refresh(["B"])
    assert board.of("A") is None
