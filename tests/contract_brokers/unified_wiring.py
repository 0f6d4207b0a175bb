"""The fronts of the paper exchange, spoken to through ccxt's unified methods."""

from pathlib import Path
from typing import Any

from bot.brokers.balance_book import BalanceBook
from bot.brokers.base import BaseBroker
from bot.brokers.by_ccxt.unified_context import UnifiedContext
from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import CallLimits
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import Clock, SystemClock
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.rigs import RIGS
from tests.exchange_process import ExchangeProcess

# ccxt has a class for each of these; it has none for stocks.
FRONTS = (BrokerType.KRAKEN, BrokerType.COINBASE, BrokerType.OKX, BrokerType.BINANCE)
_markets: dict[BrokerType, SharedReading[Any]] = {front: SharedReading(SystemClock()) for front in FRONTS}


class UnifiedWiring(Wiring):
    """As `Wiring`; every account is opened by the name that ccxt has for its brokerage."""

    passes_ids = True

    def __init__(self, exchange: ExchangeProcess, state_dir: Path, clock: Clock, reaper: CallReaper) -> None:
        super().__init__(exchange, state_dir, clock, reaper, read_seconds=3.0)
        self.unified_markets = dict(_markets)
        self._makers = dict.fromkeys(FRONTS, self._unified)

    def forget_markets(self) -> None:
        self.unified_markets = {front: SharedReading(self.clock) for front in FRONTS}

    def markets_of(self, broker: BrokerType) -> SharedReading[Any]:
        return self.unified_markets[broker]

    def _unified(self, account: AccountRef, access: VenueAccess) -> BaseBroker:
        from bot.brokers.by_ccxt.unified import UnifiedBroker  # its library is a big one

        context = UnifiedContext(
            exchange_id=str(account.broker),
            access=access,
            balance_book=BalanceBook(self.clock, cache_seconds=0.0),
            instruments=self.unified_markets[account.broker],
            key_budgets=self.key_budgets,
            reaper=self.reaper,
            gate=self.gate,
            public_budget=self.public_budget,
            clock=self.clock,
            limits=CallLimits(connect_seconds=1, read_seconds=self.read_seconds, call_seconds=self.read_seconds),
            on_private_call=lambda *call: self.calls.append(call),
            quote_currency=RIGS[account.broker].cash,
            passes_ids=self.passes_ids,
        )
        return UnifiedBroker(account, context)
