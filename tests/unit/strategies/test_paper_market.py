"""The default strategy on the paper market: somebody who starts it sees a trade soon, whatever the seed."""

from datetime import UTC, datetime
from random import Random

from bot.domain.quote import Candle
from bot.strategies.asking import ask_entry
from bot.strategies.interface import EntryIntent, MarketView
from bot.strategies.loading import load_strategy
from paper_exchange.catalogue import Catalogue
from paper_exchange.market import Market

ORIGIN_NS = 1_790_000_000 * 10**9
SECOND_NS = 10**9
SEEDS = range(20)


def candles(market: Market, symbol: str, count: int) -> list[Candle]:
    forming_too = market.candles(symbol, 60, None, count + 1)
    return [
        Candle(datetime.fromtimestamp(c.open_ns / SECOND_NS, UTC), c.open, c.high, c.low, c.close, c.volume)
        for c in forming_too[:-1]
    ]


def finds_an_entry(seed: int) -> bool:
    strategy = load_strategy("rsi_trend", {})
    catalogue = Catalogue()
    market = Market(catalogue, seed, origin_ns=ORIGIN_NS)
    market.advance(ORIGIN_NS + Random(seed).randrange(600) * SECOND_NS)
    views = (
        MarketView(symbol, candles(market, symbol, strategy.candles_needed))
        for symbol in market.symbols_trading()
        if symbol.endswith("/USD")
    )
    return any(isinstance(ask_entry(strategy, view), EntryIntent) for view in views)


def test_at_a_random_moment_there_is_something_to_buy_on_nineteen_of_twenty_seeds() -> None:
    assert sum(finds_an_entry(seed) for seed in SEEDS) >= 19
