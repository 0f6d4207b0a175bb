"""What a strategy is shown of a market."""

from bot.market.candle_cache import CandleCache
from bot.strategies.interface import AccountFacts, MarketView


def view_of(candles: CandleCache, symbol: str, account: AccountFacts | None = None) -> MarketView:
    """A market's closed candles as they are known now, and what is known of the account that would trade it."""
    return MarketView(symbol, candles.closed(symbol), candles.interval_minutes, account)
