"""The books once more, written to be obvious instead of quick: fractions, plain lists, one parcel after the other.

Shares no code with `bot.books` but the entries it reads.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from bot.books.entries import CostEntry, Entry, Movement, Opening, Trade
from bot.domain.cash_event import CashKind

IN_OR_OUT = (CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.TRANSFER)
REWARDS = (CashKind.STAKING, CashKind.DIVIDEND)


@dataclass
class Parcel:
    """Units with one cost each (None: unknown) and what one of them was worth when the period began for it."""

    quantity: Fraction
    unit_cost: Fraction | None
    start_worth: Fraction | None
    from_before: bool = False


@dataclass
class Word:
    """What is left of an operator's word on cost; no unit cost when it is in another currency."""

    asset: str
    left: Fraction
    unit_cost: Fraction | None


@dataclass
class Recount:
    """One period: from the opening balances to the last entry. Prices are those of its two ends."""

    own: str
    shorts: bool
    opening_prices: Mapping[str, Fraction]
    closing_prices: Mapping[str, Fraction]
    units: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    parcels: dict[str, list[Parcel]] = field(default_factory=lambda: defaultdict(list))
    lost: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    realised: Fraction = Fraction(0)
    unrealised_change: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    net_deposits: Fraction = Fraction(0)
    income: Fraction = Fraction(0)
    turnover: Fraction = Fraction(0)
    fees_apart: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    words: list[Word] = field(default_factory=list)

    def run(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Opening):
                self._opening(entry)
            elif isinstance(entry, Trade):
                self._trade(entry)
            elif isinstance(entry, Movement):
                self._movement(entry)
            else:
                self._word(entry)
        for asset, parcels in self.parcels.items():
            for parcel in parcels:
                if parcel.unit_cost is not None:
                    assert parcel.start_worth is not None
                    self.unrealised_change += (self.closing_prices[asset] - parcel.start_worth) * parcel.quantity

    def equity(self, units: Mapping[str, Fraction], prices: Mapping[str, Fraction]) -> Fraction:
        return sum((units[asset] * (1 if asset == self.own else prices[asset]) for asset in units), Fraction(0))

    # -- entries

    def _opening(self, entry: Opening) -> None:
        amount = Fraction(entry.units)
        self.units[entry.asset] += amount
        if entry.asset != self.own and amount > 0:
            self.parcels[entry.asset].append(Parcel(amount, None, None, from_before=True))
        elif entry.asset != self.own:
            self.lost[entry.asset] -= amount

    def _trade(self, trade: Trade) -> None:
        base, quote = trade.symbol.split("/")
        quantity, price, fee = Fraction(trade.quantity), Fraction(trade.price), Fraction(trade.fee)
        money = quantity * price
        bought, sold = ((base, quantity), (quote, money)) if trade.side == "buy" else ((quote, money), (base, quantity))
        own_price = self._own_price(base, quote, quantity, price)
        if self.own in (base, quote):
            self.turnover += money if quote == self.own else quantity
        in_base = bool(fee) and trade.fee_currency == base
        if in_base and quote == self.own:
            self.fees += fee * price
        if in_base and trade.side == "buy" and base != self.own:
            kept = fee if quote == self.own else min(fee, quantity)
            bought = (base, quantity - kept)
            if quote != self.own:
                self.fees_apart[base] += kept
                fee, in_base = fee - kept, False
        if in_base and trade.side == "sell" and quote == self.own:
            sold = (base, quantity + fee)
        # A fee of another asset is paid before the trade, except where no money of ours stands in the pair.
        by_itself = bool(fee) and not (in_base and base != self.own and (trade.side == "buy" or quote == self.own))
        if by_itself and own_price is not None:
            self._fee(trade.fee_currency, fee)
        self._out_or_in(sold, bought, own_price)
        if by_itself and own_price is None:
            self._fee(trade.fee_currency, fee)

    def _own_price(self, base: str, quote: str, quantity: Fraction, price: Fraction) -> Fraction | None:
        if quote == self.own:
            return price
        return 1 / price if base == self.own else None

    def _out_or_in(self, sold: tuple[str, Fraction], bought: tuple[str, Fraction], own_price: Fraction | None) -> None:
        for asset, amount, sign in ((*sold, -1), (*bought, 1)):
            if asset == self.own:
                self.units[asset] += sign * amount
            elif own_price is None:
                self._change(asset, sign * amount, None, "kind_trade")
            else:
                self._change(asset, sign * amount, own_price, "trade")

    def _movement(self, movement: Movement) -> None:
        event = movement.event
        amount = Fraction(event.amount)
        worth = amount * (1 if event.asset == self.own else self.closing_prices[event.asset])
        if event.kind in IN_OR_OUT:
            self.net_deposits += worth
        elif event.kind in REWARDS:
            self.income += worth
        if event.kind is CashKind.FEE:
            self._fee(event.asset, -amount)
        elif event.asset == self.own:
            self.units[event.asset] += amount
        else:
            self._change(event.asset, amount, None, "kind")
        self._fee(event.asset, Fraction(event.fee))

    def _fee(self, asset: str, amount: Fraction) -> None:
        if asset == self.own:
            self.units[asset] -= amount
            self.fees += amount
        elif amount < 0:
            self.fees_apart[asset] += amount
            self._change(asset, -amount, None, "kind")
        elif amount:
            self._change(asset, -amount, None, "fee")

    def _word(self, entry: CostEntry) -> None:
        if entry.asset == self.own:
            return
        unit = Fraction(entry.cost) / Fraction(entry.quantity) if entry.currency == self.own else None
        self.words.append(Word(entry.asset, Fraction(entry.quantity), unit))
        old, self.parcels[entry.asset] = self.parcels[entry.asset], []
        for parcel in old:
            if parcel.from_before and parcel.unit_cost is None:
                self._add_unknown(entry.asset, parcel.quantity, from_before=True)
            else:
                self.parcels[entry.asset].append(parcel)

    # -- parcels

    def _change(self, asset: str, amount: Fraction, price: Fraction | None, why: str) -> None:
        """Units of an asset other than the own currency came (+) or left (−), for a price or for nothing known."""
        self.units[asset] += amount
        left = self._match(asset, amount, price, why)
        if left > 0 and price is None:
            self._add_unknown(asset, left)
        elif left > 0 or (left < 0 and self.shorts and why in ("trade", "kind_trade")):
            self.parcels[asset].append(Parcel(left, price, price))
        elif left < 0:
            self.lost[asset] -= left
            self.fees_apart[asset] -= left if why == "fee" else 0

    def _match(self, asset: str, amount: Fraction, price: Fraction | None, why: str) -> Fraction:
        if amount > 0:
            made_good = min(amount, self.lost[asset])
            self.lost[asset] -= made_good
            amount -= made_good
        parcels = self.parcels[asset]
        while amount and parcels and parcels[0].quantity * amount < 0:
            first = parcels[0]
            part = min(abs(first.quantity), abs(amount)) * (1 if first.quantity > 0 else -1)
            self._settle(asset, first, part, price, why)
            first.quantity -= part
            amount += part
            if not first.quantity:
                parcels.pop(0)
        return amount

    def _settle(self, asset: str, parcel: Parcel, part: Fraction, price: Fraction | None, why: str) -> None:
        """`part` of a parcel (negative of a short one) is gone."""
        if parcel.unit_cost is None:
            self.fees_apart[asset] += part if why == "fee" else 0
            return
        assert parcel.start_worth is not None
        if why == "fee":
            self.fees += part * parcel.unit_cost
            self.unrealised_change += part * (parcel.unit_cost - parcel.start_worth)
        elif price is not None:
            self.realised += part * (price - parcel.unit_cost)
            self.unrealised_change += part * (parcel.unit_cost - parcel.start_worth)
        else:
            self.unrealised_change += part * (self.closing_prices[asset] - parcel.start_worth)

    def _add_unknown(self, asset: str, amount: Fraction, from_before: bool = False) -> None:
        for word in self.words:
            if word.asset == asset and word.left and amount:
                part = min(amount, word.left)
                word.left -= part
                amount -= part
                start = None if word.unit_cost is None else self.closing_prices[asset]
                self.parcels[asset].append(Parcel(part, word.unit_cost, start))
        if amount:
            self.parcels[asset].append(Parcel(amount, None, None, from_before))
