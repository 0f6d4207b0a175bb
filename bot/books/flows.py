"""Running totals of an account's books since they began, and the books at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from bot.books.exactly import add
from bot.books.lots import NOTHING

Units = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Known:
    """Units whose cost is known, and that cost in the account's own currency. Both may be negative (sold short)."""

    units: Decimal = NOTHING
    cost: Decimal = NOTHING

    def plus(self, units: Decimal, cost: Decimal) -> "Known":
        return Known(add(self.units, units), add(self.cost, cost))


@dataclass(slots=True)
class Flows:
    """What happened, summed. Amounts in the account's own currency; what has none is kept in units, by asset.

    `other` is money that went to (−) or came from (+) holdings without known cost. `carried` are units of known cost
    that came or left in another way than by a trade for money: in kind, for another currency, or by an operator's word.
    `fees_apart` are fees paid with units of unknown cost, `turnover_apart` trades priced in another currency.
    """

    realised: Decimal = NOTHING
    fees: Decimal = NOTHING
    net_deposits: Decimal = NOTHING
    income: Decimal = NOTHING
    other: Decimal = NOTHING
    turnover: Decimal = NOTHING
    trades: int = 0
    deposit_units: Units = field(default_factory=dict)
    income_units: Units = field(default_factory=dict)
    fees_apart: Units = field(default_factory=dict)
    turnover_apart: Units = field(default_factory=dict)
    carried: dict[str, Known] = field(default_factory=dict)

    def carry(self, asset: str, units: Decimal, cost: Decimal) -> None:
        self.carried[asset] = self.carried.get(asset, Known()).plus(units, cost)

    def copy(self) -> "Flows":
        """Its own from here on."""
        return Flows(
            realised=self.realised,
            fees=self.fees,
            net_deposits=self.net_deposits,
            income=self.income,
            other=self.other,
            turnover=self.turnover,
            trades=self.trades,
            deposit_units=dict(self.deposit_units),
            income_units=dict(self.income_units),
            fees_apart=dict(self.fees_apart),
            turnover_apart=dict(self.turnover_apart),
            carried=dict(self.carried),
        )


def count_units(units: Units, asset: str, amount: Decimal) -> None:
    """Add to one asset's units."""
    units[asset] = add(units.get(asset, NOTHING), amount)


def moved_in_kind(first: Flows, last: Flows) -> set[str]:
    """The assets of which units came or left between two moments otherwise than by a trade for money."""
    pairs: list[tuple[Mapping[str, object], Mapping[str, object]]] = [
        (first.deposit_units, last.deposit_units),
        (first.income_units, last.income_units),
        (first.carried, last.carried),
    ]
    return {asset for before, after in pairs for asset, amount in after.items() if amount != before.get(asset)}


@dataclass(frozen=True, kw_only=True)
class BookPoint:
    """The books at one moment: enough, with prices, to say what any period between two of them brought.

    `units` has every asset ever held, cash under the own currency; `known` those with lots of known cost.
    """

    own_currency: str
    last_at: datetime
    units: Mapping[str, Decimal]
    known: Mapping[str, Known]
    flows: Flows
