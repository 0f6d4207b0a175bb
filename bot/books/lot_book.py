"""What happens to an account's lots: units come in, leave, are used up for fees, become known, are split. Pure.

`Books` decides which of it an entry is; here is what it does to lots and to the running totals.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from bot.books.entries import CostEntry, Trade
from bot.books.exactly import add, multiply, negate, quotient, share, subtract
from bot.books.flows import Flows, Known
from bot.books.lots import NOTHING, Holding, Lot, Realised


class LotBook:
    """The lots of every asset of one account but its own currency, first in first out, and the totals they move.

    `shorts=True`: a sale of more than is held opens lots of negative quantity. Otherwise such units are `missing` until
    units come in to cover them, and no lot is made. `on_close` is told each slice that a trade closes.
    """

    def __init__(
        self, own_currency: str, *, shorts: bool = False, on_close: Callable[[Realised], None] | None = None
    ) -> None:
        self.own_currency = own_currency
        self.shorts = shorts
        self.on_close = on_close
        self.holdings: dict[str, Holding] = {}
        self.flows = Flows()
        # Words on cost whose units have not come in yet, by asset.
        self.pending_costs: dict[str, list[CostEntry]] = {}

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

    def _known_of(self, holding: Holding) -> Known:
        units = cost = NOTHING
        for lot in holding.lots:
            if lot.unit_cost is not None and lot.cost_currency == self.own_currency:
                units = add(units, lot.quantity)
                cost = add(cost, multiply(lot.quantity, lot.unit_cost))
        return Known(units, cost)

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

    # -- words on cost, splits

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
