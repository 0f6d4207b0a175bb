"""Exits of any account: the live rules at the prices that a candle is taken to have gone through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from bot.backtest.account import Account
from bot.backtest.candle_table import CandleTable
from bot.backtest.costs import Costs
from bot.backtest.master_facts import MasterFacts
from bot.backtest.next_exit import NextExit
from bot.backtest.placing import Placing
from bot.backtest.table_view import view_of
from bot.backtest.venue import Venue
from bot.domain.fill import Fill
from bot.domain.position import ExitPlan
from bot.domain.quote import Quote
from bot.position_sizer import NoSize, PositionSizer
from bot.strategies.asking import StrategyFault, ask_exit
from bot.strategies.exits import ExitDecision, ExitRule, decide_exit
from bot.strategies.interface import ExitIntent, Strategy
from bot.strategies.percent import Percent
from bot.strategies.screening import may_exit

# The close belongs to its candle, and the next one opens at the same second.
_JUST_BEFORE = 0.001


@dataclass(frozen=True)
class Sale:
    """A position that is to be sold at `at` (seconds). `price` is the one in the middle; None = that of the moment."""

    account: str
    symbol: str
    at: float
    price: Decimal | None
    decision: ExitDecision


class Selling:
    """`next_look` finds the candles that matter; `at_open` and `inside` ask the exact rules about one of them."""

    def __init__(
        self,
        tables: Mapping[str, CandleTable],
        strategy: Strategy,
        venue: Venue,
        costs: Costs,
        plan: ExitPlan,
        *,
        use_screens: bool,
        facts: MasterFacts,
        placing: Placing,
    ) -> None:
        self._tables, self._strategy, self._venue, self._facts = tables, strategy, venue, facts
        self._placing = placing
        self._default_stop = plan.stop_loss_percent
        self._use_screens = use_screens
        self._sizer = PositionSizer()
        self._looks = {symbol: self._look(table, costs) for symbol, table in tables.items()}
        # Up to which candle a position's highest bid is known: (account, symbol) -> candle.
        self._seen: dict[tuple[str, str], int] = {}
        # Tried and not wholly sold: looked at again with the next candle.
        self._unsold: set[tuple[str, str]] = set()
        self.asked = 0
        self.faults: set[str] = set()

    def _look(self, table: CandleTable, costs: Costs) -> NextExit:
        wishes = np.arange(len(table)) >= self._strategy.candles_needed - 1
        return NextExit(
            table,
            may_exit(self._strategy, table.arrays) if self._use_screens else wishes,
            float(costs.spread_percent) / 200,
            float(self._venue.instruments[table.symbol].tick_size),
            self._default_stop,
        )

    # -- when -------------------------------------------------------------------------------------------------------
    def next_look(self, account: Account, symbol: str, moment: int, *, asks_strategy: bool) -> int | None:
        """The open of the next candle after this moment at which a position may be sold; None = in none of them."""
        table, position = self._tables[symbol], account.positions[symbol]
        first = int(table.opened_at.searchsorted(moment, side="right"))
        key = (account.name, symbol)
        if not self._use_screens or key in self._unsold:
            number = first
        else:
            number = self._looks[symbol].after(position, first, asks_strategy=asks_strategy)
        return int(table.opened_at[number]) if number < len(table) else None

    # -- whether ----------------------------------------------------------------------------------------------------
    def at_open(self, account: Account, symbol: str, moment: int, *, asks_strategy: bool) -> Sale | None:
        """Rules of price and time and the strategy's wish, by the first price of the candle that opens now."""
        number = self._candle_at(symbol, moment)
        if number is None:
            return None
        self._catch_up(account, symbol, number)
        wish = self._wish(account, symbol, number) if asks_strategy else None
        if wish is None and not self._may_sell_in(account, symbol, number):
            return None
        price = self._tables[symbol][number].open
        decision = self._decide(account, symbol, price, moment, wish)
        return Sale(account.name, symbol, moment, None, decision) if decision.sells else None

    def inside(self, account: Account, symbol: str, moment: int) -> Sale | None:
        """The first point of the candle's way, after its open, at which a rule of price or time is met."""
        number = self._candle_at(symbol, moment)
        if number is None:
            return None
        candle, seconds = self._tables[symbol][number], self._tables[symbol].interval_seconds
        self._seen[account.name, symbol] = number + 1
        if not self._may_sell_in(account, symbol, number):
            account.raise_highest(symbol, self._venue.market.bid(symbol, candle.high))
            return None
        opened_at = account.positions[symbol].opened_at.timestamp()
        way = ((candle.low, seconds / 3), (candle.high, 2 * seconds / 3), (candle.close, seconds - _JUST_BEFORE))
        for price, after in way:
            at = max(moment + after, opened_at)
            decision = self._decide(account, symbol, price, at, None)
            if decision.sells:
                return Sale(account.name, symbol, at, self._price_of(symbol, decision, price), decision)
        return None

    def _may_sell_in(self, account: Account, symbol: str, number: int) -> bool:
        return not self._use_screens or self._looks[symbol].may_sell_in(account.positions[symbol], number)

    def _price_of(self, symbol: str, decision: ExitDecision, price: Decimal) -> Decimal:
        """On the way there the bid came through the level: that is the price of the sale, and never a better one."""
        if decision.level is None or decision.rule is ExitRule.TIME:
            return price
        return self._venue.market.price_for_bid(decision.level)

    def _decide(
        self, account: Account, symbol: str, price: Decimal, at: float, wish: ExitIntent | None
    ) -> ExitDecision:
        market = self._venue.market
        quote = Quote(symbol, market.bid(symbol, price), market.ask(symbol, price), datetime.fromtimestamp(at, UTC))
        account.raise_highest(symbol, quote.bid)
        decision = decide_exit(
            account.positions[symbol],
            quote,
            signal=wish,
            now=quote.taken_at,
            round_trip_fee=Percent(2 * self._venue.taker_fee_percent(account.name, symbol)),
            default_stop_percent=self._default_stop,
        )
        self.faults.update(f"{account.name}: {symbol}: {fault}" for fault in decision.faults)
        return decision

    def _wish(self, account: Account, symbol: str, number: int) -> ExitIntent | None:
        if number == 0 or not self._looks[symbol].may_exit[number - 1]:
            return None
        self.asked += 1
        table = self._tables[symbol]
        first = max(0, number - self._strategy.candles_needed)
        view = view_of(table, first, number, self._facts.about(account, symbol))
        answer = ask_exit(self._strategy, view, account.positions[symbol])
        if isinstance(answer, StrategyFault):
            self.faults.add(f"{symbol}: {answer.reason}")
            return None
        return answer

    # -- and then ---------------------------------------------------------------------------------------------------
    def sell(self, account: Account, sale: Sale, at: float) -> Sequence[Fill]:
        """Sell at the price that is shown; what cannot be sold now is tried again with the next candle."""
        position, instrument = account.positions[sale.symbol], self._venue.instruments[sale.symbol]
        key = (account.name, sale.symbol)
        size = self._sizer.size_exit(
            due=position.quantity, held=position.quantity, instrument=instrument, price=sale.decision.bid
        )
        if isinstance(size, NoSize):
            account.drop_dust(sale.symbol, datetime.fromtimestamp(at, UTC))
            return []
        rule = str(sale.decision.rule)
        fills = self._placing.leave(account.name, sale.symbol, size.quantity, at, rule)
        account.book(fills, exit_plan=position.exit_plan, reason=sale.decision.reason, rule=rule)
        account.drop_unsellable(sale.symbol, instrument, sale.decision.bid, at)
        if sale.symbol in account.positions:
            self._unsold.add(key)
        else:
            self._unsold.discard(key)
        return fills

    # -- candles ----------------------------------------------------------------------------------------------------
    def _candle_at(self, symbol: str, moment: int) -> int | None:
        """The candle that opens at this moment."""
        table = self._tables[symbol]
        number = int(table.opened_at.searchsorted(moment))
        return number if number < len(table) and int(table.opened_at[number]) == moment else None

    def _catch_up(self, account: Account, symbol: str, number: int) -> None:
        """The highest bid of the candles that were passed over since the last look."""
        first = self._seen.get((account.name, symbol), number)
        if first < number:
            table = self._tables[symbol]
            highest = table.price(int(table.prices[first:number, 1].max()))
            account.raise_highest(symbol, self._venue.market.bid(symbol, highest))
        self._seen[account.name, symbol] = number
