"""What each user of a brokerage has to copy one entry with: its cash, what it holds, what it is worth.

All of it is from before the master's order, on both sides alike. What the master has traded before is in the master's
balance already, so what the user's own earlier copies will cost is taken off its balance while they are under way:
otherwise a second signal a moment later would find the user too rich, and spend the same money twice.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from sqlalchemy import Connection

from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import AssetBalance, BalanceReading, BalanceStatus, Holdings
from bot.domain.money import percent_to_fraction
from bot.domain.signal import TradeSignal
from bot.domain.symbol import base_of, quote_of
from bot.followers import Follower, Followers
from bot.storage import positions
from bot.storage.entries_under_way import UnderWay, entries_under_way
from bot.storage.equity_points import newest_marks
from bot.storage.shadow_books import ShadowBook, shadow_books

_ZERO = Decimal(0)
_UNREADABLE = (ValueError, TypeError, ArithmeticError)
# A price older than this says nothing about what an account is worth.
MARK_SECONDS = 120.0
# By how much of its notional a trade's cost may differ from it (fees), and still be told from another one.
_FEE_SHARE = Decimal("0.02")

# From memory: what one unit of a market's base could be sold for, not older than `MARK_SECONDS`; None = not known.
MarkOf = Callable[[BrokerType, str], Decimal | None]


def no_marks(_broker: BrokerType, _symbol: str) -> Decimal | None:
    """No market is looked at."""
    return None


@dataclass(frozen=True)
class Worth:
    """Quote units; None = not known, and `problem` says why."""

    value: Decimal | None
    problem: str = ""


@dataclass(frozen=True)
class Means:
    """One user's. `cash` is in the signal's quote currency, less what is under way; None = the balance is not known.

    `costs` are what it holds and what is under way, by symbol, at the prices of its own entries.
    """

    reading: BalanceReading
    cash: AssetBalance | None
    costs: Mapping[str, Decimal]


class UserMeans:
    """For one signal; what all users have in common is read once, when it is first asked for."""

    def __init__(
        self,
        connection: Connection,
        signal: TradeSignal,
        *,
        followers: Followers,
        now: datetime,
        mark_of: MarkOf = no_marks,
        at_par: AbstractSet[str] = frozenset({"USD"}),
    ) -> None:
        self._connection = connection
        self._signal = signal
        self._followers = followers
        self._now = now
        self._mark_of = mark_of
        self._at_par = at_par
        self._quote = quote_of(signal.symbol)

    def reading_of(self, follower: Follower) -> BalanceReading:
        """What the venue has said last; of a shadow user, what it would have."""
        if not follower.shadow:
            return self._followers.balance_of(follower.account)
        book = self._shadows[follower.account.label]
        assets: dict[str, Decimal] = defaultdict(Decimal, {self._quote: follower.paper_balance})
        for currency, spent in book.spent.items():
            assets[currency] -= spent
        for symbol, units in book.units.items():
            assets[base_of(symbol)] += units
        held = {asset: AssetBalance(max(_ZERO, amount), _ZERO) for asset, amount in assets.items()}
        return BalanceReading(BalanceStatus.FRESH, Holdings(held, self._now), 0.0)

    def of(self, follower: Follower, reading: BalanceReading) -> Means:
        """Raises what a position that cannot be read raises."""
        label, cash = follower.account.label, self.cash_of(follower, reading)
        if follower.shadow:
            return Means(reading, cash, self._shadows[label].costs)
        costs, under_way = self._costs_of(label), self._under_way.get(label, ())
        if under_way:
            costs = _with(costs, under_way)
        return Means(reading, cash, costs)

    def cash_of(self, follower: Follower, reading: BalanceReading) -> AssetBalance | None:
        """The total less what is under way at the prices it was planned at, and what is free less what that may
        cost at most; None = not known."""
        if reading.holdings is None:
            return None
        cash = reading.holdings.of(self._quote)
        under_way = [one for one in self._under_way.get(follower.account.label, ()) if self._is_paid_alike(one)]
        if not under_way or follower.shadow:
            return cash
        planned = sum((one.quantity * one.price for one in under_way), _ZERO)
        most = sum((self._most(one, follower) for one in under_way), _ZERO)
        available = max(_ZERO, cash.available - most)
        return AssetBalance(available, max(_ZERO, cash.total - planned) - available)

    def worth_of(self, reading: BalanceReading) -> Worth:
        """Cash and everything held at fresh prices."""
        if reading.holdings is None or reading.status is not BalanceStatus.FRESH:
            return Worth(None, f"the balance is {reading.status}: {reading.reason}")
        total = _ZERO
        for asset, held in reading.holdings.assets.items():
            if not held.total:
                continue
            price = self._price(asset)
            if price is None:
                return Worth(None, f"{asset} has no price that is fresh")
            total += held.total * price
        return Worth(total)

    @cached_property
    def masters_worth(self) -> Worth:
        """From before the order: where its cash shows that the order is in it, what that has cost is put back."""
        master = AccountRef.master(self._signal.broker)
        reading = self._followers.balance_of(master)
        worth = self.worth_of(reading)
        if worth.value is None or reading.holdings is None:
            return Worth(None, f"the master: {worth.problem}")
        return Worth(worth.value + self._cost_of_order(reading.holdings))

    def _cost_of_order(self, holdings: Holdings) -> Decimal:
        before, signal = self._signal.master_balance, self._signal
        if before is None:
            return _ZERO
        paid, notional = before - holdings.of(self._quote).total, signal.quantity * signal.reference_price
        # Anything else is no difference that this order has made.
        return paid - notional if abs(paid - notional) <= notional * _FEE_SHARE else _ZERO

    # -- read once --------------------------------------------------------------------------------------------------
    @cached_property
    def _under_way(self) -> Mapping[str, Sequence[UnderWay]]:
        return entries_under_way(self._connection, self._signal.broker)

    @cached_property
    def _costs_of(self) -> Callable[[str], Mapping[str, Decimal]]:
        """A row that cannot be read is raised when its own account is asked about."""
        nothing: Mapping[str, Decimal] = {}
        try:
            of_all = positions.costs_of_brokerage(self._connection, self._signal.broker)
        except _UNREADABLE:
            return self._costs_one_by_one
        return lambda label: of_all.get(label, nothing)

    def _costs_one_by_one(self, label: str) -> Mapping[str, Decimal]:
        return {each.symbol: each.cost_quote for each in positions.positions_of(self._connection, label)}

    @cached_property
    def _shadows(self) -> Mapping[str, ShadowBook]:
        followers = self._followers.followers_of(self._signal.broker)
        return shadow_books(self._connection, [each.account.label for each in followers if each.shadow])

    @cached_property
    def _written_marks(self) -> Mapping[str, Decimal]:
        since = self._now - timedelta(seconds=MARK_SECONDS)
        marks = newest_marks(self._connection, self._signal.broker, since=since)
        return {asset: mark.price for asset, mark in marks.items()}

    def shadow_units(self, label: str) -> Decimal:
        """How much of the signal's market a shadow user would hold."""
        return self._shadows[label].units.get(self._signal.symbol, _ZERO)

    def _price(self, asset: str) -> Decimal | None:
        if asset == self._quote:
            return Decimal(1)
        symbol = f"{asset}/{self._quote}"
        if symbol == self._signal.symbol:
            return self._signal.reference_price
        known = self._mark_of(self._signal.broker, symbol)
        if known is None:
            known = self._written_marks.get(asset)
        at_par = asset in self._at_par and self._quote in self._at_par
        return Decimal(1) if known is None and at_par else known

    def _most(self, one: UnderWay, follower: Follower) -> Decimal:
        """What it may cost, with its fee."""
        fee = self._followers.taker_fee_percent(follower.account, one.symbol)
        return one.quantity * one.highest_price * (1 + percent_to_fraction(fee))

    def _is_paid_alike(self, one: UnderWay) -> bool:
        return quote_of(one.symbol) == self._quote


def _with(costs: Mapping[str, Decimal], under_way: Sequence[UnderWay]) -> Mapping[str, Decimal]:
    added = defaultdict(Decimal, costs)
    for one in under_way:
        added[one.symbol] += one.quantity * one.price
    return added
