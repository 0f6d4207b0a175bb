"""Coinbase's prices, as values of ours."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from bot.brokers.coinbase.products import symbol_of
from bot.brokers.replies import as_list, as_object, field_of, number_of, text_of, unix_time
from bot.domain.errors import UnreadableReply
from bot.domain.quote import Candle, Quote


def candles_from(rows: Iterable[object], *, where: str) -> list[Candle]:
    """Oldest first, the forming one among them. Raises `UnreadableReply`."""
    return sorted((_candle(row, where) for row in rows), key=lambda candle: candle.opened_at)


def quotes_from(books: Iterable[object], *, taken_at: datetime) -> Mapping[str, Quote]:
    """Best bid and ask by symbol; a market without both is left out."""
    quotes = (_quote(book, taken_at) for book in books)
    return {quote.symbol: quote for quote in quotes if quote is not None}


def _quote(book: object, taken_at: datetime) -> Quote | None:
    fields = as_object(book, where="Coinbase best_bid_ask")
    symbol = symbol_of(text_of(fields, "product_id", where="Coinbase best_bid_ask"))
    where = f"Coinbase best_bid_ask {symbol}"
    sides = [as_list(fields.get(name) or [], where=where) for name in ("bids", "asks")]
    if not all(sides):
        return None
    bid, ask = (number_of(as_object(levels[0], where=where), "price", where=where) for levels in sides)
    return Quote(symbol, bid, ask, taken_at) if 0 < bid <= ask else None


def _candle(row: object, where: str) -> Candle:
    fields = as_object(row, where=where)
    opened, high, low, close, volume = (
        number_of(fields, name, where=where) for name in ("open", "high", "low", "close", "volume")
    )
    if not 0 < low <= min(opened, close) or max(opened, close) > high:
        raise UnreadableReply(f"{where}: a candle whose prices contradict each other")
    return Candle(unix_time(field_of(fields, "start", where=where), where=where), opened, high, low, close, volume)
