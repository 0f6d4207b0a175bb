"""What to know of a backtest at a glance. Ratios are fractions; None where there is nothing to divide by."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from bot.backtest.result import AccountResult, BacktestResult, CopyRow, Curve
from bot.domain.order import Side

_DAY_SECONDS = 86_400
# Markets that never close; a year of stocks has fewer days, which the reader can scale.
DAYS_A_YEAR = 365
_ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Month:
    """`change` is the fraction by which the account's worth changed, `trades` how many positions ended."""

    name: str
    change: float
    profit: Decimal
    trades: int


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One account. Money in quote and after fees. `exposure` is the average part of its worth in positions.

    `sharpe` is the mean of daily returns by their deviation, times the root of 365, with no interest on cash; None of
    less than two days. `drawdown` is the deepest fall from a peak at any close of a candle.
    """

    trades: int
    open_trades: int
    wins: int
    win_rate: float | None
    profit: Decimal
    change: float
    fees: Decimal
    drawdown: float
    exposure: float
    sharpe: float | None
    best: Decimal | None
    worst: Decimal | None
    average_minutes: float | None
    exits: Mapping[str, int]
    months: Sequence[Month]


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How one user followed: entries of the master, those copied, why the others were not, and both changes.

    `dearer_percent` is how much more than the master the user paid and how much less it got, on average by quantity.
    """

    user: str
    entries: int
    copied: int
    skipped: Mapping[str, int]
    change: float
    master_change: float
    dearer_percent: float | None


def figures_of(account: AccountResult) -> Figures:
    """From the account's round trips, fills and curve."""
    ended = account.closed
    profits = [trip.profit for trip in ended if trip.profit is not None]
    minutes = [(trip.closed_at - trip.opened_at).total_seconds() / 60 for trip in ended if trip.closed_at is not None]
    wins = sum(1 for profit in profits if profit > 0)
    return Figures(
        trades=len(ended),
        open_trades=len(account.round_trips) - len(ended),
        wins=wins,
        win_rate=wins / len(profits) if profits else None,
        profit=account.profit,
        change=float(account.profit / account.opening_cash) if account.opening_cash else 0.0,
        fees=account.fees,
        drawdown=drawdown_of(account.curve.equity),
        exposure=float(account.curve.invested.mean()) if len(account.curve.invested) else 0.0,
        sharpe=sharpe_of(account.curve),
        best=max(profits, default=None),
        worst=min(profits, default=None),
        average_minutes=sum(minutes) / len(minutes) if minutes else None,
        exits=Counter(trip.exit_rule for trip in ended),
        months=_months(account),
    )


def drawdown_of(equity: NDArray[np.float64]) -> float:
    """The deepest fall from an earlier peak, as a fraction of it."""
    if not len(equity):
        return 0.0
    peaks = np.maximum.accumulate(equity)
    with np.errstate(divide="ignore", invalid="ignore"):
        falls = np.where(peaks > 0, (peaks - equity) / peaks, 0.0)
    return float(falls.max())


def daily(curve: Curve) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The last worth of each day (UTC), with its day's number since 1970."""
    days = (curve.times - 1) // _DAY_SECONDS
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    return days[last], curve.equity[last]


def sharpe_of(curve: Curve) -> float | None:
    """See `Figures`."""
    if len(curve.times) < 2:
        return None
    _, worth = daily(curve)
    worth = np.concatenate([curve.equity[:1], worth])
    if len(worth) < 3 or not (worth > 0).all():
        return None
    returns = worth[1:] / worth[:-1] - 1
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation * DAYS_A_YEAR**0.5 if deviation > 0 else None


def fidelity_of(result: BacktestResult) -> list[Fidelity]:
    """One for each user."""
    by_user: dict[str, list[CopyRow]] = {user.name: [] for user in result.users}
    for row in result.copies:
        by_user[row.user].append(row)
    return [_fidelity(user, by_user[user.name], result.master) for user in result.users]


def _fidelity(user: AccountResult, rows: Sequence[CopyRow], master: AccountResult) -> Fidelity:
    entries = [row for row in rows if row.side is Side.BUY]
    copied = [row for row in entries if row.quantity]
    skipped = Counter(str(row.reason) for row in entries if not row.quantity)
    return Fidelity(
        user=user.name,
        entries=len(entries),
        copied=len(copied),
        skipped=skipped,
        change=float(user.profit / user.opening_cash) if user.opening_cash else 0.0,
        master_change=float(master.profit / master.opening_cash) if master.opening_cash else 0.0,
        dearer_percent=_dearer(rows),
    )


def _dearer(rows: Sequence[CopyRow]) -> float | None:
    lost = traded = _ZERO
    for row in rows:
        if row.price is not None:
            sign = 1 if row.side is Side.BUY else -1
            lost += sign * (row.price - row.master_price) * row.quantity
            traded += row.master_price * row.quantity
    return float(lost / traded * 100) if traded else None


def _months(account: AccountResult) -> list[Month]:
    curve = account.curve
    if not len(curve.times):
        return []
    names = [f"{datetime.fromtimestamp(int(day) * _DAY_SECONDS, UTC):%Y-%m}" for day in daily(curve)[0]]
    worth = dict(zip(names, daily(curve)[1].tolist(), strict=True))
    months, before = [], float(account.opening_cash)
    for name, after in worth.items():
        ended = [one for one in account.closed if one.closed_at is not None and f"{one.closed_at:%Y-%m}" == name]
        profit = sum((one.profit for one in ended if one.profit is not None), _ZERO)
        change = after / before - 1 if before > 0 else 0.0
        months.append(Month(name=name, change=change, profit=profit, trades=len(ended)))
        before = after
    return months
