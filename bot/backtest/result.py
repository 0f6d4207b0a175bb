"""What came of a backtest: trades and money exactly, curves as floats for looking at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.signal import CopyReason

MASTER = "master"


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """One position from its first buy to its end; amounts in quote, quantities in base.

    `closed_at`, `exit_price` and `profit` are None while it is open. `profit` is after all fees. `exit_rule` is the
    name of the rule that sold (`hard_stop`, …), `copied_exit` for a user who followed, `dust` for an unsellable rest.
    """

    account: str
    symbol: str
    opened_at: datetime
    quantity: Decimal
    entry_price: Decimal
    entry_reason: str
    fees: Decimal
    closed_at: datetime | None = None
    exit_price: Decimal | None = None
    profit: Decimal | None = None
    exit_rule: str = ""
    exit_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class CopyRow:
    """One user's answer to one trade of the master. `ideal` is the master's quantity times the user's ratio.

    `difference` is what the user has more (or, below 0, less) than by the ideal copy, in quote; None = not known.
    """

    at: datetime
    user: str
    symbol: str
    side: Side
    ideal: Decimal | None
    quantity: Decimal
    price: Decimal | None
    master_price: Decimal
    reason: CopyReason
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """What an account was worth (quote) at the close of each candle; `times` are seconds since 1970.

    `invested` is the part of it in positions, as a fraction.
    """

    times: NDArray[np.int64]
    equity: NDArray[np.float64]
    invested: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class AccountResult:
    """One account. `final_equity` is its cash and its positions at the last close, nothing sold."""

    name: str
    opening_cash: Decimal
    final_cash: Decimal
    final_equity: Decimal
    fees: Decimal
    fills: Sequence[Fill]
    round_trips: Sequence[RoundTrip]
    curve: Curve

    @property
    def profit(self) -> Decimal:
        return self.final_equity - self.opening_cash

    @property
    def closed(self) -> list[RoundTrip]:
        return [trip for trip in self.round_trips if trip.closed_at is not None]


@dataclass(frozen=True, kw_only=True, eq=False)
class BacktestResult:
    """`not_entered` counts wishes of the strategy that were not bought, by rule; `asked` is how often it was asked.

    `hold_return` is the fraction that equal parts of the balance in all symbols would have made, bought at the first
    open and held to the last close, less one taker fee. `prices` are times (seconds) and closes, by symbol.
    """

    symbols: Sequence[str]
    interval_minutes: int
    candles: int
    begin: datetime
    end: datetime
    master: AccountResult
    users: Sequence[AccountResult] = ()
    copies: Sequence[CopyRow] = ()
    not_entered: Mapping[str, int] = field(default_factory=dict)
    faults: Sequence[str] = ()
    asked: int = 0
    hold_return: float = 0.0
    prices: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=dict)

    @property
    def accounts(self) -> list[AccountResult]:
        return [self.master, *self.users]
