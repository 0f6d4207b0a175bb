"""Prices of everything that an account holds, in its own currency, with their ages."""

from collections.abc import Iterable

from bot.books.equity import Mark
from bot.brokers.base import BaseBroker


def marks_of_assets(broker: BaseBroker, assets: Iterable[str]) -> dict[str, Mark]:
    """The best bid of each asset that has a market in the account's own currency: what it could be sold for.

    One batch of quotes. An asset without such a market, or without a price, is absent. Raises what the reading raises.
    """
    currency, listed = broker.quote_currency, broker.get_trading_pairs()
    symbols = {f"{asset}/{currency}": asset for asset in assets if asset != currency}
    wanted = sorted(symbol for symbol in symbols if symbol in listed)
    if not wanted:
        return {}
    quotes = broker.get_best_bid_ask_batch(wanted)
    return {symbols[symbol]: Mark(quote.bid, quote.taken_at) for symbol, quote in quotes.items() if symbol in symbols}
