"""What the bot tells the console: one side never waits, the other takes whatever comes."""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bot.brokers.market_values import MarketValues, PriceRow
from bot.console.bot_news import SILENCE_SECONDS, BotNews
from bot.console_feed import LARGEST_BACKLOG, ConsoleFeed
from bot.seams.clock import SystemClock

GOOD = b'{"kind":"readiness","dead":[],"not_ready":[],"accounts":[],"metrics":""}\n'


class SteppedClock(SystemClock):
    """Monotonic time that goes on when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


class Said:
    """The bot's word of itself."""

    def dead(self) -> list[str]:
        return []

    def not_ready(self) -> list[str]:
        return ["kraken waits"]

    def trading(self) -> Sequence[Mapping[str, Any]]:
        return []


# -- the reading end --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "garbage",
    [
        *(b"\n", b"{\n", b"null\n", b"[]\n", b"5\n", b'"x"\n', b"{}\n", b'{"kind":"readiness"\n', b"\xff\xfe\n"),
        *(b'{"kind":"markets"}\n', b'{"kind":"markets","broker":1,"rows":5}\n', b'{"kind":"candles"}\n'),
        *(b'{"kind":"markets","broker":"k","rows":[[]]}\n', b'{"kind":"x"}\n', b"[" * 100_000 + b"\n", b"x" * 100_000),
    ],
)
def test_a_line_that_is_not_understood_is_passed_over(garbage: bytes) -> None:
    news = BotNews(SystemClock())
    ended: list[bool] = []
    line = garbage if garbage.endswith(b"\n") else garbage + b"\n"
    news.follow(io.BytesIO(line + GOOD), lambda: ended.append(True))
    assert news.readiness() is not None
    assert ended == [True]


def test_half_a_line_at_the_end_says_nothing_and_the_end_is_noticed() -> None:
    news = BotNews(SystemClock())
    news.follow(io.BytesIO(GOOD[:-20]), lambda: None)
    assert news.readiness() is None
    assert news.ended.is_set()


def test_a_word_that_is_old_is_no_word() -> None:
    clock = SteppedClock()
    news = BotNews(clock)
    news.follow(io.BytesIO(GOOD), lambda: None)
    assert news.readiness() is not None
    clock.seconds += SILENCE_SECONDS + 1
    assert news.readiness() is None
    assert news.silent_seconds() == SILENCE_SECONDS + 1


# -- the writing end --------------------------------------------------------------------------------------------------
@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(end)


def feed_of(writing: int, clock: SteppedClock, values: MarketValues) -> ConsoleFeed:
    return ConsoleFeed(writing, clock=clock, saying=Said(), metrics_url=lambda: "", markets=lambda: {"kraken": values})


def price(values: MarketValues, number: int, markets: int = 1) -> None:
    last = Decimal(number)
    for index in range(markets):
        values.set_row(f"C{index}/USD", PriceRow(last, last, last, None, float(number)))


def rows_of(said: list[Any]) -> list[list[Any]]:
    return [row for line in said if line["kind"] == "markets" for row in line["rows"]]


def test_a_market_that_changed_often_is_told_once_as_it_is_now(pipe: tuple[int, int]) -> None:
    clock = SteppedClock()
    values = MarketValues(clock)
    feed = feed_of(pipe[1], clock, values)
    for number in range(1, 101):
        price(values, number)
    assert feed.turn()
    said = lines_of(pipe[0])
    assert rows_of(said) == [["C0/USD", "100", "100", "100", None]]
    assert [line["not_ready"] for line in said if line["kind"] == "readiness"] == [["kraken waits"]]
    clock.seconds += 10
    assert feed.turn()
    assert rows_of(lines_of(pipe[0])) == [], "what has not changed is not told again"


def test_a_reader_that_does_not_read_holds_up_nobody_and_hears_the_newest_afterwards(pipe: tuple[int, int]) -> None:
    clock = SteppedClock()
    values = MarketValues(clock)
    feed = feed_of(pipe[1], clock, values)
    for number in range(1, 401):
        price(values, number, markets=1500)
        clock.seconds += 5
        assert feed.turn()
    assert len(feed._unsent) < 2 * LARGEST_BACKLOG
    newest: dict[str, str] = {}
    for _ in range(200):
        newest |= {row[0]: row[3] for row in rows_of(lines_of(pipe[0]))}
        clock.seconds += 5
        feed.turn()
    assert len(newest) == 1500
    assert set(newest.values()) == {"400"}


_PARTS: dict[int, bytes] = {}


def lines_of(reading: int) -> list[Any]:
    """Whole lines; the rest is kept for the next time."""
    os.set_blocking(reading, False)
    found = _PARTS.pop(reading, b"")
    with contextlib.suppress(BlockingIOError):
        while part := os.read(reading, 65536):
            found += part
    whole, _, rest = found.rpartition(b"\n")
    _PARTS[reading] = rest
    return [msgspec.json.decode(line) for line in whole.splitlines()]


def test_when_nobody_reads_any_more_the_feed_says_so(pipe: tuple[int, int]) -> None:
    clock = SteppedClock()
    feed = feed_of(pipe[1], clock, MarketValues(clock))
    os.close(pipe[0])
    assert not feed.turn()
