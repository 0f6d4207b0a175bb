"""A performance fee above a high-water mark, computed from what trading made, and never moved.

The mark is the highest that the profit of trading (realised + change of unrealised − fees, since the books began) ever
was at the end of a month. Deposits and withdrawals are no profit, so they raise and lower neither the profit nor the
mark: a deposit is not charged for, and a loss before it must still be made good. Nothing is owed twice for the same
profit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from itertools import groupby

from bot.books.book_text import from_json
from bot.books.exactly import multiply, subtract
from bot.diagnostics.period_figures import net_of, total
from bot.storage.day_closes import DayClose

_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class FeeMonth:
    """One month. `profit` is what trading made since the books began, at its end; `mark` the highest before it.

    `above` is what the profit is above the mark, 0 if it is not; None = a day until then, or what its lots
    were worth at its end, is not known, and no fee is said. With `fee_percent` None no fee is asked for.
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
    """Every month that the days are in, oldest first. `days` begin with the account's first, oldest first.

    At an end without a price for something that has a cost, its gain or loss is in no figure: the profit of then is
    not known, and makes no mark. Later months have it again.
    """
    months: list[FeeMonth] = []
    profit: Decimal | None = Decimal(0)
    mark = Decimal(0)
    for month, in_month in groupby(days, key=lambda day: day.day[:7]):
        of_month = list(in_month)
        profit = total((profit, *(net_of(day) for day in of_month)))
        known = profit if _is_valued(of_month[-1]) else None
        months.append(FeeMonth(month=month, profit=known, mark=mark, fee_percent=fee_percent))
        if known is not None:
            mark = max(mark, known)
    return months


def _is_valued(day: DayClose) -> bool:
    """Whether everything held at the day's end at a known cost had a price then."""
    unpriced = {asset for asset, units in day.units.items() if units and asset not in (day.currency, *day.marks)}
    return not unpriced or unpriced.isdisjoint(from_json(day.books_json).known())
