"""What the bot tells the console: its state each second, and prices as they change, through a pipe that blocks nobody.

Prices are conflated: a market that has changed a hundred times since the last line is told once, as it is now. A
console that reads too slowly hears less; trading does not wait for it.
"""

import errno
import logging
import os
import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from bot.brokers.market_values import MarketValues
from bot.domain.money import plain
from bot.domain.quote import Candle
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

READINESS_SECONDS = 1.0
MARKET_SECONDS = 0.25
CANDLE_SECONDS = 5.0
BOOK_SECONDS = 1.0
BOOK_DEPTH = 10
MOST_CANDLES = 300
# More than this unread, and only what is new after it was read is told.
LARGEST_BACKLOG = 1_000_000


@dataclass(frozen=True)
class ShownCandles:
    """The closed candles of one market, oldest first, as its master's strategy sees them."""

    broker: str
    symbol: str
    interval_minutes: int
    candles: Sequence[Candle]


class Saying(Protocol):
    """The bot's word of itself (`bot.observability.readiness.Readiness`)."""

    def dead(self) -> list[str]: ...

    def not_ready(self) -> list[str]: ...

    def trading(self) -> Sequence[Mapping[str, Any]]: ...


def _row(candle: Candle) -> list[object]:
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return [int(candle.opened_at.timestamp()), *(plain(each) for each in prices)]


class ConsoleFeed:
    """The writing end, used by one thread: `turn` is called a few times a second and never blocks."""

    def __init__(
        self,
        descriptor: int,
        *,
        clock: Clock,
        saying: Saying,
        metrics_url: Callable[[], str],
        markets: Callable[[], Mapping[str, MarketValues]],
        candles: Callable[[], Iterable[ShownCandles]] = tuple,
    ) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._clock = clock
        self._saying = saying
        self._metrics_url = metrics_url
        self._markets = markets
        self._candles = candles
        self._candles_at = clock.monotonic()
        self._books_at = clock.monotonic()
        self._books_told: dict[tuple[str, str], float] = {}
        self._candles_told: dict[tuple[str, str], datetime] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._unsent = b""
        self._readiness_at = clock.monotonic()
        self._markets_at = clock.monotonic()

    def turn(self) -> bool:
        """Say what is due; False when nobody reads any more."""
        now, all_read = self._clock.monotonic(), not self._unsent
        if now >= self._readiness_at:
            self._readiness_at = now + READINESS_SECONDS
            self._say(self._readiness())
        if now >= self._markets_at and all_read:
            self._markets_at = now + MARKET_SECONDS
            for broker, values in self._markets().items():
                rows = self._changed(broker, values)
                if rows:
                    self._say({"kind": "markets", "broker": broker, "rows": rows})
        if now >= self._books_at and not self._unsent:
            self._books_at = now + BOOK_SECONDS
            for broker, values in self._markets().items():
                books = self._changed_books(broker, values)
                if books:
                    self._say({"kind": "books", "broker": broker, "books": books})
        if now >= self._candles_at and all_read:
            self._candles_at = now + CANDLE_SECONDS
            self._say_candles()
        return self._send()

    def _changed_books(self, broker: str, values: MarketValues) -> list[list[object]]:
        """[symbol, bids, asks] of each book with another best price; a level is [price, quantity] as text."""
        found: list[list[object]] = []
        for symbol in values.book_symbols():
            top, levels = values.top(symbol), values.levels(symbol, depth=BOOK_DEPTH)
            if top is None or levels is None or self._books_told.get((broker, symbol)) == top.seen_at:
                continue
            self._books_told[broker, symbol] = top.seen_at
            found.append([symbol, *([[plain(one.price), plain(one.qty)] for one in side] for side in levels)])
        return found

    def _say_candles(self) -> None:
        for shown in self._candles():
            newest = shown.candles[-1].opened_at if shown.candles else None
            if newest is None or self._candles_told.get((shown.broker, shown.symbol)) == newest:
                continue
            self._candles_told[shown.broker, shown.symbol] = newest
            self._say(
                {
                    "kind": "candles",
                    "broker": shown.broker,
                    "symbol": shown.symbol,
                    "interval_minutes": shown.interval_minutes,
                    "candles": [_row(candle) for candle in shown.candles[-MOST_CANDLES:]],
                }
            )

    def _readiness(self) -> Mapping[str, object]:
        saying = self._saying
        return {
            "kind": "readiness",
            "dead": saying.dead(),
            "not_ready": saying.not_ready(),
            "accounts": saying.trading(),
            "metrics": self._metrics_url(),
        }

    def _changed(self, broker: str, values: MarketValues) -> list[list[str | None]]:
        rows = []
        for symbol, row in values.rows().items():
            if self._told.get((broker, symbol)) != row.seen_at:
                self._told[broker, symbol] = row.seen_at
                volume = None if row.volume_base is None else plain(row.volume_base)
                rows.append([symbol, plain(row.bid), plain(row.ask), plain(row.last), volume])
        return rows

    def _say(self, value: Mapping[str, object]) -> None:
        if len(self._unsent) < LARGEST_BACKLOG:
            self._unsent += msgspec.json.encode(value) + b"\n"

    def _send(self) -> bool:
        while self._unsent:
            try:
                sent = os.write(self._descriptor, self._unsent[: select.PIPE_BUF * 16])
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.EBADF):
                    log.warning("the console cannot be told anything: %s", error)
                return False
            self._unsent = self._unsent[sent:]
        return True
