"""One symbol's market as time passes: its tape, what an operator did to it, and its book at this second."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

from paper_exchange.liquidity import GeneratedBook
from paper_exchange.tape import Bar, SymbolTape, Temper, stream_key
from paper_exchange.ticks import SECONDS, MinuteTicks, divide, minute_ticks, trades_in

SECOND_NS = 1_000_000_000
MINUTE_NS = SECONDS * SECOND_NS
KEPT_MINUTES_OF_TICKS = 40


@dataclass(frozen=True)
class RawTick:
    """One second (or the moment of an operator's change): prices in tick sizes, volume in lots."""

    time_ns: int
    last: int
    volume: int
    bought: bool
    bid: int
    ask: int


@dataclass(frozen=True)
class Segment:
    """From `start_ns` on the tape's prices are multiplied by `factor`, or stand still at `frozen` (tick sizes)."""

    start_ns: int
    factor: float
    frozen: int | None = None


UNCHANGED = Segment(0, 1.0)


class SymbolMarket:
    """Everything in tick sizes and lots. Minutes are indices: 0 is the minute of the exchange's first start."""

    def __init__(self, seed: int, symbol: str, temper: Temper, tape: SymbolTape, *, epoch_minute: int) -> None:
        self._tape = tape
        self._temper = temper
        self._epoch_ns = epoch_minute * MINUTE_NS
        self._key = stream_key(seed, symbol, "seconds")
        self._ticks: dict[int, MinuteTicks] = {}
        self._segments: list[Segment] = []
        self._changed_minutes: set[int] = set()
        self._book: GeneratedBook | None = None
        self._book_time_ns = -1
        self._divided: dict[int, list[Bar]] = {}
        self._latest: RawTick | None = None
        self._latest_segment = UNCHANGED

    def minute_of(self, time_ns: int) -> int:
        return (time_ns - self._epoch_ns) // MINUTE_NS

    def start_of(self, minute: int) -> int:
        return self._epoch_ns + minute * MINUTE_NS

    @property
    def first_minute(self) -> int:
        return self._tape.first_minute

    # What an operator does.

    @property
    def segments(self) -> list[Segment]:
        return list(self._segments)

    def add_segment(self, segment: Segment) -> None:
        self._segments.append(segment)
        self._changed_minutes.add(self.minute_of(segment.start_ns))

    def set_price(self, price: int, now_ns: int) -> None:
        """From now on the last price is `price`; a frozen market stays frozen, a live one moves on from there."""
        if self._segment_at(now_ns).frozen is not None:
            self.add_segment(Segment(now_ns, 1.0, price))
            return
        self.add_segment(Segment(now_ns, price / self._tape_price(now_ns)))

    def freeze(self, now_ns: int) -> None:
        if self._segment_at(now_ns).frozen is None:
            self.add_segment(Segment(now_ns, 1.0, self.tick(now_ns).last))

    def thaw(self, now_ns: int) -> None:
        """Move on from the price at which the market stood still."""
        frozen = self._segment_at(now_ns).frozen
        if frozen is not None:
            self.add_segment(Segment(now_ns, frozen / self._tape_price(now_ns)))

    def _segment_at(self, time_ns: int) -> Segment:
        if not self._segments:
            return UNCHANGED
        index = bisect_right(self._segments, time_ns, key=lambda segment: segment.start_ns)
        return self._segments[index - 1] if index else UNCHANGED

    def _tape_price(self, time_ns: int) -> int:
        minute, second = self._place(time_ns)
        return self._minute_ticks(minute).last[second]

    # Ticks.

    def _place(self, time_ns: int) -> tuple[int, int]:
        seconds = (time_ns - self._epoch_ns) // SECOND_NS
        return seconds // SECONDS, seconds % SECONDS

    def _minute_ticks(self, minute: int) -> MinuteTicks:
        found = self._ticks.get(minute)
        if found is None:
            if len(self._ticks) >= KEPT_MINUTES_OF_TICKS:
                del self._ticks[next(iter(self._ticks))]
            found = minute_ticks(self._tape.bar(minute), self._key + minute, self._temper)
            self._ticks[minute] = found
        return found

    def tick(self, time_ns: int) -> RawTick:
        """The state of the market at a time: that of the latest second or operator's change."""
        segment = self._segment_at(time_ns)
        since_ns = max(time_ns - (time_ns - self._epoch_ns) % SECOND_NS, segment.start_ns)
        # The state of a moment is asked for again and again, by every order.
        if self._latest is None or self._latest.time_ns != since_ns or self._latest_segment is not segment:
            self._latest, self._latest_segment = self._tick(since_ns, segment), segment
        return self._latest

    def _tick(self, time_ns: int, segment: Segment) -> RawTick:
        minute, second = self._place(time_ns)
        ticks = self._minute_ticks(minute)
        bought, spread = ticks.bought[second], ticks.spread[second]
        if segment.frozen is not None:
            # A market that stands still shows the same quote every second.
            last, bought, spread = segment.frozen, True, max(1, round(self._temper.spread * segment.frozen))
        else:
            last = max(2, round(ticks.last[second] * segment.factor))
            spread = max(1, round(spread * segment.factor))
        on_the_second = (time_ns - self._epoch_ns) % SECOND_NS == 0
        volume = ticks.volume[second] if on_the_second and segment.frozen is None else 0
        if bought:
            return RawTick(time_ns, last, volume, True, max(1, last - spread), last)
        return RawTick(time_ns, last, volume, False, last, last + spread)

    def ticks_between(self, after_ns: int, until_ns: int) -> Iterator[RawTick]:
        """Every second and every operator's change in (after, until], in order."""
        seconds = range(after_ns - (after_ns - self._epoch_ns) % SECOND_NS + SECOND_NS, until_ns + 1, SECOND_NS)
        changes = [s.start_ns for s in self._segments if after_ns < s.start_ns <= until_ns]
        previous = after_ns
        for time_ns in merge(seconds, changes):
            if time_ns != previous:
                yield self._tick(time_ns, self._segment_at(time_ns))
            previous = time_ns

    # The book of this second.

    def book(self, now_ns: int) -> GeneratedBook:
        tick = self.tick(now_ns)
        second_ns = now_ns - (now_ns - self._epoch_ns) % SECOND_NS
        book_time_ns = max(second_ns, tick.time_ns)
        if self._book is None or self._book_time_ns != book_time_ns:
            frozen = self._segment_at(now_ns).frozen is not None
            # Standing still, the book refills every second with the same quantities.
            number = 0 if frozen else 2 * (book_time_ns // SECOND_NS)
            volatility = 1.0 if frozen else self._tape.bar(self.minute_of(now_ns)).volatility
            self._book = GeneratedBook(tick.bid, tick.ask, self._key + number, self._temper, volatility)
            self._book_time_ns = book_time_ns
        return self._book

    # Bars.

    def minute_bar(self, minute: int) -> tuple[Bar, int]:
        """A whole past minute with its number of trades, as the ticks made it."""
        if minute in self._changed_minutes:
            return self.bar_so_far(minute, self.start_of(minute + 1) - 1)
        bar = self._tape_bar(minute)
        segment = self._segment_at(self.start_of(minute))
        if segment is UNCHANGED:
            return bar, trades_in(bar)
        if segment.frozen is not None:
            price = segment.frozen
            return Bar(minute, 1, price, price, price, price, 0, bar.volatility), 0
        return _scaled(bar, segment.factor), trades_in(bar)

    def _tape_bar(self, minute: int) -> Bar:
        if minute >= self._tape.first_minute:
            return self._tape.bar(minute)
        coarse = self._deep_bar(minute)
        if coarse.start not in self._divided:
            if len(self._divided) > 100:
                self._divided.clear()
            self._divided[coarse.start] = divide(coarse, self._key + coarse.start)
        return self._divided[coarse.start][minute - coarse.start]

    def _deep_bar(self, minute: int) -> Bar:
        bars = self._tape.deep_bars()
        return bars[max(0, bisect_right(bars, minute, key=lambda bar: bar.start) - 1)]

    def oldest_minute(self) -> int:
        return self._tape.deep_bars()[0].start

    def bars_between(self, first: int, end: int, now_ns: int) -> Iterator[tuple[Bar, int]]:
        """Bars with their numbers of trades that cover the minutes [first, end) as far as time has come."""
        current = self.minute_of(now_ns)
        minute = first
        while minute < min(end, current):
            bar, trades = self._largest_bar(minute, end)
            yield bar, trades
            minute += bar.minutes
        if minute <= current < end:
            yield self.bar_so_far(current, now_ns)

    def _largest_bar(self, minute: int, end: int) -> tuple[Bar, int]:
        # A coarse bar knows nothing of an operator's changes; its minutes are scaled one by one.
        if minute < self._tape.first_minute and self._segment_at(self.start_of(minute)) is UNCHANGED:
            coarse = self._deep_bar(minute)
            if coarse.start == minute and minute + coarse.minutes <= end:
                return coarse, trades_in(coarse)
        return self.minute_bar(minute)

    def bar_so_far(self, minute: int, until_ns: int) -> tuple[Bar, int]:
        """The minute from its beginning up to a time, from its ticks."""
        start_ns = self.start_of(minute)
        ticks = [self.tick(start_ns), *self.ticks_between(start_ns, min(until_ns, start_ns + MINUTE_NS - 1))]
        prices = [tick.last for tick in ticks]
        volume = sum(tick.volume for tick in ticks)
        bar = Bar(minute, 1, prices[0], max(prices), min(prices), prices[-1], volume, 1.0)
        return bar, sum(1 for tick in ticks if tick.volume)


def _scaled(bar: Bar, factor: float) -> Bar:
    prices = (max(2, round(price * factor)) for price in (bar.open, bar.high, bar.low, bar.close))
    opened, high, low, close = prices
    return Bar(bar.start, bar.minutes, opened, high, low, close, bar.volume, bar.volatility)
