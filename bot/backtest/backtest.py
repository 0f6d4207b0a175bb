"""The run: one moment after another, at each what the live program would decide, and nothing in between.

A moment is the open of a candle. There, with the candles before it closed and known: positions are looked at (price
exits and the strategy's wish), then entries; both trade `latency_seconds` later, at the price on the straight line from
the candle's open to its close. Inside the candle the price is taken to go from the open to the low, to the high, to the
close: a stop is met before a target. What is sold there brings the level that was met, less slippage.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from heapq import heapify, heappop, heappush

from bot.backtest.account import Account
from bot.backtest.candle_table import CandleTable
from bot.backtest.copying import Copying, MasterTrade
from bot.backtest.costs import Costs
from bot.backtest.entering import Entering
from bot.backtest.limits import MasterLimits
from bot.backtest.market_time import MarketTime
from bot.backtest.master_facts import MasterFacts
from bot.backtest.placing import Placing
from bot.backtest.plan import CopyTerms, CopyUser, TradingPlan
from bot.backtest.result import MASTER, AccountResult, BacktestResult
from bot.backtest.selling import Sale, Selling
from bot.backtest.venue import Venue
from bot.backtest.worth import curve_of, hold_return
from bot.domain.fill import Fill
from bot.domain.position import ExitPlan
from bot.domain.symbol import quote_of
from bot.strategies.interface import Strategy

Progress = Callable[[int, int], None]
_ZERO = Decimal(0)


class Backtest:
    """One strategy over candles of one or many symbols, for a master and the users who copy it.

    All tables have one interval and one quote currency. `use_screens=False` asks about every single candle, which has
    the same result and takes far longer. `on_progress(done, all)` is told of candles. Nothing here is random: the same
    arguments give the same result, and `seed` only names orders.

    Raises ValueError when the tables do not go together or a latency is as long as a candle.
    """

    def __init__(
        self,
        *,
        tables: Mapping[str, CandleTable],
        strategy: Strategy,
        balance: Decimal,
        plan: TradingPlan | None = None,
        costs: Costs | None = None,
        users: Sequence[CopyUser] = (),
        copy_terms: CopyTerms | None = None,
        brokerage: str = "kraken",
        seed: int = 0,
        use_screens: bool = True,
        on_progress: Progress = lambda _done, _all: None,
    ) -> None:
        self._tables = {symbol: tables[symbol] for symbol in sorted(tables)}
        self._plan, self._costs = plan or TradingPlan(), costs or Costs()
        _check(self._tables, self._costs)
        self._users, self._on_progress = users, on_progress
        self._quote = quote_of(next(iter(self._tables)))
        self._venue = Venue(self._tables, brokerage=brokerage, costs=self._costs, seed=seed)
        self._time = MarketTime(self._tables, self._venue.market, self._costs)
        self._accounts = {name: self._open(name, cash) for name, cash in self._balances(balance).items()}
        self._placing = Placing(self._venue, self._plan.orders)
        self._copying = Copying(users, self._accounts, self._venue, copy_terms or CopyTerms(), self._equity)
        facts = MasterFacts(self._venue, max_positions=self._plan.max_positions, equity_of=self._equity)
        self._selling = Selling(
            self._tables, strategy, self._venue, self._costs, self._plan.exit_plan,
            use_screens=use_screens, facts=facts, placing=self._placing,
        )  # fmt: skip
        self._limits = MasterLimits(self._plan.limits, self._accounts, self._venue.instruments, self._equity)
        self._entering = Entering(
            self._tables, strategy, self._venue, self._plan,
            use_screens=use_screens, limits=self._limits, equity_of=self._equity, facts=facts,
        )  # fmt: skip

    def run(self) -> BacktestResult:
        """Every moment at which something can happen, in order."""
        begin = int(min(table.opened_at[0] for table in self._tables.values()))
        total = sum(len(table) for table in self._tables.values())
        looks: list[tuple[int, str, str]] = []  # (when a candle opens, account, symbol) of positions to look at
        span = max(1, self._end - begin)
        moment = begin - 1
        while (found := self._next(moment, looks)) is not None:
            moment = found
            self._on_progress(total * (moment - begin) // span, total)
            due = _due(looks, moment)
            self._at(moment, due, looks)
        self._on_progress(total, total)
        return self._result(total)

    # -- one moment -------------------------------------------------------------------------------------------------
    def _next(self, after: int, looks: list[tuple[int, str, str]]) -> int | None:
        room = self._plan.max_positions - len(self._master.positions)
        entry = self._entering.next_moment(after, held=self._master.positions) if room > 0 else None
        moments = [one for one in (entry, looks[0][0] if looks else None) if one is not None]
        return min(moments, default=None)

    def _at(self, moment: int, due: list[tuple[str, str]], looks: list[tuple[int, str, str]]) -> None:
        self._time.now = max(self._time.now, moment)
        touched = set(due)
        for name, symbol in due:
            if symbol in self._accounts[name].positions:
                sale = self._selling.at_open(self._accounts[name], symbol, moment, asks_strategy=name == MASTER)
                if sale is not None:
                    self._sell(sale, moment + self._costs.latency_seconds)
        touched |= self._enter(moment)
        self._inside(moment, sorted(touched))
        for name, symbol in touched:
            self._look_again(name, symbol, moment, looks)

    def _enter(self, moment: int) -> set[tuple[str, str]]:
        touched: set[tuple[str, str]] = set()
        for wish in self._entering.wishes(moment, self._master):
            at = moment + wish.delay_seconds + self._costs.latency_seconds
            cash, equity = self._cash(MASTER), self._equity(self._master)
            self._time.show(wish.symbol, at)
            self._limits.look(datetime.fromtimestamp(at, UTC))
            quantity = self._entering.size(wish, self._master)
            if quantity is None:
                continue
            fills, why = self._placing.enter(MASTER, wish.symbol, quantity, at)
            if not fills:
                self._entering.not_entered[f"not filled: {why}"] += 1
                continue
            plan = wish.entry.exit_plan(self._plan.exit_plan)
            self._master.book(fills, exit_plan=plan, reason=wish.entry.reason)
            held = self._master.positions[wish.symbol]
            trade = _trade(fills, cash, equity, exit_plan=held.exit_plan)
            self._follow(trade, at)
            touched |= {(name, wish.symbol) for name, one in self._accounts.items() if wish.symbol in one.positions}
        return touched

    def _inside(self, moment: int, touched: list[tuple[str, str]]) -> None:
        """Price exits between the open and the close of the candles that open now, in the order of their time."""
        waiting = []
        for name, symbol in touched:
            if symbol in self._accounts[name].positions:
                sale = self._selling.inside(self._accounts[name], symbol, moment)
                if sale is not None:
                    waiting.append((sale.at, name != MASTER, name, symbol, sale))
        for at, _, name, symbol, sale in sorted(waiting, key=lambda one: one[:4]):
            if symbol in self._accounts[name].positions:
                self._sell(sale, at)

    def _sell(self, sale: Sale, at: float) -> None:
        account, symbol = self._accounts[sale.account], sale.symbol
        self._time.show(symbol, at, price=sale.price)
        cash, equity = self._cash(account.name), self._equity(account)
        held = account.positions[symbol]
        fills = self._selling.sell(account, sale, at)
        if fills and account is self._master:
            self._limits.look(datetime.fromtimestamp(at, UTC))
            sold = sum((fill.quantity for fill in fills), _ZERO)
            fraction = Decimal(1) if symbol not in account.positions else sold / held.quantity
            trade = _trade(fills, cash, equity, exit_plan=held.exit_plan, fraction=fraction)
            self._follow(trade, at, level=sale.price)

    def _follow(self, trade: MasterTrade, at: float, level: Decimal | None = None) -> None:
        """The users' copies; of a sale inside a candle they get the level or the close, whichever is worse."""
        if self._users:
            later = at + self._costs.copy_latency_seconds
            price = None if level is None else min(level, self._time.close_at(trade.symbol, at))
            self._time.show(trade.symbol, later, price=price, candle_of=at)
            self._copying.follow(trade, later)

    def _look_again(self, name: str, symbol: str, moment: int, looks: list[tuple[int, str, str]]) -> None:
        position = self._accounts[name].positions.get(symbol)
        if position is None:
            return
        opens = self._selling.next_look(self._accounts[name], symbol, moment, asks_strategy=name == MASTER)
        if opens is not None:
            heappush(looks, (opens, name, symbol))

    # -- money ------------------------------------------------------------------------------------------------------
    @property
    def _master(self) -> Account:
        return self._accounts[MASTER]

    @property
    def _end(self) -> int:
        return int(max(table.closed_at[-1] for table in self._tables.values()))

    def _balances(self, balance: Decimal) -> dict[str, Decimal]:
        return {MASTER: balance} | {user.name: user.balance for user in self._users}

    def _open(self, name: str, cash: Decimal) -> Account:
        self._venue.open(name, {self._quote: cash})
        return Account(name, cash)

    def _cash(self, name: str) -> Decimal:
        return self._venue.available(name, self._quote)

    def _equity(self, account: Account) -> Decimal:
        return sum(
            (one.quantity * self._time.last_price(symbol) for symbol, one in account.positions.items()),
            self._cash(account.name),
        )

    # -- what came of it --------------------------------------------------------------------------------------------
    def _result(self, total: int) -> BacktestResult:
        self._time.now = self._end
        results = [self._account_result(account) for account in self._accounts.values()]
        begin = min(int(table.opened_at[0]) for table in self._tables.values())
        return BacktestResult(
            symbols=list(self._tables),
            interval_minutes=next(iter(self._tables.values())).interval_minutes,
            candles=total,
            begin=datetime.fromtimestamp(begin, UTC),
            end=datetime.fromtimestamp(self._end, UTC),
            master=results[0],
            users=results[1:],
            copies=self._copying.rows,
            not_entered=Counter(self._entering.not_entered),
            faults=sorted({*self._entering.faults, *self._selling.faults}),
            asked=self._entering.asked + self._selling.asked,
            prices={symbol: (table.closed_at, table.arrays.close) for symbol, table in self._tables.items()},
            hold_return=hold_return(self._tables, self._venue.taker_fee_percent(MASTER, next(iter(self._tables)))),
        )

    def _account_result(self, account: Account) -> AccountResult:
        return AccountResult(
            name=account.name,
            opening_cash=account.opening_cash,
            final_cash=self._cash(account.name),
            final_equity=self._equity(account),
            fees=account.fees,
            fills=account.fills,
            round_trips=account.round_trips(),
            curve=curve_of(account, self._tables),
        )


def _due(looks: list[tuple[int, str, str]], moment: int) -> list[tuple[str, str]]:
    """Taken off `looks`: the positions to be looked at now, the master's first."""
    due = set()
    while looks and looks[0][0] <= moment:
        _, name, symbol = heappop(looks)
        due.add((name, symbol))
    heapify(looks)
    return sorted(due, key=lambda one: (one[0] != MASTER, one))


def _trade(
    fills: Sequence[Fill], cash: Decimal, equity: Decimal, *, exit_plan: ExitPlan, fraction: Decimal | None = None
) -> MasterTrade:
    quantity = sum((fill.quantity for fill in fills), _ZERO)
    return MasterTrade(
        symbol=fills[0].symbol,
        quantity=quantity,
        price=sum((fill.notional for fill in fills), _ZERO) / quantity,
        balance=cash,
        equity=equity,
        exit_plan=exit_plan,
        fraction=fraction,
    )


def _check(tables: Mapping[str, CandleTable], costs: Costs) -> None:
    if not tables:
        raise ValueError("there are no candles")
    empty = [symbol for symbol, table in tables.items() if not len(table)]
    if empty:
        raise ValueError(f"there are no candles of {', '.join(empty)}")
    intervals = {table.interval_minutes for table in tables.values()}
    if len(intervals) > 1:
        raise ValueError(f"all candles must have one interval, and these have {sorted(intervals)} minutes")
    quotes = {quote_of(symbol) for symbol in tables}
    if len(quotes) > 1:
        raise ValueError(f"all symbols must be paid in one currency, and these are paid in {', '.join(sorted(quotes))}")
    seconds = min(intervals) * 60
    if max(costs.latency_seconds, costs.copy_latency_seconds) * 2 >= seconds:
        raise ValueError(f"a latency must be shorter than half a candle ({seconds / 2:g} s)")
