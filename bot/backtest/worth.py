"""What an account was worth at each close, from its fills alone. Floats: a curve to look at, not a balance."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from bot.backtest.account import Account
from bot.backtest.candle_table import CandleTable
from bot.backtest.result import Curve
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.symbol import base_of
from bot.market.candle_arrays import Floats


def curve_of(account: Account, tables: Mapping[str, CandleTable]) -> Curve:
    """Cash and positions at the close of each candle of any symbol."""
    times = np.unique(np.concatenate([table.closed_at for table in tables.values()]))
    cash = _steps(times, [(fill, _cash_of(fill)) for fill in account.fills]) + float(account.opening_cash)
    invested = np.zeros(len(times))
    for symbol, table in tables.items():
        fills = [(fill, _base_of(fill)) for fill in account.fills if fill.symbol == symbol]
        if fills:
            invested += _steps(times, fills) * _closes(times, table)
    equity = cash + invested
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(equity > 0, invested / equity, 0.0)
    return Curve(times, equity, part)


def hold_return(tables: Mapping[str, CandleTable], taker_fee_percent: Decimal) -> float:
    """Equal parts in every symbol from its first open to its last close, less one fee: a fraction of the money."""
    kept = 1 - float(taker_fee_percent) / 100
    changes = [table.prices[-1, 3] / table.prices[0, 0] * kept - 1 for table in tables.values()]
    return float(np.mean(changes))


def _closes(times: NDArray[np.int64], table: CandleTable) -> Floats:
    last = np.searchsorted(table.closed_at, times, side="right") - 1
    return table.arrays.close[np.maximum(last, 0)]


def _steps(times: NDArray[np.int64], changes: list[tuple[Fill, Decimal]]) -> Floats:
    """The sum of all changes before each time: what trades at the very second of a close is of the next candle."""
    made: Floats = np.zeros(len(times) + 1)
    if changes:
        at = np.array([fill.executed_at.timestamp() for fill, _ in changes])
        np.add.at(made, np.searchsorted(times, at, side="right"), [float(change) for _, change in changes])
    return np.cumsum(made)[:-1]


def _cash_of(fill: Fill) -> Decimal:
    fee = Decimal(0) if fill.fee_currency == base_of(fill.symbol) else fill.fee
    return (fill.notional if fill.side is Side.SELL else -fill.notional) - fee


def _base_of(fill: Fill) -> Decimal:
    fee = fill.fee if fill.fee_currency == base_of(fill.symbol) else Decimal(0)
    return (fill.quantity if fill.side is Side.BUY else -fill.quantity) - fee
