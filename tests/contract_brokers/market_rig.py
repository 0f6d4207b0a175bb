"""Kraken's public feed on a loop of its own, wired as the process wires it."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.brokers.call_reaper import CallReaper
from bot.brokers.connect_budget import ConnectBudget
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.http_session import CallLimits, VenueSession
from bot.brokers.kraken.catalogue_keeper import CatalogueKeeper
from bot.brokers.kraken.market import KrakenMarket
from bot.brokers.kraken.public_feed import PublicFeed
from bot.brokers.kraken.public_reader import KrakenPublicReader
from bot.brokers.kraken.socket import SocketWire
from bot.brokers.kraken.symbols import KrakenCatalogue
from bot.brokers.market_values import MarketValues
from bot.brokers.rate_budget import RateBudget
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_gate import VenueGate
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from tests.exchange_process import ExchangeProcess, wait_until


class MarketRig:
    """`step` is what the market watch's thread does each second."""

    def __init__(self, exchange: ExchangeProcess, *, feed: bool = True, tickers_per_socket: int = 500) -> None:
        self.clock = SystemClock()
        self.values = MarketValues(self.clock)
        self.reaper = CallReaper(self.clock)
        self.loop = FeedLoop("kraken", self.clock)
        base_url = exchange.rest_url("kraken")
        self.reader = KrakenPublicReader(
            VenueSession(self.reaper, CallLimits(call_seconds=10, read_seconds=10)),
            base_url=base_url,
            budget=RateBudget(self.clock, name="public calls", limit=None),
            gate=VenueGate(self.clock, "kraken"),
            call_seconds=10,
        )
        catalogues: SharedReading[KrakenCatalogue] = SharedReading(self.clock)
        self.keeper = CatalogueKeeper(catalogues, key=base_url, read=self.reader.catalogue, clock=self.clock)
        ids = SystemIds()
        wire = SocketWire(
            feed=self.loop,
            budget=ConnectBudget(self.clock, ids, limit=140),
            clock=self.clock,
            ids=ids,
            resolver=Resolver(self.clock),
            silence_seconds=2.0,
        )
        self.feed = PublicFeed(
            wire=wire,
            url=f"{exchange.addresses['kraken']['ws']}/v2",
            values=self.values,
            decimals_of=lambda _symbol: None,
            on_statuses=self.keeper.said,
            on_unheard=self.keeper.unheard,
            tickers_per_socket=tickers_per_socket,
        )
        self.market = KrakenMarket(
            values=self.values,
            keeper=self.keeper,
            reader=self.reader,
            feed=self.feed if feed else None,
            clock=self.clock,
        )
        self.market.open()

    def step(self, *focus: str) -> bool:
        """All markets of the venue."""
        self.market.keep()
        self.market.focus(focus)
        return True

    def look_at(self, *symbols: str) -> None:
        """Tickers, books and trades of these alone, until each has its book."""
        self.keeper.keep()
        self.feed.listen(symbols)
        self.market.focus(symbols)
        wait_until(lambda: all(self.values.top(symbol) for symbol in symbols), seconds=20, what="a book of each")
        wait_until(lambda: all(self.values.row(symbol) for symbol in symbols), seconds=20, what="a ticker of each")

    def close(self) -> None:
        self.market.close()
        self.loop.close()
        self.reaper.close()


@contextmanager
def market_rig(exchange: ExchangeProcess, *, feed: bool = True, tickers_per_socket: int = 500) -> Iterator[MarketRig]:
    rig = MarketRig(exchange, feed=feed, tickers_per_socket=tickers_per_socket)
    try:
        yield rig
    finally:
        rig.close()
