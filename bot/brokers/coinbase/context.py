"""What a Coinbase account is given: its own access and balances, and what it shares with the other accounts."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.brokers.balance_book import BalanceBook
from bot.brokers.call_reaper import CallReaper
from bot.brokers.coinbase.tokens import TOKEN_SECONDS
from bot.brokers.http_session import CallLimits
from bot.brokers.kept_http import HttpWire
from bot.brokers.kept_socket import SocketWire
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.brokers.venue_calls import CallObserver
from bot.brokers.venue_gate import VenueGate
from bot.domain.errors import ConfigurationError
from bot.domain.instrument import Instrument
from bot.seams.clock import Clock

LEAST_MARGIN_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class CoinbaseContext:
    """`instruments`, `reaper` and `clock` are the process's; the rest is this account's alone.

    `public_budget` and `key_budgets` pace the calls; without them they are not counted.
    `gate` is the process's; without one the account stands alone at the venue.
    `order_deadline_seconds`: an order's token is good for so long; after it the venue takes the order no more.
    `settle_margin_seconds`: for so long after that an order may still come to light.
    `quote_currency`: what entries are paid with.
    `wire`: what the venue's sockets share; without it, or without `access.ws_auth_url`, nobody listens to trades.
    `order_wire`: what the connections for orders in a batch share; without it each order goes by its account's thread.
    """

    access: VenueAccess
    balance_book: BalanceBook
    instruments: SharedReading[Mapping[str, Instrument]]
    reaper: CallReaper
    clock: Clock
    limits: CallLimits
    resolver: Resolver | None = None
    public_budget: RateBudget | None = None
    key_budgets: RateBudgets | None = None
    gate: VenueGate | None = None
    order_deadline_seconds: float = TOKEN_SECONDS
    settle_margin_seconds: float = LEAST_MARGIN_SECONDS
    on_private_call: CallObserver | None = None
    quote_currency: str = "USD"
    wire: SocketWire | None = None
    order_wire: HttpWire | None = None

    def __post_init__(self) -> None:
        if not 15 <= self.order_deadline_seconds <= TOKEN_SECONDS:
            raise ConfigurationError(
                f"coinbase.order_deadline_seconds is {self.order_deadline_seconds:g}; Coinbase takes from 15 to "
                f"{TOKEN_SECONDS:g}"
            )
        if self.access.mode == "live" and self.settle_margin_seconds < LEAST_MARGIN_SECONDS:
            raise ConfigurationError(
                f"coinbase.settle_margin_seconds is {self.settle_margin_seconds:g}; with real money it is at least "
                f"{LEAST_MARGIN_SECONDS:g}"
            )
