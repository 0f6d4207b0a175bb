"""What an account at an exchange that is opened by name is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bot.brokers.balance_book import BalanceBook
from bot.brokers.by_ccxt.unified_market import UnifiedMarkets
from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import CallLimits
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.brokers.venue_calls import CallObserver
from bot.brokers.venue_gate import VenueGate
from bot.seams.clock import Clock


@dataclass(frozen=True, kw_only=True)
class UnifiedContext:
    """`instruments`, `reaper`, `resolver`, `gate` and `clock` are the process's; the rest is this account's alone.

    `exchange_id` is ccxt's name of it. In paper mode every request goes to `access.base_url`; in live mode to ccxt's
    own addresses, and the base URL only names the exchange. Every call is counted on the address's counter and on the
    key's. `settle_seconds`: for so long after its sending an order may still come to light; nothing bounds it on its
    way. `passes_ids`: orders carry our id where ccxt passes it on. `options` are ccxt's own, by their names.
    """

    exchange_id: str
    access: VenueAccess
    balance_book: BalanceBook
    instruments: SharedReading[UnifiedMarkets]
    reaper: CallReaper
    clock: Clock
    limits: CallLimits
    quote_currency: str = "USDT"
    resolver: Resolver | None = None
    public_budget: RateBudget | None = None
    key_budgets: RateBudgets | None = None
    gate: VenueGate | None = None
    settle_seconds: float = 180.0
    passes_ids: bool = True
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    on_private_call: CallObserver | None = None
