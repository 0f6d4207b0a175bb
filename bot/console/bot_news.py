"""What the bot tells the console through the pipe: whether it lives, and the markets' prices as they change.

Written by the pipe's thread, read by every other; a value is replaced as a whole.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from bot.seams.clock import Clock

log = logging.getLogger(__name__)

LONGEST_LINE = 4_000_000
# Without a word of the bot for so long, nothing is known of it.
SILENCE_SECONDS = 10.0


class BotNews:
    """`readiness` is the bot's own word of `/live`, `/ready` and `/trading`, with the time it came (monotonic)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._readiness: tuple[float, Mapping[str, Any]] | None = None
        self._markets: dict[tuple[str, str], Sequence[Any]] = {}
        self._changed: dict[tuple[str, str], Sequence[Any]] = {}
        self._candles: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._books: dict[tuple[str, str], tuple[float, Sequence[Any], Sequence[Any]]] = {}
        self._lock = threading.Lock()
        self.ended = threading.Event()

    # -- the pipe -----------------------------------------------------------------------------------------------------
    def follow(self, pipe: BinaryIO, on_end: Callable[[], None]) -> None:
        """Read lines until the bot is gone, in this thread."""
        try:
            while line := pipe.readline(LONGEST_LINE):
                self._take(line)
        except (OSError, ValueError) as error:
            log.warning("the bot cannot be heard any more: %s", error)
        finally:
            self.ended.set()
            on_end()

    def _take(self, line: bytes) -> None:
        try:
            said = msgspec.json.decode(line)
            if said["kind"] == "readiness":
                self._readiness = (self._clock.monotonic(), said)
            elif said["kind"] == "books":
                self._take_books(str(said["broker"]), said["books"])
            elif said["kind"] == "candles":
                self._take_candles(said)
            elif said["kind"] == "markets":
                self._take_markets(str(said["broker"]), said["rows"])
        except (msgspec.DecodeError, KeyError, TypeError, IndexError, RecursionError) as error:
            log.warning("a line of the bot is not understood: %s", error)

    def _take_books(self, broker: str, books: Sequence[Sequence[Any]]) -> None:
        heard_at = self._clock.monotonic()
        with self._lock:
            self._books.update({(broker, str(symbol)): (heard_at, bids, asks) for symbol, bids, asks in books})

    def _take_candles(self, said: Mapping[str, Any]) -> None:
        with self._lock:
            self._candles[str(said["broker"]), str(said["symbol"])] = said

    def _take_markets(self, broker: str, rows: Sequence[Sequence[Any]]) -> None:
        fresh = {(broker, str(row[0])): row for row in rows}
        with self._lock:
            self._markets.update(fresh)
            self._changed.update(fresh)

    # -- everybody ----------------------------------------------------------------------------------------------------
    def readiness(self) -> Mapping[str, Any] | None:
        """The bot's last word, unless it is too old to say anything."""
        known = self._readiness
        if known is None or self._clock.monotonic() - known[0] > SILENCE_SECONDS:
            return None
        return known[1]

    def silent_seconds(self) -> float | None:
        """Since the bot's last word; None = it has never said one."""
        known = self._readiness
        return None if known is None else self._clock.monotonic() - known[0]

    def markets(self) -> Mapping[tuple[str, str], Sequence[Any]]:
        """By (brokerage, symbol): [symbol, bid, ask, last, volume_24h_base], prices as text."""
        with self._lock:
            return dict(self._markets)

    def candles(self, symbol: str) -> Sequence[Mapping[str, Any]]:
        """Of each brokerage; `candles` are [unix seconds, open, high, low, close, volume]."""
        with self._lock:
            return [said for (_, each), said in self._candles.items() if each == symbol]

    def books(self, symbol: str) -> Sequence[Mapping[str, Any]]:
        """Of each brokerage that follows its book: `bids` and `asks` as [price, quantity], the best first."""
        now = self._clock.monotonic()
        with self._lock:
            return [
                {"broker": broker, "bids": bids, "asks": asks, "age_seconds": now - heard_at}
                for (broker, each), (heard_at, bids, asks) in self._books.items()
                if each == symbol
            ]

    def take_changes(self) -> Mapping[tuple[str, str], Sequence[Any]]:
        """Markets that have changed since the last time; each once, as it is now."""
        with self._lock:
            changed, self._changed = self._changed, {}
        return changed
