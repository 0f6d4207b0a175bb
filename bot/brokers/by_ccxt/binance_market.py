"""Binance's markets and prices, as values of ours."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.by_ccxt.okx_market import candle_of
from bot.brokers.by_ccxt.times import time_from
from bot.brokers.day_volume import told_volume
from bot.brokers.replies import as_list, as_object, field_of, flag_of, number_of, optional_number, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.instrument import Instrument
from bot.domain.quote import Candle, Quote, Ticker
from bot.domain.symbol import normalise_symbol

TRADING = "TRADING"
NEEDED_TYPES = frozenset({"LIMIT", "MARKET"})
CLOSE_TIME = 6
DEFAULT_DIGITS = 8


def instrument_from(value: object) -> Instrument:
    """One market with its filters; a filter value of 0 is switched off. Raises `UnreadableReply` or `ValueError`."""
    fields = as_object(value, where="Binance market")
    market_name = text_of(fields, "symbol", where="Binance market")
    where = f"Binance market {market_name}"
    filters = _filters(fields, where)
    lot, market_lot = filters.get("LOT_SIZE", {}), filters.get("MARKET_LOT_SIZE", {})
    status = text_of(fields, "status", where=where)
    is_open = status == TRADING and flag_of(fields, "isSpotTradingAllowed", default=True, where=where)
    types = {each for each in as_list(fields.get("orderTypes") or [], where=where) if isinstance(each, str)}
    return Instrument(
        symbol=normalise_symbol(
            f"{text_of(fields, 'baseAsset', where=where)}/{text_of(fields, 'quoteAsset', where=where)}"
        ),
        venue_symbol=market_name,
        lot_step=max(_step(lot, "stepSize", where), _step(market_lot, "stepSize", where))
        or _smallest(fields, "baseAssetPrecision", where),
        tick_size=_step(filters.get("PRICE_FILTER", {}), "tickSize", where)
        or _smallest(fields, "quoteAssetPrecision", where),
        minimum_quantity=max(_step(lot, "minQty", where), _step(market_lot, "minQty", where)),
        minimum_notional=max(
            _step(filters.get("NOTIONAL", {}), "minNotional", where),
            _step(filters.get("MIN_NOTIONAL", {}), "minNotional", where),
        ),
        tradable=is_open and types >= NEEDED_TYPES,
        status="online" if is_open else status,
    )


def _filters(fields: Mapping[str, object], where: str) -> Mapping[str, Mapping[str, object]]:
    rows = [as_object(row, where=where) for row in as_list(field_of(fields, "filters", where=where), where=where)]
    return {text_of(row, "filterType", where=where): row for row in rows}


def _step(fields: Mapping[str, object], name: str, where: str) -> Decimal:
    return optional_number(fields, name, where=where)


def _smallest(fields: Mapping[str, object], name: str, where: str) -> Decimal:
    """The smallest amount that the venue writes, where no filter gives a step."""
    digits = fields.get(name, DEFAULT_DIGITS)
    if not isinstance(digits, int) or isinstance(digits, bool) or not 0 <= digits <= 18:
        raise UnreadableReply(f"{where}: {name} is {str(digits)[:20]!r}")
    return Decimal(1).scaleb(-digits)


def quotes_from(rows: Iterable[object], markets: Markets, *, taken_at: datetime) -> Mapping[str, Quote]:
    """Best bid and ask by symbol; a market without both (the venue says 0) or that is not listed is left out."""
    quotes = (_quote(as_object(row, where="Binance bookTicker"), markets, taken_at) for row in rows)
    return {quote.symbol: quote for quote in quotes if quote is not None}


def tickers_from(rows: Iterable[object], markets: Markets, *, taken_at: datetime) -> Mapping[str, Ticker]:
    """The same with what was traded in 24 hours, of the rows of `ticker/24hr`."""
    tickers: dict[str, Ticker] = {}
    for row in rows:
        fields = as_object(row, where="Binance 24hr")
        quote = _quote(fields, markets, taken_at)
        if quote is not None:
            tickers[quote.symbol] = Ticker(quote, told_volume(fields, "quoteVolume", where="Binance 24hr"))
    return tickers


def _quote(fields: Mapping[str, object], markets: Markets, taken_at: datetime) -> Quote | None:
    market = markets.named(text_of(fields, "symbol", where="Binance ticker"))
    if market is None:
        return None
    where = f"Binance ticker {market.venue_symbol}"
    bid, ask = number_of(fields, "bidPrice", where=where), number_of(fields, "askPrice", where=where)
    return Quote(market.symbol, bid, ask, taken_at) if 0 < bid <= ask else None


def candles_from(rows: Iterable[object], *, now: datetime, where: str) -> list[Candle]:
    """Closed candles, oldest first. Raises `UnreadableReply`."""
    found: dict[datetime, Candle] = {}
    for row in rows:
        values = as_list(row, where=where)
        if len(values) <= CLOSE_TIME:
            raise UnreadableReply(f"{where}: a candle of {len(values)} values")
        if time_from(values[CLOSE_TIME], where=where) < now:
            candle = candle_of(values, where=where)
            found[candle.opened_at] = candle
    return [found[moment] for moment in sorted(found)]
