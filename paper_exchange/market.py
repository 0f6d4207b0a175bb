"""The market all brokerages share: one price per symbol everywhere. (Signatures first; the generator follows.)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.catalogue import Catalogue
from paper_exchange.orders import Side


@dataclass(frozen=True)
class Quote:
    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    last: Decimal
    last_quantity: Decimal
    time_ns: int


@dataclass(frozen=True)
class Candle:
    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal  # base
    vwap: Decimal
    trades: int


@dataclass(frozen=True)
class PublicTrade:
    number: int
    time_ns: int
    price: Decimal
    quantity: Decimal
    side: Side  # the taker's


@dataclass(frozen=True)
class DayStats:
    """`today` counts from 00:00 UTC, `day` is the last 24 hours."""

    open: Decimal  # today's first price
    volume_today: Decimal
    volume_day: Decimal
    vwap_today: Decimal
    vwap_day: Decimal
    trades_today: int
    trades_day: int
    low_today: Decimal
    low_day: Decimal
    high_today: Decimal
    high_day: Decimal


class Market:
    now_ns: int

    def __init__(self, catalogue: Catalogue, seed: int, *, origin_ns: int) -> None: ...
    def symbols_trading(self) -> list[str]: ...
    def advance(self, now_ns: int) -> None: ...
    def quote(self, symbol: str) -> Quote: ...
    def book(self, symbol: str, depth: int) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]: ...
    def candles(self, symbol: str, interval_seconds: int, since_ns: int | None, limit: int) -> list[Candle]: ...
    def recent_trades(self, symbol: str, limit: int) -> list[PublicTrade]: ...  # oldest first
    def day_stats(self, symbol: str) -> DayStats: ...
    def set_price(self, symbol: str, price: Decimal) -> None: ...
    def set_halted(self, symbol: str, halted: bool) -> None: ...
    def set_rules(self, symbol: str, rules: Mapping[str, object]) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def snapshot(self) -> dict[str, object]: ...
    @classmethod
    def restored(cls, catalogue: Catalogue, state: Mapping[str, object]) -> Market: ...
