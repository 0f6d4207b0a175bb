"""The latest tickers of one venue's markets, asked for as often as is needed to tell thin markets from deep ones."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.quote import Ticker
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

# A venue with ten thousand markets is read in turns, so that no round takes long.
TICKERS_PER_ROUND = 2000


class TickerSource(Protocol):
    """The one method of a broker that is needed here."""

    def get_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        """By symbol; one without a price is absent."""


class TickerBoard:
    """Of one master; used by that account's thread alone."""

    def __init__(self, source: TickerSource, *, clock: Clock, refresh_seconds: float) -> None:
        self._source = source
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._tickers: dict[str, Ticker] = {}
        # When each was asked for last (monotonic), whether or not there was an answer.
        self._asked_at: dict[str, float] = {}
        self.problem = ""

    def refresh(self, symbols: Sequence[str]) -> None:
        """Ask for those that are due, the longest unasked first. Never raises for what a venue says: see `problem`."""
        now = self._clock.monotonic()
        due = [symbol for symbol in symbols if now - self._asked_at.get(symbol, -1e18) >= self._refresh_seconds]
        if not due:
            return
        due.sort(key=lambda symbol: self._asked_at.get(symbol, -1e18))
        chosen = due[:TICKERS_PER_ROUND]
        # A reading that fails waits for its next turn like any other.
        self._asked_at.update(dict.fromkeys(chosen, now))
        try:
            self._tickers.update(self._source.get_tickers(chosen))
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            if not self.problem:
                log.warning("What markets trade and at what spread is not known: %s", error)
            self.problem = str(error)
        else:
            self.problem = ""
        self._forget(frozenset(symbols))

    def of(self, symbol: str) -> Ticker | None:
        """The last one known, however old."""
        return self._tickers.get(symbol)

    def age_seconds(self, symbol: str) -> float | None:
        """Of the last one known; None when there never was one."""
        ticker = self._tickers.get(symbol)
        return None if ticker is None else max(0.0, (self._clock.now() - ticker.quote.taken_at).total_seconds())

    def _forget(self, wanted: frozenset[str]) -> None:
        """Markets that are not listed any more, and those that other filters keep out, make room."""
        for symbol in self._asked_at.keys() - wanted:
            del self._asked_at[symbol]
            self._tickers.pop(symbol, None)
