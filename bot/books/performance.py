"""How well an account did: win rate, fee share, drawdown net of deposits, and holding as the yardstick. Pure.

Ratios are fractions (0.25 is a quarter), None where there is nothing to divide by. They are rounded as Decimal rounds:
they are figures to look at, no terms of an account.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from bot.books.equity import worth
from bot.books.exactly import add
from bot.books.lots import NOTHING, Realised

ONE = Decimal(1)


@dataclass(frozen=True, kw_only=True)
class Wins:
    """Closing orders by what they brought after fees. `unknown`: a cost, a price or a fee of them is not known."""

    wins: int
    losses: int
    even: int
    unknown: int
    gross_profit: Decimal
    gross_loss: Decimal

    @property
    def count(self) -> int:
        """Of those whose result is known."""
        return self.wins + self.losses + self.even

    @property
    def rate(self) -> Decimal | None:
        """Wins among all whose result is known; say `count` with it."""
        return Decimal(self.wins) / self.count if self.count else None


@dataclass(slots=True)
class _OrderResult:
    gain: Decimal = NOTHING
    net: Decimal | None = NOTHING


@dataclass(slots=True)
class ResultTally:
    """Told every slice that is closed (it is an `on_close`); judges the fills of one order as one result."""

    _orders: dict[str, _OrderResult] = field(default_factory=dict)

    def __call__(self, slice_: Realised) -> None:
        key = slice_.closing_order_id or f"{slice_.asset} {slice_.closing_trade_id}"
        result = self._orders.setdefault(key, _OrderResult())
        net = slice_.net
        result.net = None if net is None or result.net is None else add(result.net, net)
        if slice_.gain is not None:
            result.gain = add(result.gain, slice_.gain)

    def wins(self) -> Wins:
        """So far. Gross profit and loss are the gains before fees, summed over orders that gained and that lost."""
        results = list(self._orders.values())
        nets = [result.net for result in results]
        known = [net for net in nets if net is not None]
        return Wins(
            wins=sum(1 for net in known if net > 0),
            losses=sum(1 for net in known if net < 0),
            even=sum(1 for net in known if net == 0),
            unknown=len(nets) - len(known),
            gross_profit=sum((result.gain for result in results if result.gain > 0), NOTHING),
            gross_loss=sum((-result.gain for result in results if result.gain < 0), NOTHING),
        )


def fee_share(fees: Decimal, gross_profit: Decimal) -> Decimal | None:
    """What part of the gross profit the fees took; more than 1 when they took all of it and more."""
    return fees / gross_profit if gross_profit > 0 else None


@dataclass(frozen=True, slots=True)
class EquityAt:
    """One point of an equity line; `net_deposits` is what came from outside since the point before."""

    at: datetime
    equity: Decimal
    net_deposits: Decimal = NOTHING


@dataclass(frozen=True, kw_only=True)
class Drawdown:
    """The deepest fall from a peak, as a fraction of it, and when both were; 0 without times if it never fell."""

    fraction: Decimal
    peak_at: datetime | None
    trough_at: datetime | None


@dataclass(frozen=True, slots=True)
class UnitValue:
    """What one unit of an account is worth, as of a fund: 1 at the start, moved by results and not by deposits."""

    at: datetime
    value: Decimal


def unit_values(line: Iterable[EquityAt]) -> list[UnitValue]:
    """Deposits buy units and withdrawals sell them.

    Between two points money came at the first and went at the second: what a result is measured by is never less than
    what was there to make it. While that was nothing, the value stands still.
    """
    values: list[UnitValue] = []
    value, before = ONE, NOTHING
    for point in line:
        came, went = max(NOTHING, point.net_deposits), max(NOTHING, -point.net_deposits)
        if values and before + came > 0:
            value *= max(NOTHING, point.equity + went) / (before + came)
        values.append(UnitValue(point.at, value))
        before = point.equity
    return values


def max_drawdown(line: Iterable[EquityAt]) -> Drawdown:
    """Of an account's equity, net of deposits and withdrawals."""
    deepest = Drawdown(fraction=NOTHING, peak_at=None, trough_at=None)
    peak: UnitValue | None = None
    for point in unit_values(line):
        if peak is None or point.value > peak.value:
            peak = point
        elif peak.value > 0:
            fraction = (peak.value - point.value) / peak.value
            if fraction > deepest.fraction:
                deepest = Drawdown(fraction=fraction, peak_at=peak.at, trough_at=point.at)
    return deepest


def time_weighted_return(line: Iterable[EquityAt]) -> Decimal | None:
    """By what fraction one unit of the account gained; None of less than two points."""
    values = unit_values(line)
    return values[-1].value - ONE if len(values) > 1 else None


def hold_change(
    units: Mapping[str, Decimal], opening_prices: Mapping[str, Decimal], closing_prices: Mapping[str, Decimal]
) -> Decimal:
    """What the units of the opening would have gained if nobody had traded, in the own currency.

    Only assets with a price at both ends count.
    """
    both = {asset: amount for asset, amount in units.items() if asset in opening_prices and asset in closing_prices}
    return worth(both, closing_prices) - worth(both, opening_prices)
