"""Kraken's public readings, as values of ours."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from bot.brokers.book_depth import listed_levels, offered_within
from bot.brokers.kraken.symbols import KrakenCatalogue
from bot.brokers.replies import as_list, as_object, field_of, number, unix_time
from bot.domain.errors import UnreadableReply
from bot.domain.quote import Candle, Quote

log = logging.getLogger(__name__)

OHLC_INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)


def candles_from(value: object, *, where: str, limit: int) -> list[Candle]:
    """The closed candles of an `OHLC` result, oldest first, the latest `limit` of them.

    `last` is the opening time of the last closed candle; the row after it is still forming.
    """
    fields = as_object(value, where=where)
    last_closed = unix_time(field_of(fields, "last", where=where), where=where)
    rows = next((rows for name, rows in fields.items() if name != "last"), None)
    candles = [_candle(row, where) for row in as_list(rows, where=where)]
    closed = sorted((c for c in candles if c.opened_at <= last_closed), key=lambda candle: candle.opened_at)
    return closed[-limit:]


def _candle(row: object, where: str) -> Candle:
    cells = as_list(row, where=where)
    if len(cells) < 7:
        raise UnreadableReply(f"{where}: a candle of {len(cells)} values")
    opened, high, low, close, volume = (number(cells[i], where=where) for i in (1, 2, 3, 4, 6))
    if not 0 < low <= min(opened, close) or max(opened, close) > high:
        raise UnreadableReply(f"{where}: a candle whose prices contradict each other")
    return Candle(unix_time(cells[0], where=where), opened, high, low, close, volume)


def quotes_from(value: object, catalogue: KrakenCatalogue, *, taken_at: datetime) -> Mapping[str, Quote]:
    """Best bid and ask of a `Ticker` result by symbol; a market without both, or with nonsense, is left out.

    One market's unreadable price must not keep the exits of the others from being looked at.
    """
    quotes: dict[str, Quote] = {}
    for venue_name, entry in as_object(value, where="Kraken Ticker").items():
        try:
            quote = _quote(venue_name, entry, catalogue, taken_at)
        except UnreadableReply as error:
            log.warning("%s", error)
            continue
        if quote is not None:
            quotes[quote.symbol] = quote
    return quotes


def _quote(venue_name: str, entry: object, catalogue: KrakenCatalogue, taken_at: datetime) -> Quote | None:
    where = f"Kraken Ticker {venue_name}"
    fields = as_object(entry, where=where)
    bid, ask = (_first_price(fields, side, where) for side in ("b", "a"))
    return Quote(catalogue.symbol_of(venue_name), bid, ask, taken_at) if 0 < bid <= ask else None


def _first_price(fields: Mapping[str, object], name: str, where: str) -> Decimal:
    cells: Sequence[object] = as_list(fields.get(name), where=where)
    if not cells:
        raise UnreadableReply(f"{where}: no price")
    return number(cells[0], where=where)


def asked_within(result: object, *, within_percent: Decimal, where: str) -> Decimal | None:
    """What is for sale up to `within_percent` above the best price (quote units); None = the book is empty.

    `result` is that of `Depth`: by the pair's name its levels (price, volume, time), the best first.
    """
    books = list(as_object(result, where=where).values())
    if len(books) != 1:
        raise UnreadableReply(f"{where}: {len(books)} books where there is one")
    levels = listed_levels(as_object(books[0], where=where).get("asks"), where=where)
    return offered_within(levels, within_percent=within_percent)
