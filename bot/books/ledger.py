"""The books of one account: entries in, first-in-first-out lots and exact totals out. Pure, one thread at a time.

Rules. A lot costs its fill's price. A fee in the quote currency is a fee; one in the base asset makes the lot smaller
and is a fee at the fill's price; one in a third asset uses up that asset's oldest lots and is a fee at their cost. What
comes in without a price in the own currency (balances from before, deposits in kind, rewards, purchases with another
currency) has no known cost and stays so until a `CostEntry` says otherwise. No quotient enters the totals: they are
exact.
"""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from bot.books.entries import BEFORE_EVERYTHING, CostEntry, Entry, Movement, Opening, Place, Trade, place_of
from bot.books.exactly import add, multiply, negate, quotient, share, subtract
from bot.books.flows import BookPoint, Flows, Known, count_units
from bot.books.lots import NOTHING, Holding, Lot, Realised
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


class Books:
    """Apply entries in the order of `place_of`; the same entry twice counts once.

    `shorts=True`: a sale of more than is held opens lots of negative quantity. Otherwise such units are `missing` until
    units come in to cover them, and no lot is made. `on_close` is told each slice that a trade closes.
    """

    def __init__(
        self, own_currency: str, *, shorts: bool = False, on_close: Callable[[Realised], None] | None = None
    ) -> None:
        self.own_currency = own_currency
        self.shorts = shorts
        self.on_close = on_close
        self.cash = NOTHING
        self.holdings: dict[str, Holding] = {}
        self.flows = Flows()
        # Words on cost whose units have not come in yet, by asset.
        self.pending_costs: dict[str, list[CostEntry]] = {}
        self.last_place: Place = (BEFORE_EVERYTHING, -1, 0, "")
        self._last: Entry | None = None
        self._last_at = BEFORE_EVERYTHING
        self._markets: dict[str, _Market] = {}
        self._seen: set[Place] = set()

    # -- reading

    @property
    def last_at(self) -> datetime:
        """When the last applied entry happened."""
        return self._last_at

    def units(self) -> dict[str, Decimal]:
        """Every asset's units by the books, cash under the own currency."""
        return {self.own_currency: self.cash} | {asset: holding.units for asset, holding in self.holdings.items()}

    def known(self) -> dict[str, Known]:
        """Per asset, what is held at a known cost."""
        found = {asset: self._known_of(holding) for asset, holding in self.holdings.items()}
        return {asset: known for asset, known in found.items() if known.units}

    def lots(self, asset: str) -> tuple[Lot, ...]:
        """Copies are the caller's business: these are the books' own, oldest first."""
        holding = self.holdings.get(asset)
        return tuple(holding.lots) if holding is not None else ()

    def knows_cost(self, lot: Lot) -> bool:
        """Whether this lot's cost is known in the own currency."""
        return lot.unit_cost is not None and lot.cost_currency == self.own_currency

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

    def _known_of(self, holding: Holding) -> Known:
        units = cost = NOTHING
        for lot in holding.lots:
            if lot.unit_cost is not None and lot.cost_currency == self.own_currency:
                units = add(units, lot.quantity)
                cost = add(cost, multiply(lot.quantity, lot.unit_cost))
        return Known(units, cost)

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
        if place in self._seen:
            return False
        self._refuse_late(entry)
        self._seen.add(place)
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
        received, fee = trade.quantity, trade.fee
        cost: Decimal | None = fee
        if fee:
            if trade.fee_currency == base.asset:
                received = subtract(received, fee)
                cost = self._fee_at(fee, trade.price)
            elif trade.fee_currency == self.own_currency:
                self.cash = subtract(self.cash, fee)
                self.flows.fees = add(self.flows.fees, fee)
            else:
                cost = self._pay_fee(trade.fee_currency, fee, trade.at)
        if received > 0:
            self._arrive(base, received, trade.price, self.own_currency, trade, cost)
        elif received < 0:
            self._close(base, negate(received), trade.price, trade, cost)

    def _sell(self, trade: Trade, base: Holding) -> None:
        left, fee = trade.quantity, trade.fee
        cost: Decimal | None = fee
        if fee:
            if trade.fee_currency == base.asset:
                left = add(left, fee)
                cost = self._fee_at(fee, trade.price)
            elif trade.fee_currency == self.own_currency:
                self.cash = subtract(self.cash, fee)
                self.flows.fees = add(self.flows.fees, fee)
            else:
                cost = self._pay_fee(trade.fee_currency, fee, trade.at)
        if left > 0:
            self._close(base, left, trade.price, trade, cost)
        elif left < 0:
            self._arrive(base, negate(left), trade.price, self.own_currency, trade, cost)

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

    # -- units coming in

    def _arrive(
        self,
        holding: Holding,
        units: Decimal,
        price: Decimal | None,
        currency: str,
        trade: Trade,
        fee: Decimal | None,
    ) -> None:
        """By a trade. `price` in `currency`; it is the lot's cost if that is the own currency."""
        holding.units = add(holding.units, units)
        left = units
        if holding.missing or (holding.lots and holding.lots[0].quantity < 0):
            left = self._cover(holding, units, price if currency == self.own_currency else None, trade, fee)
            if not left:
                return
            if fee is not None:
                fee = share(fee, before=subtract(units, left), after=units, of=units)
        # By place and not by name: there is one for each purchase.
        lot = Lot(trade.trade_id, left, left, price, currency, trade.at, fee, trade.ours)
        if currency == self.own_currency:
            holding.lots.append(lot)
        else:
            self._keep_without_cost(holding, lot)

    def _receive(self, holding: Holding, units: Decimal, lot_id: str, at: datetime | None) -> None:
        """Without a trade, and so without a price."""
        holding.units = add(holding.units, units)
        left = units
        if holding.missing or (holding.lots and holding.lots[0].quantity < 0):
            left = self._cover(holding, units, None, None, None)
        if left:
            lot = Lot(
                trade_id=lot_id,
                quantity=left,
                original=left,
                unit_cost=None,
                cost_currency="",
                acquired_at=at,
                fee=None,
            )
            self._keep_without_cost(holding, lot)

    def _cover(
        self, holding: Holding, units: Decimal, price: Decimal | None, trade: Trade | None, fee: Decimal | None
    ) -> Decimal:
        """Units that come in make good what is missing, then close short lots; what is left of them."""
        flows, left = self.flows, units
        if holding.missing:
            covered = min(left, holding.missing)
            holding.missing = subtract(holding.missing, covered)
            left = subtract(left, covered)
            if price is not None:
                flows.other = subtract(flows.other, multiply(covered, price))
        while left and holding.lots and holding.lots[0].quantity < 0:
            lot = holding.lots[0]
            held = negate(lot.quantity)
            taken = min(left, held)
            lot.quantity = add(lot.quantity, taken)
            if not lot.quantity:
                holding.lots.popleft()
            self._count_covered(holding.asset, lot, taken, price)
            if trade is not None and self.on_close is not None:
                done = subtract(units, left)
                self._tell(holding.asset, lot, taken, held, price, trade, fee, done, units)
            left = subtract(left, taken)
        return left

    def _count_covered(self, asset: str, lot: Lot, taken: Decimal, price: Decimal | None) -> None:
        flows = self.flows
        if lot.unit_cost is not None and lot.cost_currency == self.own_currency:
            if price is not None:
                flows.realised = add(flows.realised, multiply(taken, subtract(lot.unit_cost, price)))
            else:
                flows.carry(asset, taken, multiply(taken, lot.unit_cost))
        elif price is not None:
            flows.other = subtract(flows.other, multiply(taken, price))

    # -- units leaving

    def _close(
        self, holding: Holding, units: Decimal, price: Decimal | None, trade: Trade, fee: Decimal | None
    ) -> None:
        """By a trade, at a price in the own currency, or None when it was for something else."""
        flows, own, tell = self.flows, self.own_currency, self.on_close
        holding.units = subtract(holding.units, units)
        lots, left = holding.lots, units
        while left and lots and (held := lots[0].quantity) > 0:
            lot = lots[0]
            if held <= left:
                taken = held
                lots.popleft()
            else:
                taken = left
                lot.quantity = subtract(held, taken)
            if lot.unit_cost is None or lot.cost_currency != own:
                if price is not None:
                    flows.other = add(flows.other, multiply(taken, price))
            elif price is not None:
                flows.realised = add(flows.realised, multiply(taken, subtract(price, lot.unit_cost)))
            else:
                flows.carry(holding.asset, negate(taken), negate(multiply(taken, lot.unit_cost)))
            if tell is not None:
                self._tell(holding.asset, lot, taken, held, price, trade, fee, subtract(units, left), units)
            left = subtract(left, taken)
        if left:
            self._oversell(holding, left, price, trade, fee, units)

    def _oversell(
        self, holding: Holding, left: Decimal, price: Decimal | None, trade: Trade, fee: Decimal | None, units: Decimal
    ) -> None:
        """More was sold than is held: a short lot where that can be, else units that are missing."""
        if self.shorts:
            if fee is not None:
                fee = share(fee, before=subtract(units, left), after=units, of=units)
            holding.lots.append(
                Lot(
                    trade_id=trade.trade_id,
                    quantity=negate(left),
                    original=negate(left),
                    unit_cost=price,
                    cost_currency=self.own_currency if price is not None else "",
                    acquired_at=trade.at,
                    fee=fee,
                    ours=trade.ours,
                )
            )
            return
        holding.missing = add(holding.missing, left)
        if price is not None:
            self.flows.other = add(self.flows.other, multiply(left, price))

    def _use_up(self, holding: Holding, units: Decimal) -> tuple[Decimal, Decimal]:
        """For a fee: the cost of the lots it used up, and the units of it whose cost nobody knows."""
        paid = apart = NOTHING
        holding.units = subtract(holding.units, units)
        for lot, taken in self._take(holding, units):
            if lot.unit_cost is not None and lot.cost_currency == self.own_currency:
                paid = add(paid, multiply(taken, lot.unit_cost))
            else:
                apart = add(apart, taken)
            units = subtract(units, taken)
        holding.missing = add(holding.missing, units)
        return paid, add(apart, units)

    def _give_away(self, holding: Holding, units: Decimal) -> None:
        """In kind, for nothing that the books know."""
        holding.units = subtract(holding.units, units)
        for lot, taken in self._take(holding, units):
            if lot.unit_cost is not None and lot.cost_currency == self.own_currency:
                self.flows.carry(holding.asset, negate(taken), negate(multiply(taken, lot.unit_cost)))
            units = subtract(units, taken)
        holding.missing = add(holding.missing, units)

    def _take(self, holding: Holding, units: Decimal) -> list[tuple[Lot, Decimal]]:
        """The oldest lots, up to that many units."""
        taken: list[tuple[Lot, Decimal]] = []
        while units and holding.lots and holding.lots[0].quantity > 0:
            lot = holding.lots[0]
            part = min(units, lot.quantity)
            lot.quantity = subtract(lot.quantity, part)
            if not lot.quantity:
                holding.lots.popleft()
            taken.append((lot, part))
            units = subtract(units, part)
        return taken

    def _tell(
        self,
        asset: str,
        lot: Lot,
        taken: Decimal,
        held: Decimal,
        price: Decimal | None,
        trade: Trade,
        fee: Decimal | None,
        done: Decimal,
        units: Decimal,
    ) -> None:
        assert self.on_close is not None
        short, original = lot.original < 0, abs(lot.original)
        gone = subtract(original, held)
        cost = multiply(taken, lot.unit_cost) if lot.unit_cost is not None and self.knows_cost(lot) else None
        paid = None if price is None else multiply(taken, price)
        opening_fee = None if lot.fee is None else share(lot.fee, before=gone, after=add(gone, taken), of=original)
        closing_fee = None if fee is None else share(fee, before=done, after=add(done, taken), of=units)
        self.on_close(
            Realised(
                asset=asset,
                closing_trade_id=trade.trade_id,
                closing_order_id=trade.order_id,
                lot_trade_id=lot.trade_id,
                quantity=taken,
                proceeds=cost if short else paid,
                cost=paid if short else cost,
                opening_fee=opening_fee,
                closing_fee=closing_fee,
                opened_at=lot.acquired_at,
                closed_at=trade.at,
                ours=trade.ours,
                lot_ours=lot.ours,
            )
        )

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

    def _split_shares(self, holding: Holding, more: Decimal) -> None:
        """Every lot becomes more, or fewer, units for the same cost; the last one takes what rounding leaves."""
        before, left = holding.units, add(holding.units, more)
        holding.units = after = left
        for number, lot in enumerate(holding.lots, start=1):
            old = lot.quantity
            last = number == len(holding.lots)
            lot.quantity = left if last else quotient(multiply(old, after), before)
            lot.original = quotient(multiply(lot.original, lot.quantity), old)
            left = subtract(left, lot.quantity)
            if lot.unit_cost is not None:
                cost = multiply(old, lot.unit_cost)
                lot.unit_cost = quotient(cost, lot.quantity) if lot.quantity else NOTHING
                if self.knows_cost(lot):
                    rounded = subtract(multiply(lot.quantity, lot.unit_cost), cost)
                    self.flows.other = add(self.flows.other, rounded)
        holding.lots = deque(lot for lot in holding.lots if lot.quantity)

    def _book_cost(self, entry: CostEntry) -> None:
        """Units of the opening balance get it at once, what is left of the word waits for units to come."""
        if entry.asset == self.own_currency:
            return
        self.pending_costs.setdefault(entry.asset, []).append(entry)
        holding = self.holdings.get(entry.asset)
        if holding is None:
            return
        lots = list(holding.lots)
        holding.lots.clear()
        for lot in lots:
            if lot.acquired_at is None and lot.quantity > 0 and not self.knows_cost(lot):
                self._keep_without_cost(holding, lot)
            else:
                holding.lots.append(lot)

    def _keep_without_cost(self, holding: Holding, lot: Lot) -> None:
        """A lot without a cost in the own currency takes what words on cost are waiting for it, in its own place."""
        waiting = self.pending_costs.get(holding.asset, [])
        while waiting and lot.quantity:
            entry = waiting.pop(0)
            taken = min(entry.quantity, lot.quantity)
            cost = share(entry.cost, before=NOTHING, after=taken, of=entry.quantity)
            part = _split(lot, taken, quotient(entry.cost, entry.quantity), entry)
            holding.lots.append(part)
            self._recognise(holding.asset, part)
            if taken < entry.quantity:
                waiting.insert(0, _rest_of(entry, taken, cost))
        if lot.quantity:
            holding.lots.append(lot)

    def _recognise(self, asset: str, part: Lot) -> None:
        if part.unit_cost is not None and part.cost_currency == self.own_currency:
            self.flows.carry(asset, part.quantity, multiply(part.quantity, part.unit_cost))


def _split(lot: Lot, units: Decimal, unit_cost: Decimal, entry: CostEntry) -> Lot:
    """The first units of a lot, which now have a cost; the lot keeps the rest."""
    left = subtract(lot.quantity, units)
    fee = None if lot.fee is None else share(lot.fee, before=NOTHING, after=units, of=lot.quantity)
    if lot.fee is not None and fee is not None:
        lot.fee = subtract(lot.fee, fee)
    lot.quantity = lot.original = left
    return Lot(
        trade_id=lot.trade_id,
        quantity=units,
        original=units,
        unit_cost=unit_cost,
        cost_currency=entry.currency,
        acquired_at=entry.acquired_at,
        fee=NOTHING if fee is None else fee,
        ours=lot.ours,
    )


def _rest_of(entry: CostEntry, taken: Decimal, cost: Decimal) -> CostEntry:
    return CostEntry(
        asset=entry.asset,
        quantity=subtract(entry.quantity, taken),
        cost=subtract(entry.cost, cost),
        currency=entry.currency,
        acquired_at=entry.acquired_at,
        entry_id=entry.entry_id,
    )
