"""From settings to where the market watch gets a brokerage's markets from."""

from bot.brokers.contexts import PUBLIC_CALL_READS
from bot.brokers.http_session import CallLimits, VenueSession
from bot.brokers.kraken.catalogue_keeper import CatalogueKeeper
from bot.brokers.kraken.market import KrakenMarket
from bot.brokers.kraken.public_feed import PublicFeed
from bot.brokers.kraken.public_reader import KrakenPublicReader
from bot.brokers.shared_parts import SharedParts
from bot.domain.account import BrokerType
from bot.settings.model import Settings

# Kraken has its WebSocket v2 below this path.
SOCKET_PATH = "/v2"


def kraken_market(settings: Settings, shared: SharedParts, *, base_url: str, socket_url: str | None) -> KrakenMarket:
    """Kraken's markets as its addresses show them; without a `socket_url`, or with the feed switched off, over REST."""
    reader = _reader(settings, shared, base_url)
    keeper = CatalogueKeeper(shared.kraken_catalogues, key=base_url, read=reader.catalogue, clock=shared.clock)
    feed = None
    if settings.kraken.market_feed and socket_url is not None:
        feed = PublicFeed(
            wire=shared.kraken_wire,
            url=f"{socket_url.rstrip('/')}{SOCKET_PATH}",
            values=shared.kraken_values,
            decimals_of=lambda _symbol: None,  # the wire's own zeros, until the instrument channel has spoken
            on_statuses=keeper.said,
            on_unheard=keeper.unheard,
            on_system=keeper.system_is,
        )
    return KrakenMarket(
        values=shared.kraken_values,
        keeper=keeper,
        reader=reader,
        feed=feed,
        clock=shared.clock,
        read_seconds=settings.market_watch.scout_seconds,
    )


def _reader(settings: Settings, shared: SharedParts, base_url: str) -> KrakenPublicReader:
    kraken = settings.kraken
    call_seconds = kraken.connect_timeout_seconds + PUBLIC_CALL_READS * kraken.read_timeout_seconds
    limits = CallLimits(
        connect_seconds=kraken.connect_timeout_seconds,
        read_seconds=kraken.read_timeout_seconds,
        call_seconds=call_seconds,
    )
    return KrakenPublicReader(
        VenueSession(shared.reaper, limits, shared.resolver),
        base_url=base_url,
        budget=shared.kraken_public,
        gate=shared.gates[BrokerType.KRAKEN],
        call_seconds=call_seconds,
    )
