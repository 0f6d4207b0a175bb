"""What an account at OKX or Binance is given: its own access and balances, and what it shares with the others."""

from dataclasses import dataclass

from bot.brokers.balance_book import BalanceBook
from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import CallLimits
from bot.brokers.kept_http import HttpWire
from bot.brokers.kept_socket import SocketWire
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.brokers.venue_calls import CallObserver
from bot.brokers.venue_gate import VenueGate
from bot.seams.clock import Clock


@dataclass(frozen=True, kw_only=True)
class CcxtContext:
    """`instruments`, `reaper` and `clock` are the process's; the rest is this account's alone.

    `public_budget` is the address's counter and `key_budgets` are the keys'; without them calls are not counted.
    OKX: the first counts public calls, the second private ones. Binance: the first counts the weight of every call,
    the second new orders. Calls cost so much of them that 5 a second is what each venue allows.
    `gate` is the process's; without one the account stands alone at the venue.
    `order_deadline_seconds`: the venue takes an order no later than this after it was written down as being sent.
    `settle_margin_seconds`: for so long after that an order may still come to light.
    `demo`: OKX's demo trading, with keys of its own.
    `wire` is the process's for this venue's sockets; without it, or without `access.ws_auth_url`, nobody listens.
    `order_wire`: what the connections for orders in a batch share; without it each order goes by its account's thread.
    `gather_seconds`: the trades of an order that goes on are told together after so long.
    """

    access: VenueAccess
    balance_book: BalanceBook
    instruments: SharedReading[Markets]
    reaper: CallReaper
    clock: Clock
    limits: CallLimits
    quote_currency: str = "USDT"
    resolver: Resolver | None = None
    public_budget: RateBudget | None = None
    key_budgets: RateBudgets | None = None
    gate: VenueGate | None = None
    order_deadline_seconds: float = 15.0
    settle_margin_seconds: float = 15.0
    on_private_call: CallObserver | None = None
    demo: bool = False
    wire: SocketWire | None = None
    gather_seconds: float = 0.5
    order_wire: HttpWire | None = None
