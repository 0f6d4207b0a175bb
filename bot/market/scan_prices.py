"""What a scan has asked of prices, in the store: for the brokerages whose markets nobody follows as they move."""

import logging
from collections.abc import Mapping
from datetime import datetime

from bot.brokers.market_values import MarketValues, PriceRow
from bot.domain.errors import Fenced, StoreUnavailable
from bot.domain.instrument import Instrument
from bot.domain.quote import Ticker
from bot.market.snapshots import Snapshots
from bot.seams.clock import Clock
from bot.storage.store import Store

log = logging.getLogger(__name__)

SOURCE = "asked in scans; its last price is the middle of bid and ask"


class ScanPrices:
    """Of one master; used by that account's thread alone, when its orders are out.

    Only what has changed is written, some rows at a time, and nothing while the store has other things to do.
    """

    def __init__(self, store: Store, clock: Clock, *, broker: str) -> None:
        self._clock = clock
        self._broker = broker
        self._snapshots = Snapshots(store, clock, broker=broker, values=MarketValues(clock))
        self._begun = False
        self._rows: dict[str, tuple[datetime, PriceRow]] = {}

    def note(self, listed: Mapping[str, Instrument], tickers: Mapping[str, Ticker]) -> None:
        """The rules of all markets, and these prices. Trading goes on whatever becomes of it."""
        try:
            if not self._begun:
                self._snapshots.begin()
                self._begun = True
            self._snapshots.catalogue(listed)
            self._rows = {symbol: self._row(symbol, ticker) for symbol, ticker in tickers.items()}
            self._snapshots.scout({symbol: row for symbol, (_, row) in self._rows.items()}, {}, ())
            self._snapshots.source(SOURCE)
        except Fenced:
            raise
        except StoreUnavailable as error:
            log.debug("%s: prices were not written: %s", self._broker, error)
        except Exception:
            log.exception("%s: the prices of the scan could not be written", self._broker)

    def _row(self, symbol: str, ticker: Ticker) -> tuple[datetime, PriceRow]:
        """The same row as long as the ticker is the same: that is how a change is told."""
        known, quote = self._rows.get(symbol), ticker.quote
        if known is not None and known[0] == quote.taken_at:
            return known
        seen_at = self._clock.monotonic() - (self._clock.now() - quote.taken_at).total_seconds()
        return quote.taken_at, PriceRow(quote.bid, quote.ask, quote.mid, None, seen_at)
