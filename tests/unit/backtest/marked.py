"""A strategy that acts on marked closes, and candles written by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.backtest.candle_table import CandleTable
from bot.domain.position import Position
from bot.domain.quote import Candle
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BUY, SELL = Decimal("100.7"), Decimal("100.3")


class Marked:
    """Buys after a close at 100.7 and wants to sell after one at 100.3."""

    name = "marked"
    parameters = ()
    candles_needed = 1

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        if view.candles[-1].close == BUY:
            return EntryIntent(view.symbol, Decimal("0.5"), "marked")
        return NoEntry("not marked")

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        return ExitIntent(view.symbol, "marked") if view.candles[-1].close == SELL else None


def table(*rows: str, symbol: str = "BTC/USD", volume: str = "1000") -> CandleTable:
    """Minute candles of "open high low close", with a volume of their own behind; "" is a minute without a candle."""
    return CandleTable.of(symbol, 1, candles(rows, volume))


def candles(rows: Sequence[str], volume: str = "1000") -> list[Candle]:
    made = []
    for place, row in enumerate(rows):
        if row:
            opened, high, low, close, *own = map(Decimal, row.split())
            traded = own[0] if own else Decimal(volume)
            made.append(Candle(BEGIN + timedelta(minutes=place), opened, high, low, close, traded))
    return made
