"""How a stretch of days was traded: win rate, fee share, turnover, drawdown, and what holding would have brought."""

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from decimal import Decimal

from bot.books.performance import EquityAt, fee_share, hold_change, max_drawdown, unit_values
from bot.diagnostics.period_figures import AccountPeriod, Beginning, total
from bot.storage.day_closes import DayClose


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Ratios are fractions; None = there is nothing to measure, or a part of it is not known.

    `win_rate` is of the `judged` closing orders: those that won or lost. `max_drawdown` is of the equity at the ends
    of days, net of deposits. `hold` is what the units of the beginning would have gained if nobody had traded.
    """

    judged: int
    wins: int
    losses: int
    win_rate: Decimal | None
    fee_share: Decimal | None
    turnover: Decimal | None
    max_drawdown: Decimal | None
    hold: Decimal | None


def performance_of(period: AccountPeriod) -> Performance:
    """From the day rows alone."""
    judged = period.wins + period.losses
    fees, gross = period.term("fees"), total(_noted(day, "gross_profit") for day in period.days)
    return Performance(
        judged=judged,
        wins=period.wins,
        losses=period.losses,
        win_rate=Decimal(period.wins) / judged if judged else None,
        fee_share=None if fees is None or gross is None else fee_share(fees, gross),
        turnover=period.term("turnover"),
        max_drawdown=_drawdown(period),
        hold=_held_instead(period),
    )


def equity_line(period: AccountPeriod) -> Sequence[EquityAt]:
    """The equity at the beginning and at the end of each day, as far as it is known.

    An end at which something had no price that has one at another end is left out: its equity lacks what that is worth,
    and would look like a loss. Deposits of days whose end is left out are counted at the next end that is not.
    """
    line: list[EquityAt] = []
    ends = [period.opening, *period.days]
    priced = {asset for end in ends if end is not None for asset in end.marks}
    if period.opening is not None and period.opening_equity is not None and _is_whole(period.opening, priced):
        line.append(EquityAt(period.opening.at, period.opening_equity))
    deposited: Decimal | None = Decimal(0)
    for day in period.days:
        deposited = total((deposited, day.net_deposits))
        if day.equity is not None and deposited is not None and _is_whole(day, priced):
            line.append(EquityAt(day.closes_at, day.equity, deposited))
            deposited = Decimal(0)
    return line


def _is_whole(end: Beginning | DayClose, priced: Set[str]) -> bool:
    """Whether everything held then that ever has a price has one then."""
    return all(asset in end.marks for asset, units in end.units.items() if units and asset in priced)


def drawdown_line(line: Sequence[EquityAt]) -> Sequence[Decimal]:
    """For each point, how far it is below the highest until then, net of deposits: 0 or a negative fraction."""
    fallen, peak = [], Decimal(0)
    for point in unit_values(line):
        peak = max(peak, point.value)
        fallen.append(point.value / peak - 1 if peak > 0 else Decimal(0))
    return fallen


def _drawdown(period: AccountPeriod) -> Decimal | None:
    line = equity_line(period)
    return max_drawdown(line).fraction if len(line) > 1 else None


def _held_instead(period: AccountPeriod) -> Decimal | None:
    """Of what had a price at both ends."""
    if period.opening is None or period.equity is None:
        return None
    last, own = period.days[-1], {period.account.currency: Decimal(1)}
    before = {asset: mark.price for asset, mark in period.opening.marks.items()}
    after = {asset: mark.price for asset, mark in last.marks.items()}
    return hold_change(period.opening.units, before | own, after | own)


def _noted(day: DayClose, name: str) -> Decimal | None:
    """A figure that the day's row carries beside its columns."""
    noted = json.loads(day.hold_json).get(name)
    return None if noted is None else Decimal(noted)
