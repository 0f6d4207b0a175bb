"""What the accounts of one process share: the clock, the deadline keeper, the Kraken lock, the lists of markets.

Nothing here belongs to an account; an account that fails leaves nothing behind in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from bot.brokers.alpaca.hours import MarketHours
from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.by_ccxt.unified_market import UnifiedMarkets
from bot.brokers.call_reaper import CallReaper
from bot.brokers.connect_budget import ConnectBudget
from bot.brokers.ending import Ending
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kept_http import HttpWire
from bot.brokers.kept_socket import SocketWire
from bot.brokers.kraken.keys import KrakenKeys
from bot.brokers.kraken.nonce import SharedCeilings
from bot.brokers.kraken.private_call_lock import LockUse, PrivateCallLock, PrivateCallLocks
from bot.brokers.kraken.rates import TIERS, Tier
from bot.brokers.kraken.symbols import KrakenCatalogue
from bot.brokers.market_values import MarketValues
from bot.brokers.rate_budget import RateBudget
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.brokers.socket_observer import NOBODY, SocketObserver
from bot.brokers.venue_budgets import VenueBudgets, venue_budgets
from bot.brokers.venue_gate import VenueGate, VenueState
from bot.domain.account import BrokerType
from bot.domain.instrument import Instrument
from bot.seams.clock import Clock
from bot.seams.ids import IdSource, SystemIds
from bot.settings.model import Settings
from bot.supervision.probes import Probe

# (account label, endpoint, seconds on the wire, "ok" or the error's class name)
CallObserver = Callable[[str, str, float, str], None]
# What Kraken forgives at once, in seconds of the steady pace.
KRAKEN_PUBLIC_BURST_SECONDS = 10.0
# A third of it after the last message a stream is asked whether it lives. OKX ends one that says nothing for 30 s; at
# Binance every question counts in the weight that an address may use. Coinbase's heart beats every second.
STREAM_SILENCE_SECONDS = MappingProxyType(
    {BrokerType.COINBASE: 10.0, BrokerType.OKX: 15.0, BrokerType.BINANCE: 45.0, BrokerType.ALPACA: 15.0}
)
# What an address may begin, connections in seconds, with some of it left: Coinbase takes eight a second, OKX three,
# Binance 300 in five minutes; Alpaca has only the master's.
LIVE_STREAM_CONNECTS = MappingProxyType(
    {
        BrokerType.COINBASE: (6, 1.0),
        BrokerType.OKX: (3, 1.5),
        BrokerType.BINANCE: (250, 300.0),
        BrokerType.ALPACA: (30, 60.0),
    }
)
PAPER_STREAM_CONNECTS = (1000, 60.0)
# With real money and nothing else said.
LIVE_KRAKEN_TIER = "starter"
LIVE_KRAKEN_PUBLIC_PER_SECOND = 1.0


@dataclass(frozen=True, kw_only=True)
class SharedParts:
    """Make it once with `shared_parts`, pass it to every broker, close it after the last."""

    clock: Clock
    reaper: CallReaper
    resolver: Resolver
    kraken_locks: PrivateCallLocks
    kraken_keys: KrakenKeys
    kraken_catalogues: SharedReading[KrakenCatalogue]
    coinbase_instruments: SharedReading[Mapping[str, Instrument]]
    kraken_public: RateBudget
    ccxt_markets: Mapping[BrokerType, SharedReading[Markets]]
    unified_markets: Mapping[BrokerType, SharedReading[UnifiedMarkets]]
    stocks: SharedReading[Mapping[str, Instrument]]
    stock_hours: MarketHours
    budgets: Mapping[BrokerType, VenueBudgets]
    gates: Mapping[BrokerType, VenueGate]
    kraken_feed: FeedLoop
    kraken_wire: SocketWire
    kraken_values: MarketValues
    # One loop for the private streams of all brokerages that only push.
    stream_feed: FeedLoop
    stream_wires: Mapping[BrokerType, SocketWire]
    # Where orders are HTTP requests, those of a batch go from that loop too.
    order_wire: HttpWire
    on_private_call: CallObserver | None = None
    ending: Ending = field(default_factory=Ending)

    def probes(self) -> Sequence[Probe]:
        """For the watchdog: what every account of the process needs."""
        registers = [self.resolver.probe(), self.kraken_keys.probe(), self.kraken_locks.probe()]
        registers += [self.kraken_feed.probe(), self.stream_feed.probe()]
        budgets = [self.kraken_public.probe(), *(budgets.probe() for budgets in self.budgets.values())]
        return [*registers, *budgets, *(gate.probe() for gate in self.gates.values())]

    def close(self) -> None:
        self.kraken_feed.close()
        self.stream_feed.close()
        self.reaper.close()


def shared_parts(
    settings: Settings,
    clock: Clock,
    *,
    on_private_call: CallObserver | None = None,
    on_lock_use: Callable[[LockUse], None] | None = None,
    on_venue_state: Callable[[VenueState], None] | None = None,
    sockets: SocketObserver | None = None,
    ids: IdSource | None = None,
    nonce_ceilings: SharedCeilings | None = None,
) -> SharedParts:
    """The shared parts as the settings want them; the observers are for metrics and must be quick."""
    kraken, ending = settings.kraken, Ending()

    def make_lock() -> PrivateCallLock:
        return PrivateCallLock(
            clock,
            hold_seconds=kraken.private_call_hold_seconds,
            parked_key_seconds=kraken.parked_key_seconds,
            on_use=on_lock_use,
            ending=ending,
        )

    ids, resolver, feed = ids or SystemIds(), Resolver(clock), FeedLoop("kraken", clock)
    streams = FeedLoop("streams", clock)
    return SharedParts(
        clock=clock,
        reaper=CallReaper(clock),
        resolver=resolver,
        kraken_locks=PrivateCallLocks(make_lock, per_key=kraken.private_call_lock == "per_key"),
        kraken_keys=KrakenKeys(kraken_tier(settings), ending=ending, shared=nonce_ceilings),
        kraken_catalogues=SharedReading(clock),
        coinbase_instruments=SharedReading(clock),
        kraken_public=_kraken_public(settings, clock, ending),
        ccxt_markets={broker: SharedReading(clock) for broker in (BrokerType.OKX, BrokerType.BINANCE)},
        unified_markets={BrokerType(name): SharedReading(clock) for name in settings.exchanges},
        stocks=SharedReading(clock),
        stock_hours=MarketHours(clock),
        budgets=venue_budgets(settings, clock, ending),
        gates={
            broker: VenueGate(clock, str(broker), on_change=on_venue_state, ending=ending)
            for broker in settings.brokers()
        },
        kraken_feed=feed,
        kraken_values=MarketValues(clock),
        kraken_wire=SocketWire(
            feed=feed,
            budget=ConnectBudget(clock, ids, limit=kraken.websocket_connects_per_10_minutes),
            clock=clock,
            ids=ids,
            resolver=resolver,
            silence_seconds=kraken.websocket_silence_seconds,
            observer=sockets or NOBODY,
        ),
        stream_feed=streams,
        stream_wires={
            broker: SocketWire(
                feed=streams,
                budget=_stream_connects(settings, clock, ids, broker),
                clock=clock,
                ids=ids,
                resolver=resolver,
                silence_seconds=silence,
                observer=sockets or NOBODY,
            )
            for broker, silence in STREAM_SILENCE_SECONDS.items()
        },
        order_wire=HttpWire(feed=streams, clock=clock, ids=ids, resolver=resolver),
        on_private_call=on_private_call,
        ending=ending,
    )


def _stream_connects(settings: Settings, clock: Clock, ids: IdSource, broker: BrokerType) -> ConnectBudget:
    limit, seconds = LIVE_STREAM_CONNECTS[broker] if settings.trading_mode == "live" else PAPER_STREAM_CONNECTS
    return ConnectBudget(clock, ids, limit=limit, window_seconds=seconds)


def kraken_tier(settings: Settings) -> Tier | None:
    """Whose limits are kept; None = nothing is counted, which only paper mode allows."""
    name = settings.kraken.tier or (LIVE_KRAKEN_TIER if settings.trading_mode == "live" else None)
    return None if name is None else TIERS[name]


def _kraken_public(settings: Settings, clock: Clock, ending: Ending) -> RateBudget:
    rate = settings.kraken.public_calls_per_second or _live_only(settings, LIVE_KRAKEN_PUBLIC_PER_SECOND)
    limit = None if rate is None else max(1.0, rate * KRAKEN_PUBLIC_BURST_SECONDS)
    return RateBudget(clock, name="Kraken's public calls", limit=limit, decay_per_second=rate or 1.0, ending=ending)


def _live_only(settings: Settings, rate: float) -> float | None:
    return rate if settings.trading_mode == "live" else None
