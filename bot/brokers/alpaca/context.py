"""What an Alpaca account is given: its own access and balances, and what it shares with the other accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.brokers.alpaca.hours import MarketHours
from bot.brokers.balance_book import BalanceBook
from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import CallLimits
from bot.brokers.kept_http import HttpWire
from bot.brokers.kept_socket import SocketWire
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import LOOPBACK_HOSTS, VenueAccess
from bot.brokers.venue_calls import CallObserver
from bot.brokers.venue_gate import VenueGate
from bot.domain.errors import ConfigurationError
from bot.domain.instrument import Instrument
from bot.seams.clock import Clock

LIVE_HOST = "api.alpaca.markets"
PAPER_HOST = "paper-api.alpaca.markets"
LIVE_DATA_URL = "https://data.alpaca.markets"
DATA_FEEDS = ("iex", "sip", "delayed_sip", "otc", "boats", "overnight")
# An order may leave for so long after it was begun; the venue knows no deadline of its own.
ORDER_DEADLINE_SECONDS = 15.0
# How late an order that has left may still come to light: nobody states a bound, so it is a long one.
LEAST_MARGIN_SECONDS = 110.0


@dataclass(frozen=True, kw_only=True)
class AlpacaContext:
    """`instruments`, `hours`, `reaper` and `clock` are the process's; the rest is this account's alone.

    `key_budgets` pace the trading calls of each key, `data_budgets` its market data calls, `public_budget` the latter
    where there are no data budgets; without them calls are not counted. `gate` is the process's; without one the
    account stands alone at the venue. `hours` is shared by all accounts of one base URL; without it the account reads
    its own.
    `data_url` empty = the same host on loopback, Alpaca's data host otherwise.
    `wire`: what the venue's sockets share; without it nobody listens to trades.
    `order_wire`: what the connections for orders in a batch share; without it each order goes by its account's thread.
    `order_deadline_seconds`: an order leaves within so long or not at all. `settle_margin_seconds`: for so long after
    that an order may still come to light.
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
    data_budgets: RateBudgets | None = None
    gate: VenueGate | None = None
    order_deadline_seconds: float = ORDER_DEADLINE_SECONDS
    settle_margin_seconds: float = LEAST_MARGIN_SECONDS
    on_private_call: CallObserver | None = None
    data_url: str = ""
    data_feed: str = "iex"
    hours: MarketHours | None = None
    wire: SocketWire | None = None
    order_wire: HttpWire | None = None

    def __post_init__(self) -> None:
        if self.order_deadline_seconds <= 0:
            raise ConfigurationError("alpaca.order_deadline_seconds must be more than 0")
        if self.access.mode == "live" and self.settle_margin_seconds < LEAST_MARGIN_SECONDS:
            raise ConfigurationError(
                f"alpaca.settle_margin_seconds is {self.settle_margin_seconds:g}; with real money it is at least "
                f"{LEAST_MARGIN_SECONDS:g}"
            )
        if self.data_feed not in DATA_FEEDS:
            raise ConfigurationError(f"alpaca.data_feed is {self.data_feed!r}; Alpaca has {', '.join(DATA_FEEDS)}")
        if self.data_url:
            # The key goes there too.
            VenueAccess(base_url=self.data_url, credentials=self.access.credentials, mode=self.access.mode)

    @property
    def market_data_url(self) -> str:
        """Where quotes and bars are read."""
        if self.data_url:
            return self.data_url
        on_loopback = urlsplit(self.access.base_url).hostname in LOOPBACK_HOSTS
        return self.access.base_url if on_loopback else LIVE_DATA_URL


def misplaced_key(base_url: str, api_key: str) -> str:
    """Why this key cannot be one of this host, or an empty text: paper keys begin with PK, live ones with AK.

    Decided without asking the venue: it would answer the same as to a wrong key, and count it.
    """
    host = urlsplit(base_url).hostname
    if host == LIVE_HOST and api_key.startswith("PK"):
        return (
            f"the API key begins with PK, so it is one of Alpaca's paper trading, and {LIVE_HOST} takes live keys "
            f"only: use a live key (AK…), or set alpaca.rest_url to https://{PAPER_HOST}"
        )
    if host == PAPER_HOST and api_key.startswith("AK"):
        return (
            f"the API key begins with AK, so it is a live one, and {PAPER_HOST} takes paper keys only: use a paper key "
            f"(PK…), or set alpaca.rest_url to https://{LIVE_HOST}"
        )
    return ""
