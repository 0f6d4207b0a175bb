"""The proof of a period: what the venue's balances changed by is what the books say happened, to the cent.

    closing equity − opening equity
        = realised + unrealised change − fees + net deposits + income + other holdings + difference

The left side knows only the venue's units and prices, the right side only fills and cash events, rolled forward from
the opening balances. `difference` is what is left; it must be nothing, and where it is not it is named, asset by asset.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.books.equity import worth
from bot.books.exactly import add, multiply, negate, subtract
from bot.books.flows import BookPoint, Known, Units
from bot.books.lots import NOTHING

HALF_A_CENT = Decimal("0.005")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """An account at one end of a period: the books, the venue's own units, and prices that are fresh enough.

    `prices` are in the own currency per unit; an asset without one counts for nothing, and is named.
    """

    point: BookPoint
    venue_units: Mapping[str, Decimal]
    prices: Mapping[str, Decimal]

    @property
    def priced(self) -> dict[str, Decimal]:
        """The prices, with the own currency at one."""
        return {**self.prices, self.point.own_currency: Decimal(1)}

    @property
    def equity(self) -> Decimal:
        """Of the venue's own units."""
        return worth(self.venue_units, self.priced)

    @property
    def unpriced(self) -> dict[str, Decimal]:
        """Units that the venue holds and nobody prices."""
        priced = self.priced
        return {asset: units for asset, units in self.venue_units.items() if units and asset not in priced}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What happened in a period, in the own currency.

    `realised` is before fees. `unrealised_change` is of lots with a known cost; what came or left in kind carries its
    part of it along, at the closing price. `net_deposits` and `income` in kind count at the closing price.
    `other_holdings` is what holdings without known cost moved by: their price, and money that went to or came from
    them. Fees paid with units of unknown cost are in there and, in units, in `fees_apart`.
    """

    realised: Decimal
    unrealised_change: Decimal
    fees: Decimal
    net_deposits: Decimal
    income: Decimal
    other_holdings: Decimal
    turnover: Decimal
    trades: int
    fees_apart: Mapping[str, Decimal]
    turnover_apart: Mapping[str, Decimal]

    @property
    def trading(self) -> Decimal:
        """Profit or loss of trading: realised and unrealised, after fees."""
        return subtract(add(self.realised, self.unrealised_change), self.fees)

    @property
    def total(self) -> Decimal:
        """By how much all of it together changed the equity."""
        total = self.trading
        for term in (self.net_deposits, self.income, self.other_holdings):
            total = add(total, term)
        return total


@dataclass(frozen=True, kw_only=True)
class AssetDifference:
    """The venue has other units than the books. `units` = venue − books at the close, `opening_units` at the opening.

    `value` is this asset's part of the period's difference; None when it has no price to be valued at.
    """

    asset: str
    units: Decimal
    opening_units: Decimal
    value: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The two sides of a period, and what is between them."""

    opening_equity: Decimal
    closing_equity: Decimal
    terms: Terms
    difference: Decimal
    by_asset: tuple[AssetDifference, ...]
    unpriced: Mapping[str, Decimal]

    @property
    def holds(self) -> bool:
        """To the cent, and no asset without a price has other units than the books say."""
        return abs(self.difference) < HALF_A_CENT and all(part.value is not None for part in self.by_asset)


def prove(opening: Standing, closing: Standing) -> Identity:
    """The identity of the period between two standings of one account. Pure and exact.

    Raises ValueError when they are not of one account's books in this order.
    """
    if opening.point.own_currency != closing.point.own_currency:
        raise ValueError("the two ends of a period must be in one currency")
    terms = terms_between(opening, closing)
    difference = subtract(subtract(closing.equity, opening.equity), terms.total)
    return Identity(
        opening_equity=opening.equity,
        closing_equity=closing.equity,
        terms=terms,
        difference=difference,
        by_asset=_differences(opening, closing),
        unpriced=closing.unpriced,
    )


def terms_between(opening: Standing, closing: Standing) -> Terms:
    """What the books alone say of a period; the venue's units are not asked."""
    first, last = opening.point.flows, closing.point.flows
    if first.trades > last.trades or opening.point.last_at > closing.point.last_at:
        raise ValueError("the opening point of a period must be the earlier one")
    prices = closing.priced
    deposits = _since(first.deposit_units, last.deposit_units)
    income = _since(first.income_units, last.income_units)
    realised = subtract(last.realised, first.realised)
    fees = subtract(last.fees, first.fees)
    net_deposits = add(subtract(last.net_deposits, first.net_deposits), worth(deposits, prices))
    all_income = add(subtract(last.income, first.income), worth(income, prices))
    unrealised_change = subtract(
        subtract(_unrealised(closing), _unrealised(opening)), _carried_gain(opening, closing, prices)
    )
    return Terms(
        realised=realised,
        unrealised_change=unrealised_change,
        fees=fees,
        net_deposits=net_deposits,
        income=all_income,
        other_holdings=_other_holdings(opening, closing, worth(add_units(deposits, income), prices)),
        turnover=subtract(last.turnover, first.turnover),
        trades=last.trades - first.trades,
        fees_apart=_since(first.fees_apart, last.fees_apart),
        turnover_apart=_since(first.turnover_apart, last.turnover_apart),
    )


def add_units(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> Units:
    """Asset by asset."""
    return {asset: add(one.get(asset, NOTHING), other.get(asset, NOTHING)) for asset in {**one, **other}}


def unrealised(point: BookPoint, prices: Mapping[str, Decimal]) -> Decimal:
    """Of the lots with a known cost whose asset has a price: value − cost."""
    total = NOTHING
    for asset, known in point.known.items():
        if asset in prices:
            total = add(total, subtract(multiply(known.units, prices[asset]), known.cost))
    return total


def _unrealised(standing: Standing) -> Decimal:
    return unrealised(standing.point, standing.priced)


def _carried(opening: Standing, closing: Standing) -> dict[str, Known]:
    first, last = opening.point.flows.carried, closing.point.flows.carried
    nothing = Known()
    return {
        asset: known.plus(negate(first.get(asset, nothing).units), negate(first.get(asset, nothing).cost))
        for asset, known in last.items()
    }


def _carried_gain(opening: Standing, closing: Standing, prices: Mapping[str, Decimal]) -> Decimal:
    """What units that came in or left in kind brought along, or took with them, over their cost."""
    gain = NOTHING
    for asset, known in _carried(opening, closing).items():
        if asset in prices:
            gain = add(gain, subtract(multiply(known.units, prices[asset]), known.cost))
    return gain


def _other_holdings(opening: Standing, closing: Standing, in_kind: Decimal) -> Decimal:
    """What is left after trading in own lots: see the derivation in docs/books.md.

    The value of units without known cost changed; of that, what came in kind is counted elsewhere. Money that they took
    or brought is added, and so is what known lots became when they were given for something else than money.
    """
    prices = closing.priced
    change = subtract(_unknown_value(closing), _unknown_value(opening))
    money = subtract(closing.point.flows.other, opening.point.flows.other)
    total = add(subtract(change, in_kind), money)
    for asset, known in _carried(opening, closing).items():
        total = add(total, multiply(known.units, prices[asset]) if asset in prices else known.cost)
    # The cost of lots without a price is in no equity: it appears, or disappears, with the price.
    return add(total, subtract(_cost_without_price(opening), _cost_without_price(closing)))


def _unknown_value(standing: Standing) -> Decimal:
    total, prices, point = NOTHING, standing.priced, standing.point
    for asset, units in point.units.items():
        if asset in prices and asset != point.own_currency:
            unknown = subtract(units, point.known.get(asset, Known()).units)
            total = add(total, multiply(unknown, prices[asset]))
    return total


def _cost_without_price(standing: Standing) -> Decimal:
    prices, total = standing.priced, NOTHING
    for asset, known in standing.point.known.items():
        if asset not in prices:
            total = add(total, known.cost)
    return total


def _since(first: Mapping[str, Decimal], last: Mapping[str, Decimal]) -> Units:
    changes = {asset: subtract(units, first.get(asset, NOTHING)) for asset, units in last.items()}
    return {asset: units for asset, units in changes.items() if units}


def _differences(opening: Standing, closing: Standing) -> tuple[AssetDifference, ...]:
    before, after = _units_apart(opening), _units_apart(closing)
    found = []
    for asset in sorted({**before, **after}):
        first, last = before.get(asset, NOTHING), after.get(asset, NOTHING)
        if first or last:
            value = _value_apart(asset, first, last, opening.priced, closing.priced)
            found.append(AssetDifference(asset=asset, units=last, opening_units=first, value=value))
    return tuple(found)


def _units_apart(standing: Standing) -> Units:
    """The venue's units less the books', where they differ."""
    books, venue = standing.point.units, standing.venue_units
    return {a: subtract(venue.get(a, NOTHING), books.get(a, NOTHING)) for a in {**books, **venue}}


def _value_apart(
    asset: str, first: Decimal, last: Decimal, before: Mapping[str, Decimal], after: Mapping[str, Decimal]
) -> Decimal | None:
    if (last and asset not in after) or (first and asset not in before):
        return None
    return subtract(
        multiply(last, after[asset]) if last else NOTHING, multiply(first, before[asset]) if first else NOTHING
    )
