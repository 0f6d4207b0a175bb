"""Markets, prices and candles in ccxt's unified form, as values of ours."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.brokers.by_ccxt.markets import Markets
from bot.brokers.by_ccxt.okx_market import candle_of
from bot.brokers.by_ccxt.unified_exchange import Exchange, Row, bare_copy
from bot.brokers.replies import as_list, as_object, number, optional_number, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.instrument import Instrument
from bot.domain.quote import Candle, Quote
from bot.domain.symbol import normalise_symbol

# ccxt's ways of saying how fine a market is: a number of decimal places, or the step itself.
DECIMAL_PLACES, TICK_SIZE = 2, 4


class UnifiedMarkets(Markets):
    """The instruments, and ccxt's own tables of the same markets, which all accounts at the exchange share."""

    def __init__(self, instruments: Iterable[Instrument], tables: Exchange) -> None:
        super().__init__(instruments)
        self.tables = tables


def markets_from(exchange: Exchange, rows: Sequence[Row], *, venue: str) -> UnifiedMarkets:
    """Spot markets; one that can't be read is left out. Raises `UnreadableReply` if none is left.

    `exchange` has read the rows: what it noted beside them (other names of the same markets) is kept too.
    """
    tables = bare_copy(exchange.id)
    spot = [row for row in rows if row.get("spot") and row.get("symbol")]
    found: list[Instrument] = []
    kept: list[Row] = []
    for row in spot:
        try:
            found.append(instrument_from(row, tables.precisionMode, venue=venue))
            kept.append(row)
        except (UnreadableReply, ValueError):
            continue
    if not found:
        raise UnreadableReply(f"{venue}: no spot market could be read")
    tables.set_markets(kept)
    helpers = exchange.options.get("marketHelperProps")
    for helper in helpers if isinstance(helpers, list) else ():
        tables.options[helper] = exchange.options.get(helper)
    return UnifiedMarkets(found, tables)


def instrument_from(row: Row, precision_mode: int, *, venue: str) -> Instrument:
    """One market. Raises `UnreadableReply` or `ValueError`, also for steps that depend on the price."""
    symbol = normalise_symbol(text_of(row, "symbol", where=f"{venue} market"))
    where = f"{venue} market {symbol}"
    precision = as_object(row.get("precision"), where=where)
    limits = as_object(row.get("limits"), where=where)
    active = row.get("active") is not False
    return Instrument(
        symbol=symbol,
        venue_symbol=text_of(row, "id", where=where),
        lot_step=_step(precision.get("amount"), precision_mode, where=where),
        tick_size=_step(precision.get("price"), precision_mode, where=where),
        minimum_quantity=_least(limits.get("amount"), where=where),
        minimum_notional=_least(limits.get("cost"), where=where),
        tradable=active,
        status="online" if active else "inactive",
    )


def _step(value: object, precision_mode: int, *, where: str) -> Decimal:
    """The smallest step of a quantity or a price."""
    read = number(value, where=f"{where} precision")
    if precision_mode == TICK_SIZE:
        return read
    if precision_mode == DECIMAL_PLACES and read == int(read):
        return Decimal(1).scaleb(-int(read))
    raise ValueError(f"{where}: its steps depend on the price")


def _least(limit: object, *, where: str) -> Decimal:
    return optional_number(limit, "min", where=where) if isinstance(limit, dict) else Decimal(0)


def quote_from(symbol: str, row: object, *, taken_at: datetime, where: str) -> Quote | None:
    """Best bid and ask of a ticker; None for one that has not both."""
    fields = as_object(row, where=where)
    bid, ask = (optional_number(fields, name, where=f"{where} {symbol}") for name in ("bid", "ask"))
    return Quote(symbol, bid, ask, taken_at) if 0 < bid <= ask else None


def quote_of_book(symbol: str, book: object, *, taken_at: datetime, where: str) -> Quote | None:
    """The same of an order book."""
    fields = as_object(book, where=where)
    best = []
    for side in ("bids", "asks"):
        levels = as_list(fields.get(side), where=where)
        if not levels:
            return None
        price = as_list(levels[0], where=where)[0]
        # Books are the one place where ccxt reads floats all the same; up to 15 digits their text is exact.
        best.append(number(repr(price) if isinstance(price, float) else price, where=f"{where} {symbol}"))
    bid, ask = best
    return Quote(symbol, bid, ask, taken_at) if 0 < bid <= ask else None


def candles_from(rows: object, *, interval: timedelta, now: datetime, where: str) -> list[Candle]:
    """Closed candles, oldest first, each once. Raises `UnreadableReply`."""
    found: dict[datetime, Candle] = {}
    for row in as_list(rows, where=where):
        candle = candle_of(as_list(row, where=where), where=where)
        if candle.opened_at + interval <= now:
            found[candle.opened_at] = candle
    return [found[moment] for moment in sorted(found)]


def minutes_by_name(timeframes: Mapping[str, str] | None) -> dict[int, str]:
    """ccxt's names of candles (`1m`, `4h`, `1d`) by their minutes."""
    units = {"m": 1, "h": 60, "d": 1440}
    names = {name: units.get(name[-1:]) for name in timeframes or {}}
    return {int(name[:-1]) * unit: name for name, unit in names.items() if unit and name[:-1].isdigit()}
