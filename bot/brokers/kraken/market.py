"""Kraken's markets for the market watch: prices from the feed, or over REST where there is none."""

import logging
from collections.abc import Iterable, Mapping

from bot.brokers.kraken.catalogue_keeper import CatalogueKeeper
from bot.brokers.kraken.public_feed import PublicFeed
from bot.brokers.kraken.public_reader import KrakenPublicReader, rows_from
from bot.brokers.kraken.symbols import TRADABLE_STATUS
from bot.brokers.market_values import FeedState, MarketValues
from bot.domain.errors import VenueError
from bot.domain.instrument import Instrument
from bot.seams.clock import Clock

log = logging.getLogger(__name__)


class KrakenMarket:
    """`keep` belongs to one thread; `close` may come from any. Without a feed, or while it brings no ticker, all prices
    are read in one call every `read_seconds`.
    """

    def __init__(
        self,
        *,
        values: MarketValues,
        keeper: CatalogueKeeper,
        reader: KrakenPublicReader,
        feed: PublicFeed | None,
        clock: Clock,
        read_seconds: float = 30.0,
    ) -> None:
        self.values = values
        self._keeper = keeper
        self._reader = reader
        self._feed = feed
        self._clock = clock
        self._read_seconds = read_seconds
        # A feed gets as long as one reading would take to be needed.
        self._read_at = clock.monotonic() + (0.0 if feed is None else read_seconds)
        self._problem = ""

    def open(self) -> None:
        if self._feed is not None:
            self._feed.open()

    def close(self) -> None:
        """Nothing is asked or received any more; a reading under way is cut off."""
        if self._feed is not None:
            self._feed.close()
        self._reader.close()

    def instruments(self) -> Mapping[str, Instrument]:
        """The markets as they are now; empty before they were ever read."""
        known = self._keeper.known()
        return {} if known is None else known.instruments

    def keep(self) -> None:
        """Bring the list of markets up to date, and the prices too if no feed does. Does not raise for the venue."""
        known = self._keeper.keep()
        if known is None:
            return
        if self._feed is not None:
            self._feed.listen(known.pairs)
            if self._feed.state().tickers:
                self._read_at = self._clock.monotonic() + self._read_seconds
                self._say("")
                return
        if self._clock.monotonic() >= self._read_at:
            self._read_at = self._clock.monotonic() + self._read_seconds
            self._read_prices()

    def focus(self, symbols: Iterable[str]) -> None:
        """Look at exactly these closely: books and trades, which only the feed has."""
        if self._feed is not None:
            known = self._keeper.known()
            self._feed.focus(symbol for symbol in symbols if known is not None and symbol in known.pairs)

    def closed(self) -> str:
        """Why nothing can be entered at the venue as a whole, by its own word; empty while it can, or is not heard."""
        system = self._keeper.system
        return "" if system == TRADABLE_STATUS else f"Kraken is {system}"

    def state(self) -> FeedState | None:
        """Of the feed; None when there is none."""
        return None if self._feed is None else self._feed.state()

    def source(self) -> str:
        """Where prices come from now, in words."""
        if self._feed is None:
            problem = f", but: {self._problem}" if self._problem else ""
            return f"REST, every {self._read_seconds:g} s (kraken.market_feed is off){problem}"
        state = self._feed.state()
        if state.tickers:
            return f"WebSocket: {state.sockets_up} of {state.sockets} connections, {state.tickers} tickers"
        problem = self._keeper.problem or self._problem
        because = f": {problem}" if problem else ""
        return f"REST, every {self._read_seconds:g} s, while the WebSocket is down{because}"

    def _read_prices(self) -> None:
        try:
            tickers = self._reader.tickers()
        except VenueError as error:
            self._say(str(error))
            return
        known = self._keeper.known()
        if known is not None:
            for symbol, row in rows_from(tickers, known, seen_at=self._clock.monotonic()).items():
                self.values.set_row(symbol, row)
        self._say("")

    def _say(self, problem: str) -> None:
        if problem and not self._problem:
            log.warning("The prices of Kraken's markets are not known: %s", problem)
        self._problem = problem
