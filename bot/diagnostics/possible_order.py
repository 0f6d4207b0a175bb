"""The largest and the smallest order that an account could make now, and what sets each.

Sizes and vetoes come from the code that decides in the running bot, fed with what the store knows. Without the venue
two things are assumed, and said: the taker fee is that of the last decision, else as the brokerage has told it, else
its dearest; a strategy's own stop is not known, and the configured one stands for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import Connection

from bot.copy_planner import CopyPlanner
from bot.diagnostics.possible_order_store import PRICE_AGE, StoredFollowers, StoredPrice, price_of, reading_of
from bot.diagnostics.store_reading import describe_age
from bot.diagnostics.why_subject import Subject
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import AssetBalance, BalanceStatus
from bot.domain.instrument import Instrument
from bot.domain.order import OrderKind, Side
from bot.domain.signal import TradeSignal
from bot.domain.veto import Veto
from bot.followers import copy_limits
from bot.master_rules import MasterRules, master_rules
from bot.master_sizer import (
    PRICE_RESERVE_PERCENT,
    EntryFacts,
    MasterSize,
    NoMasterSize,
    Sizing,
    SizingRules,
    size_master_entry,
)
from bot.position_sizer import CopyMode, EntryToCopy, PositionSizer, Size, least_quantity
from bot.risk.limits import Limits, limit_rules
from bot.risk.standing import anyone
from bot.risk.worth import worth_of
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.storage.entry_decisions import decisions_of
from bot.storage.market_rows import listed_instruments
from bot.user_means import UserMeans

_ALL_CASH = SizingRules(mode=Sizing.FIXED_FRACTION, percent_of_cash=Decimal(100))
# More than any cap or cash leaves: what binds is then one of these.
_ENDLESS = Decimal("1e9")
_NOBODY = "00000000"


@dataclass(frozen=True)
class Bound:
    """A size in base units, what it costs in quote units, and what sets it, in words."""

    quantity: Decimal
    notional: Decimal
    set_by: str


@dataclass(frozen=True)
class PossibleOrder:
    """One market. `next` is the order that sizing makes now; for a user, of the order its master would make now.

    `why_none` = no such order would be let out, and why; then the bounds are what they would be without that.
    """

    symbol: str
    price: StoredPrice | None = None
    smallest: Bound | None = None
    next: Bound | None = None
    largest: Bound | None = None
    why_none: str = ""


@dataclass(frozen=True)
class _Market:
    symbol: str
    instrument: Instrument
    price: Decimal

    def bound(self, quantity: Decimal, set_by: str) -> Bound:
        return Bound(quantity, quantity * self.price, set_by)

    def smallest(self) -> Bound:
        """What the venue takes, and which of its rules says so."""
        least, rules = least_quantity(self.instrument, self.price), self.instrument
        by_quantity = max(rules.minimum_quantity, rules.lot_step) * self.price
        by_notional = rules.minimum_notional >= by_quantity
        return self.bound(least, "the venue's minimum " + ("notional" if by_notional else "quantity"))


class PossibleOrders:
    """Of one account, from the rows of one moment."""

    def __init__(self, connection: Connection, settings: Settings, subject: Subject, *, clock: Clock) -> None:
        self._connection = connection
        self._settings = settings
        self._subject = subject
        self._now = subject.account.reader.seen_at
        self._broker = BrokerType(subject.broker)
        self._listed = listed_instruments(connection, subject.broker)
        self._followers = StoredFollowers(connection, settings, subject.account.reader)
        self._limits = Limits(
            rules=limit_rules(settings), clock=clock, listed=lambda _account, symbol: self._listed.get(symbol)
        )

    def of(self, symbol: str, *, gate: str = "") -> PossibleOrder:
        """`gate` is what keeps the account from entering at all."""
        price = price_of(self._connection, self._subject.broker, symbol)
        unknown = self._not_known(symbol, price)
        if unknown or price is None:
            return PossibleOrder(symbol, price, why_none=unknown)
        market = _Market(symbol, self._listed[symbol], price.ask)
        made = self._of_master(market) if self._subject.is_master else self._of_user(market)
        return replace(made, price=price, why_none=gate or made.why_none)

    def _not_known(self, symbol: str, price: StoredPrice | None) -> str:
        if symbol not in self._listed:
            return f"the rules of {symbol} at {self._subject.broker} were not written down"
        if not self._listed[symbol].tradable:
            return f"{symbol} is not traded now: {self._listed[symbol].status}"
        if price is None:
            return f"the price of {symbol} is in no row: nobody has held it, wanted it or watched it of late"
        if self._now - price.at > PRICE_AGE:
            return f"the price of {symbol} is {describe_age(self._now - price.at)} old"
        return ""

    # -- a master ---------------------------------------------------------------------------------------------------
    def _of_master(self, market: _Market) -> PossibleOrder:
        label = self._subject.label
        reading = reading_of(self._subject.account.row, self._subject.account.reader)
        if reading.holdings is None or reading.status is not BalanceStatus.FRESH:
            why = f"its balance is {reading.status}: {reading.reason or 'it was not read of late'}"
            return PossibleOrder(market.symbol, smallest=market.smallest(), why_none=why)
        cash = reading.holdings.of(str(self._subject.account.row.quote_currency))
        rules = master_rules(self._settings)
        facts, rooms = self._facts(label, market, cash, rules)
        sized = size_master_entry(rules.sizing_rules, facts)
        largest = size_master_entry(_ALL_CASH, replace(facts, caps=_capped(rooms)))
        order = _master_bound(market, sized, rules)
        return PossibleOrder(
            market.symbol,
            smallest=market.smallest(),
            next=order,
            largest=_master_bound(market, largest, rules),
            why_none=sized.detail if isinstance(sized, NoMasterSize) else self._vetoed(market, order),
        )

    def _facts(
        self, label: str, market: _Market, cash: AssetBalance, rules: MasterRules
    ) -> tuple[EntryFacts, Mapping[str, Decimal]]:
        """As `MasterEntry` makes them: a fixed fraction is not cut down to the limits, they hold it back."""
        rooms = self._limits.rooms(self._connection, label, market.symbol)
        return EntryFacts(
            price=market.price,
            cash=cash.available,
            instrument=market.instrument,
            taker_fee_percent=self._masters_fee(label, market.symbol),
            equity=worth_of(self._connection, label, cash=cash.total, now=self._now),
            stop_loss_percent=rules.exit_plan.stop_loss_percent,
            caps={} if rules.sizing is Sizing.FIXED_FRACTION else _capped(rooms),
        ), rooms

    def _masters_fee(self, label: str, symbol: str) -> Decimal:
        for decision in decisions_of(self._connection, label, limit=20):
            said = decision.outcome.numbers.get("taker_fee_percent")
            if said is not None:
                return Decimal(said)
        return self._followers.taker_fee_percent(AccountRef.master(self._broker), symbol)

    def _vetoed(self, market: _Market, order: Bound | None) -> str:
        """What the limits would say to this order as it leaves."""
        if order is None:
            return ""
        intent = replace(
            anyone(self._subject.label),
            symbol=market.symbol,
            quantity=order.quantity,
            reference_price=market.price,
            created_at=self._now,
        )
        veto: Veto | None = self._limits.veto(self._connection, intent)
        return "" if veto is None else f"{str(veto.rule).replace('_', ' ')}: {veto.detail}"

    # -- a user -----------------------------------------------------------------------------------------------------
    def _of_user(self, market: _Market) -> PossibleOrder:
        smallest, signal = market.smallest(), self._masters_next(market)
        largest = self._largest_copy(market, self._signal(market, Decimal(1), None))
        if isinstance(signal, str):
            return PossibleOrder(market.symbol, smallest=smallest, largest=largest, why_none=signal)
        planner = CopyPlanner(
            install_id=_NOBODY,
            sizer=PositionSizer(),
            followers=self._followers,
            limits=copy_limits(self._settings),
        )
        (copy,) = planner.plan(self._connection, signal, [self._subject.label], self._now).copies
        if copy.planned_quantity is None:
            why = ": ".join(part for part in (str(copy.reason).replace("_", " "), copy.detail) if part)
            return PossibleOrder(market.symbol, smallest=smallest, largest=largest, why_none=why)
        cut = copy.capped_quantity is not None and copy.ratio is not None
        share = signal.quantity * copy.ratio if copy.ratio is not None else None
        is_cut = cut and share is not None and copy.capped_quantity is not None and copy.capped_quantity < share
        set_by = largest.set_by if is_cut and largest is not None else "its share of the master's next order"
        order = market.bound(copy.planned_quantity, set_by)
        return PossibleOrder(market.symbol, None, smallest, order, largest, self._vetoed(market, order))

    def _masters_next(self, market: _Market) -> TradeSignal | str:
        """The entry that the master would make now, or why none can be said."""
        master = AccountRef.master(self._broker)
        reading = self._followers.balance_of(master)
        if reading.holdings is None:
            return f"its master's next order is not known: {reading.reason}"
        currency = str(self._subject.account.row.quote_currency)
        cash, rules = reading.holdings.of(currency), master_rules(self._settings)
        facts, _ = self._facts(master.label, market, cash, rules)
        sized = size_master_entry(rules.sizing_rules, facts)
        if isinstance(sized, NoMasterSize):
            return f"its master would make no order: {sized.detail}"
        return self._signal(market, sized.quantity, cash.total)

    def _signal(self, market: _Market, quantity: Decimal, master_balance: Decimal | None) -> TradeSignal:
        return TradeSignal(
            signal_id=_NOBODY,
            broker=self._broker,
            symbol=market.symbol,
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            size=quantity * market.price,
            quantity=quantity,
            reference_price=market.price,
            master_balance=master_balance,
            executed_at=self._now,
        )

    def _largest_copy(self, market: _Market, signal: TradeSignal) -> Bound | None:
        """What the user's caps and cash leave for one copy, however large the master's order were."""
        label = self._subject.label
        followers = self._followers.followers_of(self._broker)
        follower = next((each for each in followers if each.account.label == label), None)
        if follower is None:
            return None
        limits = copy_limits(self._settings)
        reserve = limits.entry_reserve_percent(self._followers.taker_fee_percent(follower.account, market.symbol))
        means = UserMeans(
            self._connection,
            signal,
            followers=self._followers,
            now=self._now,
            at_par=limits.at_par,
        )
        own = means.of(follower, means.reading_of(follower))
        if own.cash is None:
            return None
        entry = EntryToCopy(
            symbol=market.symbol,
            quantity=signal.quantity,
            price=market.price,
            master_balance=None,
            user_balance=own.cash.total,
            user_available=own.cash.available,
            reserve_percent=reserve,
            user_exposure_by_symbol=own.costs,
            at_par=limits.at_par,
        )
        endless = replace(follower.rules, mode=CopyMode.FIXED_RATIO, fixed_ratio=_ENDLESS, risk_multiplier=Decimal(1))
        size = PositionSizer().size_entry(entry, endless, market.instrument)
        if not isinstance(size, Size) or not size.words:
            return None
        return market.bound(size.quantity, size.words[-1].partition(" cut ")[0])


def _capped(rooms: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    """An order may be let go at a somewhat higher price, and the limits are held against that one."""
    return {name: room * 100 / (100 + PRICE_RESERVE_PERCENT) for name, room in rooms.items()}


def _master_bound(market: _Market, sized: MasterSize | NoMasterSize, rules: MasterRules) -> Bound | None:
    if isinstance(sized, NoMasterSize):
        return None
    words = {
        str(Sizing.FIXED_FRACTION): f"order_fraction_of_balance_percent {rules.order_percent_of_cash:f}",
        str(Sizing.RISK_PER_TRADE): f"risk_per_trade_percent {rules.risk_per_trade_percent:f}",
        str(Sizing.VOLATILITY_TARGET): f"target_volatility_percent {rules.target_volatility_percent:f}",
        "cash": "available cash, less the fee",
    }
    return market.bound(sized.quantity, words.get(sized.set_by, sized.set_by))
