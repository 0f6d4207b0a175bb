"""What a strategy is shown of a market."""

from bot.market.candle_cache import CandleCache
from bot.strategies.interface import MarketView


def view_of(candles: CandleCache, symbol: str) -> MarketView:
    """A market's closed candles as they are known now."""
    return MarketView(symbol, candles.closed(symbol), candles.interval_minutes)
