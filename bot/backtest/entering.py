"""The master's entries: which markets its strategy is asked about, in which order, and how much is bought."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from bot.backtest.account import Account
from bot.backtest.candle_table import CandleTable
from bot.backtest.limits import MasterLimits
from bot.backtest.master_facts import MasterFacts
from bot.backtest.plan import TradingPlan
from bot.backtest.table_view import view_of
from bot.backtest.venue import Venue
from bot.domain.quote import Quote
from bot.domain.symbol import quote_of
from bot.market.candle_arrays import Mask
from bot.market.indicators import atr
from bot.master_sizer import EntryFacts, NoMasterSize, Sizing, size_master_entry
from bot.risk.fees import TakerFee, fee_problem
from bot.strategies.asking import STRATEGY_FAILED, ask_entry
from bot.strategies.interface import EntryIntent, MarketView, Strategy
from bot.strategies.screening import may_enter

_ATR_PERIOD = 14
_MINUTES_A_DAY = 1440


@dataclass(frozen=True)
class Wish:
    """An entry that the strategy wants; it is sent so many seconds after the moment, as a later cycle would."""

    entry: EntryIntent
    delay_seconds: float

    @property
    def symbol(self) -> str:
        return self.entry.symbol


class Entering:
    """Asks at the open of a candle, with the candles before it; only where the last one has closed just then."""

    def __init__(
        self,
        tables: Mapping[str, CandleTable],
        strategy: Strategy,
        venue: Venue,
        plan: TradingPlan,
        *,
        use_screens: bool,
        limits: MasterLimits,
        equity_of: Callable[[Account], Decimal],
        facts: MasterFacts,
    ) -> None:
        self._tables, self._strategy, self._venue, self._facts = tables, strategy, venue, facts
        self._plan, self._limits, self._equity_of = plan, limits, equity_of
        self._moments = {symbol: self._moments_of(table, use_screens) for symbol, table in tables.items()}
        self.asked = 0
        self.not_entered: Counter[str] = Counter()
        self.faults: set[str] = set()

    def _moments_of(self, table: CandleTable, use_screens: bool) -> list[int]:
        """All moments at which an entry is possible, in order."""
        enough = np.arange(len(table)) >= self._strategy.candles_needed - 1
        asked: Mask = may_enter(self._strategy, table.arrays) if use_screens else enough
        joined = table.closed_at[:-1] == table.opened_at[1:]
        found: list[int] = table.opened_at[1:][asked[:-1] & joined].tolist()
        return found

    def next_moment(self, after: int, *, held: Collection[str]) -> int | None:
        """When a symbol that is not held may be entered next."""
        found = []
        for symbol, moments in self._moments.items():
            if symbol not in held:
                place = bisect_right(moments, after)
                if place < len(moments):
                    found.append(moments[place])
        return min(found, default=None)

    def wishes(self, moment: int, master: Account) -> list[Wish]:
        """What the strategy wants to enter now, most confident first, as many as there is room for."""
        room = self._plan.max_positions - len(master.positions)
        found = [entry for symbol in self._due(moment) if (entry := self._ask(symbol, moment, master)) is not None]
        found.sort(key=lambda entry: (-entry.confidence, entry.symbol))
        if len(found) > max(0, room):
            self.not_entered["max_positions"] += len(found) - max(0, room)
        each, seconds = self._plan.max_entries_per_cycle, self._plan.cycle_seconds
        return [Wish(entry, number // each * seconds) for number, entry in enumerate(found[: max(0, room)])]

    def _due(self, moment: int) -> list[str]:
        """The symbols that may be entered at this moment."""
        places = ((symbol, moments, bisect_left(moments, moment)) for symbol, moments in self._moments.items())
        return [symbol for symbol, moments, place in places if place < len(moments) and moments[place] == moment]

    def _ask(self, symbol: str, moment: int, master: Account) -> EntryIntent | None:
        if symbol in master.positions or len(master.positions) >= self._plan.max_positions:
            return None
        self.asked += 1
        answer = ask_entry(self._strategy, self._view(symbol, moment, master))
        if isinstance(answer, EntryIntent):
            return answer
        if answer.rule == STRATEGY_FAILED:
            self.faults.add(f"{symbol}: {answer.reason}")
        return None

    def _view(self, symbol: str, moment: int, master: Account) -> MarketView:
        table = self._tables[symbol]
        closed = int(table.closed_at.searchsorted(moment, side="right"))
        first = max(0, closed - self._strategy.candles_needed)
        return view_of(table, first, closed, self._facts.about(master, symbol))

    # -- how much ---------------------------------------------------------------------------------------------------
    def size(self, wish: Wish, master: Account) -> Decimal | None:
        """Base units to buy at the price that is shown; None when there is no size, which is counted by its rule."""
        symbol = wish.symbol
        plan = wish.entry.exit_plan(self._plan.exit_plan)
        at = datetime.fromtimestamp(self._venue.market.now_ns / 1_000_000_000, UTC)
        shown = self._venue.market.quote(symbol)
        price, fee = shown.ask, self._venue.taker_fee_percent(master.name, symbol)
        unprofitable = fee_problem(Quote(symbol, shown.bid, price, at), plan, TakerFee(fee, told=True))
        if unprofitable is not None:
            self.not_entered[str(unprofitable.rule)] += 1
            return None
        facts = EntryFacts(
            price=price,
            cash=self._venue.available(master.name, quote_of(symbol)),
            instrument=self._venue.instruments[symbol],
            taker_fee_percent=fee,
            equity=self._equity_of(master),
            stop_loss_percent=plan.stop_loss_percent,
            daily_move_percent=self._daily_move(symbol),
            caps=self._limits.rooms(symbol, price, at),
        )
        size = size_master_entry(self._plan.sizing, facts)
        if isinstance(size, NoMasterSize):
            self.not_entered[str(size.rule)] += 1
            return None
        veto = self._limits.veto(symbol, size.quantity, price, at)
        if veto is not None:
            self.not_entered[str(veto.rule)] += 1
            return None
        return size.quantity

    def _daily_move(self, symbol: str) -> Decimal | None:
        if self._plan.sizing.mode is not Sizing.VOLATILITY_TARGET:
            return None
        table = self._tables[symbol]
        closed = int(table.closed_at.searchsorted(self._venue.market.now_ns // 1_000_000_000, side="right"))
        candles = table[max(0, closed - 3 * _ATR_PERIOD) : closed]
        ranges = atr(candles, _ATR_PERIOD)
        if not ranges:
            return None
        # Ranges grow with the square root of time.
        scaled = ranges[-1] * (_MINUTES_A_DAY / table.interval_minutes) ** 0.5
        return Decimal(repr(round(scaled / float(candles[-1].close) * 100, 8)))
