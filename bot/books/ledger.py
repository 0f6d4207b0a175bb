"""The books of one account: entries in, first-in-first-out lots and exact totals out. Pure, one thread at a time.

Rules. A lot costs its fill's price. A fee in the quote currency is a fee; one in the base asset makes the lot smaller
and is a fee at the fill's price; one in a third asset uses up that asset's oldest lots and is a fee at their cost. What
comes in without a price in the own currency (balances from before, deposits in kind, rewards, purchases with another
currency) has no known cost and stays so until a `CostEntry` says otherwise. No quotient enters the totals: they are
exact.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from bot.books.entries import BEFORE_EVERYTHING, CostEntry, Entry, Movement, Opening, Place, Trade, place_of
from bot.books.exactly import add, multiply, negate, quotient, subtract
from bot.books.flows import BookPoint, count_units
from bot.books.lot_book import LotBook
from bot.books.lots import NOTHING, Holding, Realised
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.order import Side
from bot.domain.symbol import base_of, quote_of

DEPOSITS = frozenset({CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.TRANSFER})
INCOME = frozenset({CashKind.STAKING, CashKind.DIVIDEND})
_BUY = Side.BUY


class LateEntry(ValueError):
    """An entry belongs before one that is booked already: state the books anew from a point before it."""

    def __init__(self, place: Place, last: Place) -> None:
        super().__init__(f"{place[3]} of {place[0]} belongs before {last[3]} of {last[0]}, which is booked already")
        self.at = place[0]


class _Market:
    """What the books keep per symbol; a holding is None where the own currency stands."""

    __slots__ = ("base", "quote", "seen")

    def __init__(self, base: Holding | None, quote: Holding | None) -> None:
        self.base = base
        self.quote = quote
        self.seen: set[str] = set()


class Books(LotBook):
    """Apply entries in the order of `place_of`; the same entry twice counts once. Arguments as for `LotBook`."""

    def __init__(
        self, own_currency: str, *, shorts: bool = False, on_close: Callable[[Realised], None] | None = None
    ) -> None:
        super().__init__(own_currency, shorts=shorts, on_close=on_close)
        self.cash = NOTHING
        self.last_place: Place = (BEFORE_EVERYTHING, -1, 0, "")
        self._last: Entry | None = None
        self._last_at = BEFORE_EVERYTHING
        self._markets: dict[str, _Market] = {}
        self._seen: set[tuple[int, str, datetime | None]] = set()

    # -- reading

    @property
    def last_at(self) -> datetime:
        """When the last applied entry happened."""
        return self._last_at

    def units(self) -> dict[str, Decimal]:
        """Every asset's units by the books, cash under the own currency."""
        return {self.own_currency: self.cash} | {asset: holding.units for asset, holding in self.holdings.items()}

    def point(self) -> BookPoint:
        """The books as they stand, for `bot.books.identity`."""
        return BookPoint(
            own_currency=self.own_currency,
            last_at=self._last_at,
            units=self.units(),
            known=self.known(),
            flows=self.flows.copy(),
        )

    def last_applied(self) -> Place:
        """The place of the last entry; whatever belongs at or before it is booked, or late."""
        return self.last_place if self._last is None else place_of(self._last)

    def resume_after(self, last: Place) -> None:
        """These books carry everything up to this place (they were read back): nothing at or before it may come."""
        self.last_place, self._last, self._last_at = last, None, last[0]

    # -- applying

    def apply_all(self, entries: Iterable[Entry]) -> int:
        """Apply entries that are sorted already; how many of them were new."""
        return sum(map(self.apply, entries))

    def apply(self, entry: Entry) -> bool:
        """Book one entry; False when it is booked already. Raises `LateEntry`, with nothing booked, when it is late."""
        if isinstance(entry, Trade):
            market = self._markets.get(entry.symbol) or self._open_market(entry.symbol)
            if entry.trade_id in market.seen:
                return False
            if entry.at <= self._last_at:
                self._refuse_late(entry)
            market.seen.add(entry.trade_id)
            self._last, self._last_at = entry, entry.at
            self._book_trade(entry, market)
            return True
        return self._apply_other(entry)

    def _apply_other(self, entry: Opening | Movement | CostEntry) -> bool:
        place = place_of(entry)
        # An event is known by its id alone; a word on cost that has none also by its day.
        identity = (place[1], place[3], place[0] if isinstance(entry, CostEntry) else None)
        if identity in self._seen:
            return False
        self._refuse_late(entry)
        self._seen.add(identity)
        self._last, self._last_at = entry, place[0]
        if isinstance(entry, Movement):
            self._book_movement(entry.event)
        elif isinstance(entry, Opening):
            self._book_opening(entry)
        else:
            self._book_cost(entry)
        return True

    def _refuse_late(self, entry: Entry) -> None:
        place, last = place_of(entry), self.last_applied()
        if place <= last:
            raise LateEntry(place, last)

    def _open_market(self, symbol: str) -> _Market:
        base, quote = base_of(symbol), quote_of(symbol)
        if not base or not quote or base == quote:
            raise ValueError(f"{symbol!r} is no symbol of two assets")
        market = _Market(self._holding(base), self._holding(quote))
        self._markets[symbol] = market
        return market

    def _holding(self, asset: str) -> Holding | None:
        if asset == self.own_currency:
            return None
        return self.holdings.setdefault(asset, Holding.empty(asset))

    # -- trades

    def _book_trade(self, trade: Trade, market: _Market) -> None:
        flows = self.flows
        flows.trades += 1
        notional = multiply(trade.quantity, trade.price)
        if market.base is None:
            self._trade_own_currency(trade, market, notional)
        elif market.quote is not None:
            count_units(flows.turnover_apart, market.quote.asset, notional)
            self._trade_in_kind(trade, market.base, market.quote, notional)
        elif trade.side is _BUY:
            flows.turnover = add(flows.turnover, notional)
            self.cash = subtract(self.cash, notional)
            self._buy(trade, market.base)
        else:
            flows.turnover = add(flows.turnover, notional)
            self.cash = add(self.cash, notional)
            self._sell(trade, market.base)

    def _buy(self, trade: Trade, base: Holding) -> None:
        cost = self._fee_of(trade, base)
        in_kind = trade.fee and trade.fee_currency == base.asset
        received = subtract(trade.quantity, trade.fee) if in_kind else trade.quantity
        if received > 0:
            self._arrive(base, received, trade.price, self.own_currency, trade, cost)
        elif received < 0:
            self._close(base, negate(received), trade.price, trade, cost)

    def _sell(self, trade: Trade, base: Holding) -> None:
        cost = self._fee_of(trade, base)
        in_kind = trade.fee and trade.fee_currency == base.asset
        left = add(trade.quantity, trade.fee) if in_kind else trade.quantity
        if left > 0:
            self._close(base, left, trade.price, trade, cost)
        elif left < 0:
            self._arrive(base, negate(left), trade.price, self.own_currency, trade, cost)

    def _fee_of(self, trade: Trade, base: Holding) -> Decimal | None:
        """Pay it, unless it is taken from the base units; what it costs, None = not known."""
        fee = trade.fee
        if not fee:
            return fee
        if trade.fee_currency == base.asset:
            return self._fee_at(fee, trade.price)
        if trade.fee_currency != self.own_currency:
            return self._pay_fee(trade.fee_currency, fee, trade.at)
        self.cash = subtract(self.cash, fee)
        self.flows.fees = add(self.flows.fees, fee)
        return fee

    def _fee_at(self, units: Decimal, price: Decimal) -> Decimal:
        """A fee in the base asset, at the fill's price."""
        fee = multiply(units, price)
        self.flows.fees = add(self.flows.fees, fee)
        return fee

    def _pay_fee(self, asset: str, units: Decimal, at: datetime) -> Decimal | None:
        """What a fee in any asset cost in the own currency; None when that is not (fully) known."""
        if asset == self.own_currency:
            self.cash = subtract(self.cash, units)
            self.flows.fees = add(self.flows.fees, units)
            return units
        holding = self.holdings.setdefault(asset, Holding.empty(asset))
        if units < 0:
            self._receive(holding, negate(units), f"rebate/{asset}", at)
            count_units(self.flows.fees_apart, asset, units)
            return None
        paid, apart = self._use_up(holding, units)
        self.flows.fees = add(self.flows.fees, paid)
        if apart:
            count_units(self.flows.fees_apart, asset, apart)
            return None
        return paid

    def _trade_in_kind(self, trade: Trade, base: Holding, quote: Holding, notional: Decimal) -> None:
        """For another currency than the own: what is given has no known proceeds, what is got no known cost."""
        if trade.side is _BUY:
            self._close(quote, notional, None, trade, None)
            in_base = bool(trade.fee) and trade.fee_currency == base.asset
            fee_kept = min(trade.fee, trade.quantity) if in_base else NOTHING
            if received := subtract(trade.quantity, fee_kept):
                self._arrive(base, received, trade.price, quote.asset, trade, None)
            if fee_kept:
                count_units(self.flows.fees_apart, base.asset, fee_kept)
            fee = subtract(trade.fee, fee_kept)
        else:
            self._close(base, trade.quantity, None, trade, None)
            self._arrive(quote, notional, None, "", trade, None)
            fee = trade.fee
        if fee:
            self._pay_fee(trade.fee_currency, fee, trade.at)

    def _trade_own_currency(self, trade: Trade, market: _Market, notional: Decimal) -> None:
        """The own currency stands in the base: the same trade, told from the other side (USD/CHF sold is CHF bought).

        The price of one unit of the quote is a quotient: what its rounding leaves over counts as `other`.
        """
        assert market.quote is not None
        flows, units = self.flows, trade.quantity
        flows.turnover = add(flows.turnover, units)
        price = quotient(units, notional)
        rounded = subtract(multiply(notional, price), units)
        cost = self._pay_fee(trade.fee_currency, trade.fee, trade.at) if trade.fee else NOTHING
        if trade.side is _BUY:
            self.cash = add(self.cash, units)
            flows.other = subtract(flows.other, rounded)
            self._close(market.quote, notional, price, trade, cost)
        else:
            self.cash = subtract(self.cash, units)
            flows.other = add(flows.other, rounded)
            self._arrive(market.quote, notional, price, self.own_currency, trade, cost)

    # -- movements, balances from before, words on cost

    def _book_opening(self, opening: Opening) -> None:
        holding = self._holding(opening.asset)
        if holding is None:
            self.cash = add(self.cash, opening.units)
        elif opening.units > 0:
            self._receive(holding, opening.units, "opening", None)
        elif opening.units < 0:
            holding.units = add(holding.units, opening.units)
            holding.missing = subtract(holding.missing, opening.units)

    def _book_movement(self, event: CashEvent) -> None:
        holding = self._holding(event.asset)
        if holding is None:
            self._move_cash(event)
        elif event.kind is CashKind.FEE:
            self._pay_fee(event.asset, negate(event.amount), event.at)
        else:
            self._move_units(event, holding)
        if event.fee:
            self._pay_fee(event.asset, event.fee, event.at)

    def _move_cash(self, event: CashEvent) -> None:
        flows, amount = self.flows, event.amount
        self.cash = add(self.cash, amount)
        if event.kind in DEPOSITS:
            flows.net_deposits = add(flows.net_deposits, amount)
        elif event.kind in INCOME:
            flows.income = add(flows.income, amount)
        elif event.kind is CashKind.FEE:
            flows.fees = subtract(flows.fees, amount)
        else:
            flows.other = add(flows.other, amount)

    def _move_units(self, event: CashEvent, holding: Holding) -> None:
        if event.kind is CashKind.SPLIT and holding.units > 0 and event.amount > negate(holding.units):
            self._split_shares(holding, event.amount)
            return
        if event.kind in DEPOSITS:
            count_units(self.flows.deposit_units, event.asset, event.amount)
        elif event.kind in INCOME:
            count_units(self.flows.income_units, event.asset, event.amount)
        if event.amount > 0:
            self._receive(holding, event.amount, f"event/{event.event_id}", event.at)
        elif event.amount < 0:
            self._give_away(holding, negate(event.amount))
