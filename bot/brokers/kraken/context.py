"""What a Kraken account is given: its own access, books and nonces, and what it shares with the other accounts."""

from dataclasses import dataclass
from pathlib import Path

from bot.brokers.balance_book import BalanceBook
from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import CallLimits
from bot.brokers.kraken.calls import CallObserver
from bot.brokers.kraken.keys import KrakenKeys
from bot.brokers.kraken.nonce_file import nonce_path as nonce_path
from bot.brokers.kraken.private_call_lock import PrivateCallLocks
from bot.brokers.kraken.socket import SocketWire
from bot.brokers.kraken.symbols import KrakenCatalogue
from bot.brokers.market_values import MarketValues
from bot.brokers.rate_budget import RateBudget
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.brokers.venue_gate import VenueGate
from bot.domain.errors import ConfigurationError
from bot.seams.clock import Clock

# How far Kraken's readings have been seen to lag behind its engine.
LOOK_UP_LAG_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class KrakenContext:
    """`keys`, `locks`, `catalogues`, `reaper` and `clock` are the process's; the rest is this account's alone.

    `public_budget` paces the public calls of the process; without one they are not counted.
    `gate` is the process's; without one the account stands alone at the venue.
    `limits.call_seconds` bounds a public call; a private one is bounded by the lock's hold.
    `order_deadline_seconds`: after so long (on the venue's clock) the venue must not match an order any more.
    `wire`: what sockets need; None = no private stream, and orders over REST. `socket_orders`: whether orders go over
    it, each good for `socket_deadline_seconds`. `gather_seconds`: see `AccountView`.
    `values`: prices of the venue's feed, which serve while they are not older than `max_price_age_seconds`.
    `settle_margin_seconds`: for so long after that an order may still come to light; readings lag behind the engine.
    `quote_currency`: what entries are paid with.
    """

    access: VenueAccess
    balance_book: BalanceBook
    nonce_path: Path
    keys: KrakenKeys
    locks: PrivateCallLocks
    catalogues: SharedReading[KrakenCatalogue]
    reaper: CallReaper
    clock: Clock
    limits: CallLimits
    resolver: Resolver | None = None
    public_budget: RateBudget | None = None
    gate: VenueGate | None = None
    lock_timeout_seconds: float = 12.0
    order_deadline_seconds: float = 8.0
    settle_margin_seconds: float = 60.0
    nonce_reserve_milliseconds: int = 2000
    on_private_call: CallObserver | None = None
    wire: SocketWire | None = None
    socket_orders: bool = True
    socket_deadline_seconds: float = 5.0
    gather_seconds: float = 0.5
    values: MarketValues | None = None
    max_price_age_seconds: float = 10.0
    quote_currency: str = "USD"

    def __post_init__(self) -> None:
        # Kraken takes deadlines from 2 s to 60 s ahead. It tells its time in whole seconds, and late: we are up to 3 s
        # behind it, never ahead.
        if not 5 <= self.order_deadline_seconds <= 60:
            raise ConfigurationError(
                f"kraken.order_deadline_seconds is {self.order_deadline_seconds:g}; Kraken takes from 5 to 60"
            )
        if self.access.mode == "live" and self.settle_margin_seconds < LOOK_UP_LAG_SECONDS:
            raise ConfigurationError(
                f"kraken.settle_margin_seconds is {self.settle_margin_seconds:g}; orders have come to light "
                f"{LOOK_UP_LAG_SECONDS:g} s late at Kraken, and with real money it cannot be less"
            )
