"""A performance fee above a high-water mark, computed from what trading made, and never moved.

The mark is the highest that the profit of trading (realised + change of unrealised − fees, since the books began) ever
was at the end of a month. Deposits and withdrawals are no profit, so they raise and lower neither the profit nor the
mark: a deposit is not charged for, and a loss before it must still be made good. Nothing is owed twice for the same
profit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from bot.books.exactly import add, multiply, subtract
from bot.diagnostics.period_figures import net_of
from bot.storage.day_closes import DayClose

_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class FeeMonth:
    """One month. `profit` is what trading made since the books began, at its end; `mark` the highest before it.

    `above` is what the profit is above the mark, 0 if it is not; None = a day until then is not known, and no fee is
    said. With `fee_percent` None no fee is asked for.
    """

    month: str
    profit: Decimal | None
    mark: Decimal
    fee_percent: Decimal | None

    @property
    def above(self) -> Decimal | None:
        if self.profit is None:
            return None
        return max(Decimal(0), subtract(self.profit, self.mark))

    @property
    def fee(self) -> Decimal | None:
        """To the cent, rounded down, in favour of who pays it."""
        if self.above is None or self.fee_percent is None:
            return None
        return (multiply(self.above, self.fee_percent) / 100).quantize(_CENT, ROUND_FLOOR)


def fee_months(days: Iterable[DayClose], fee_percent: Decimal | None) -> Sequence[FeeMonth]:
    """Every month that the days are in, oldest first. `days` begin with the account's first, oldest first."""
    months: list[FeeMonth] = []
    profit: Decimal | None = Decimal(0)
    mark = Decimal(0)
    for month, made in _by_month(days):
        profit = None if profit is None or made is None else add(profit, made)
        months.append(FeeMonth(month=month, profit=profit, mark=mark, fee_percent=fee_percent))
        if profit is not None:
            mark = max(mark, profit)
    return months


def _by_month(days: Iterable[DayClose]) -> Sequence[tuple[str, Decimal | None]]:
    """What trading made in each month; None when one of its days is not known."""
    found: dict[str, Decimal | None] = {}
    for day in days:
        month = day.day[:7]
        before, made = found.get(month, Decimal(0)), net_of(day)
        found[month] = None if before is None or made is None else add(before, made)
    return list(found.items())
