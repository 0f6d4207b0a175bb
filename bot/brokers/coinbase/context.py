"""What a Coinbase account is given: its own access and balances, and what it shares with the other accounts."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.brokers.balance_book import BalanceBook
from bot.brokers.call_reaper import CallReaper
from bot.brokers.coinbase.calls import CallObserver
from bot.brokers.http_session import CallLimits
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.domain.instrument import Instrument
from bot.seams.clock import Clock


@dataclass(frozen=True, kw_only=True)
class CoinbaseContext:
    """`instruments`, `reaper` and `clock` are the process's; the rest is this account's alone.

    `settle_seconds`: a request's token is good for 120 s; after that and a margin it cannot be accepted any more.
    """

    access: VenueAccess
    balance_book: BalanceBook
    instruments: SharedReading[Mapping[str, Instrument]]
    reaper: CallReaper
    clock: Clock
    limits: CallLimits
    resolver: Resolver | None = None
    settle_seconds: float = 130.0
    on_private_call: CallObserver | None = None
