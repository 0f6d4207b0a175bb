"""Everything that one account's thread works with. Two accounts share no desk."""

from dataclasses import dataclass

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.leaving import WhenDisabled
from bot.execution.account_status import AccountStatus
from bot.execution.book_keeper import BookKeeper
from bot.execution.fill_recorder import FillRecorder
from bot.execution.order_chains import OrderChains
from bot.execution.order_executor import OrderExecutor
from bot.execution.reconciliation import Reconciler
from bot.flattening import Flattening
from bot.market.candle_cache import CandleCache
from bot.market.scan_prices import ScanPrices
from bot.market.ticker_board import TickerBoard
from bot.protective_stops import ProtectiveStops
from bot.risk.marks import AccountMarks
from bot.user_copier import UserCopier


@dataclass(frozen=True, kw_only=True)
class AccountDesk:
    """`copier` is there for users only, `candles` and `tickers` for masters only.

    Without `chains` every order goes at the market, without `stops` nothing rests at the venue to guard a position.
    `leaving` is set for a user switched off.
    """

    broker: BaseBroker
    status: AccountStatus
    recorder: FillRecorder
    executor: OrderExecutor
    reconciler: Reconciler
    copier: UserCopier | None
    candles: CandleCache | None
    leaving: WhenDisabled | None = None
    flattening: Flattening | None = None
    marks: AccountMarks | None = None
    books: BookKeeper | None = None
    chains: OrderChains | None = None
    tickers: TickerBoard | None = None
    scan_prices: ScanPrices | None = None
    stops: ProtectiveStops | None = None

    @property
    def account(self) -> AccountRef:
        return self.broker.account
