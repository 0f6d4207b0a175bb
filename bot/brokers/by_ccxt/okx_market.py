"""OKX's markets and prices, as values of ours."""

from collections.abc import Collection, Iterable
from datetime import datetime

from bot.brokers.by_ccxt.okx_orders import symbol_of
from bot.brokers.by_ccxt.times import time_from
from bot.brokers.day_volume import told_volume
from bot.brokers.replies import ZERO, as_list, as_object, number, number_of, optional_text, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.instrument import Instrument
from bot.domain.quote import Candle, Quote, Ticker
from bot.domain.symbol import normalise_symbol

LIVE = "live"
CLOSED_CANDLE = "1"
CANDLE_FIELDS = 9


def instrument_from(value: object) -> Instrument:
    """One spot market. The venue has no minimum notional. Raises `UnreadableReply` or `ValueError`."""
    fields = as_object(value, where="OKX instrument")
    market_name = text_of(fields, "instId", where="OKX instrument")
    where = f"OKX instrument {market_name}"
    state = text_of(fields, "state", where=where)
    return Instrument(
        symbol=normalise_symbol(
            f"{text_of(fields, 'baseCcy', where=where)}/{text_of(fields, 'quoteCcy', where=where)}"
        ),
        venue_symbol=market_name,
        lot_step=number_of(fields, "lotSz", where=where),
        tick_size=number_of(fields, "tickSz", where=where),
        minimum_quantity=number_of(fields, "minSz", where=where),
        minimum_notional=ZERO,
        tradable=state == LIVE,
        status="online" if state == LIVE else state,
    )


def ticker_from(value: object, wanted: Collection[str], *, taken_at: datetime) -> Ticker | None:
    """Best bid and ask with the day's volume; None for a market that nobody asked for or that has not both prices.

    `volCcy24h` is counted in quote for spot markets.
    """
    fields = as_object(value, where="OKX ticker")
    symbol = symbol_of(text_of(fields, "instId", where="OKX ticker"))
    if symbol not in wanted or not (optional_text(fields, "bidPx") and optional_text(fields, "askPx")):
        return None
    where = f"OKX ticker {symbol}"
    bid, ask = number_of(fields, "bidPx", where=where), number_of(fields, "askPx", where=where)
    if not 0 < bid <= ask:
        return None
    return Ticker(Quote(symbol, bid, ask, taken_at), told_volume(fields, "volCcy24h", where=where))


def candles_from(rows: Iterable[object], *, where: str) -> list[Candle]:
    """Closed candles, oldest first, each once. Raises `UnreadableReply`."""
    found: dict[datetime, Candle] = {}
    for row in rows:
        values = as_list(row, where=where)
        if len(values) < CANDLE_FIELDS:
            raise UnreadableReply(f"{where}: a candle of {len(values)} values")
        if values[CANDLE_FIELDS - 1] == CLOSED_CANDLE:
            candle = candle_of(values, where=where)
            found[candle.opened_at] = candle
    return [found[moment] for moment in sorted(found)]


def candle_of(values: "list[object] | tuple[object, ...] | Collection[object]", *, where: str) -> Candle:
    """Opening time in milliseconds, then open, high, low, close and volume. Raises `UnreadableReply`."""
    first, *rest = list(values)[:6]
    opened, high, low, close, volume = (number(value, where=where) for value in rest)
    if not 0 < low <= min(opened, close) or max(opened, close) > high:
        raise UnreadableReply(f"{where}: a candle whose prices contradict each other")
    return Candle(time_from(first, where=where), opened, high, low, close, volume)
