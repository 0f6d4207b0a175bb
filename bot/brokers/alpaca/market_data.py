"""Alpaca's quotes and bars, as values of ours. They come as JSON numbers, which are read as exact decimals."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.brokers.alpaca.stocks import symbol_of
from bot.brokers.day_volume import told_volume
from bot.brokers.replies import EPOCH, as_list, as_object, iso_time, number_of, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.quote import Candle, Quote, Ticker

log = logging.getLogger(__name__)

# Others are cut by the exchange's day, whose offset changes twice a year: they have no even grid.
TIMEFRAMES = {1: "1Min", 5: "5Min", 15: "15Min", 30: "30Min", 60: "1Hour", 1440: "1Day"}
DAY_MINUTES = 1440
# These are put together here, of bars that have an even grid: minutes of each, by minutes of the whole.
MADE_OF = {240: 60}
EXCHANGE_ZONE = ZoneInfo("America/New_York")
# Minutes of trading in a week are a fifth of all: so much further back lie as many bars of a market that trades.
CALENDAR_FACTOR = 6
LONGEST_CLOSURE = timedelta(days=5)


def earliest_start(now: datetime, *, interval_minutes: int, limit: int) -> datetime:
    """From when on to ask, so that `limit` bars are there for a stock that trades in each of them."""
    factor = 2 if interval_minutes == DAY_MINUTES else CALENDAR_FACTOR
    return now - LONGEST_CLOSURE - factor * limit * timedelta(minutes=interval_minutes)


def bars_of(document: object, ticker: str, *, where: str) -> Sequence[object]:
    """The bars of one ticker in an answer; a ticker without any is absent or null there."""
    fields = as_object(document, where=where)
    bars = fields.get("bars")
    if bars is None and "bars" in fields:
        return []
    return as_list(as_object(bars, where=where).get(ticker) or [], where=where)


def candles_from(rows: Iterable[object], *, interval_minutes: int, now: datetime, where: str) -> list[Candle]:
    """The closed ones, oldest first. A day's candle opens at midnight UTC of its date. Raises `UnreadableReply`."""
    interval = timedelta(minutes=interval_minutes)
    candles = [_candle(row, where, daily=interval_minutes == DAY_MINUTES) for row in rows]
    closed = {candle.opened_at: candle for candle in candles if candle.opened_at + interval <= now}
    return [closed[opened] for opened in sorted(closed)]


def gathered(candles: Sequence[Candle], *, interval_minutes: int, now: datetime) -> list[Candle]:
    """Longer candles made of shorter ones, by the clock of UTC; the one that is still forming is left out.

    The oldest is left out too: it may have begun before the first of the shorter ones.
    """
    interval = timedelta(minutes=interval_minutes)
    parts: dict[datetime, list[Candle]] = {}
    for candle in candles:
        parts.setdefault(candle.opened_at - (candle.opened_at - EPOCH) % interval, []).append(candle)
    whole = [_joined(opened, parts[opened]) for opened in sorted(parts) if opened + interval <= now]
    return whole[1:]


def _joined(opened_at: datetime, parts: Sequence[Candle]) -> Candle:
    return Candle(
        opened_at,
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        sum((part.volume for part in parts), Decimal(0)),
    )


def _candle(row: object, where: str, *, daily: bool) -> Candle:
    fields = as_object(row, where=where)
    opened, high, low, close, volume = (number_of(fields, name, where=where) for name in ("o", "h", "l", "c", "v"))
    if not 0 < low <= min(opened, close) or max(opened, close) > high:
        raise UnreadableReply(f"{where}: a candle whose prices contradict each other")
    moment = iso_time(text_of(fields, "t", where=where), where=where)
    return Candle(_day_of(moment) if daily else moment, opened, high, low, close, volume)


def _day_of(moment: datetime) -> datetime:
    """Alpaca dates a day's bar by midnight in New York; days that are an hour apart in summer have no even grid."""
    return datetime.combine(moment.astimezone(EXCHANGE_ZONE).date(), datetime.min.time(), tzinfo=UTC)


def quotes_from(document: object, *, taken_at: datetime) -> Mapping[str, Quote]:
    """Best bid and ask by symbol; a stock without both, as outside the session, or with nonsense, is left out."""
    quotes: dict[str, Quote] = {}
    listed = as_object(as_object(document, where="Alpaca quotes").get("quotes"), where="Alpaca quotes")
    for ticker, entry in listed.items():
        try:
            quote = _quote(ticker, entry, taken_at)
        except (UnreadableReply, ValueError) as error:
            # One stock's unreadable price must not keep the exits of the others from being looked at.
            log.warning("Alpaca quote of %s: %s", ticker[:20], error)
            continue
        if quote is not None:
            quotes[quote.symbol] = quote
    return quotes


def tickers_from(document: object, *, taken_at: datetime) -> Mapping[str, Ticker]:
    """Best bid and ask by symbol with the day's turnover, of `snapshots`; stocks are left out as in `quotes_from`.

    Within a session today's bar is still small: the larger of today's and the last session's counts.
    """
    tickers: dict[str, Ticker] = {}
    for ticker, entry in as_object(document, where="Alpaca snapshots").items():
        try:
            fields = as_object(entry, where=f"Alpaca snapshot {ticker}")
            quote = _quote(ticker, fields.get("latestQuote"), taken_at)
        except (UnreadableReply, ValueError) as error:
            log.warning("Alpaca snapshot of %s: %s", ticker[:20], error)
            continue
        if quote is not None:
            days = [_turnover(fields.get(name)) for name in ("dailyBar", "prevDailyBar")]
            tickers[quote.symbol] = Ticker(quote, max((day for day in days if day is not None), default=None))
    return tickers


def _turnover(bar: object) -> Decimal | None:
    """Shares at their average price, in USD; None where a day has no bar."""
    if not isinstance(bar, dict):
        return None
    shares, average = (told_volume(bar, name, where="Alpaca bar") for name in ("v", "vw"))
    return None if shares is None or average is None else shares * average


def _quote(ticker: str, entry: object, taken_at: datetime) -> Quote | None:
    where = f"Alpaca quote {ticker}"
    fields = as_object(entry, where=where)
    bid, ask = (number_of(fields, name, where=where) for name in ("bp", "ap"))
    return Quote(symbol_of(ticker), bid, ask, taken_at) if Decimal(0) < bid <= ask else None
