"""Candles as Binance gives them: twelve fields, oldest first, intervals from a minute to a month."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby

from paper_exchange.binance.amounts import UNIT, milliseconds, text
from paper_exchange.binance.errors import BAD_INTERVAL, BinanceError
from paper_exchange.binance.routes import Request
from paper_exchange.candles import Candle
from paper_exchange.clock import NANOSECONDS_PER_SECOND

DAY_SECONDS = 86_400
SECONDS = {
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": DAY_SECONDS,
    "3d": 3 * DAY_SECONDS,
}
DEFAULT_KLINES = 500
MOST_KLINES = 1000
MOST_DAYS = 10_000
"""More than any market here is old."""


@dataclass(frozen=True, slots=True)
class Range:
    """Candles that open in [since, until]: with ``since_ns`` the oldest ``limit`` of them, else the newest."""

    since_ns: int | None
    until_ns: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class Kline:
    """A candle with the time at which the next one opens."""

    candle: Candle
    next_ns: int


def read_klines(request: Request, symbol: str) -> list[Kline]:
    """The candles that a request asks for. Raises BinanceError."""
    parameters = request.parameters
    wanted = Range(
        parameters.time_ns("startTime"), parameters.time_ns("endTime"), parameters.limit(DEFAULT_KLINES, MOST_KLINES)
    )
    interval = parameters.required("interval")
    if interval in SECONDS:
        return _regular(request, symbol, SECONDS[interval], wanted)
    if interval == "1w":
        return _by_calendar(request, symbol, _monday, wanted)
    if interval == "1M":
        return _by_calendar(request, symbol, _first_of_month, wanted)
    raise BinanceError(BAD_INTERVAL)


def render_kline(kline: Kline) -> list[object]:
    """The tape does not tell how much of a candle was bought and how much sold: the takers' part is given as half."""
    candle = kline.candle
    turnover = (candle.vwap * candle.volume).quantize(UNIT)
    return [
        milliseconds(candle.open_ns),
        text(candle.open),
        text(candle.high),
        text(candle.low),
        text(candle.close),
        text(candle.volume),
        milliseconds(kline.next_ns) - 1,
        text(turnover),
        candle.trades,
        text((candle.volume / 2).quantize(UNIT)),
        text((turnover / 2).quantize(UNIT)),
        "0",
    ]


def _regular(request: Request, symbol: str, seconds: int, wanted: Range) -> list[Kline]:
    length_ns = seconds * NANOSECONDS_PER_SECOND
    found = _candles(request, symbol, seconds, wanted)
    if not found and wanted.since_ns is not None:
        # From before the market's beginning on means from its beginning on.
        days = request.exchange.market.candles(symbol, DAY_SECONDS, wanted.since_ns, MOST_DAYS)
        if days and days[0].open_ns > wanted.since_ns:
            found = _candles(request, symbol, seconds, replace(wanted, since_ns=days[0].open_ns))
    return [Kline(candle, candle.open_ns + length_ns) for candle in found]


def _candles(request: Request, symbol: str, seconds: int, wanted: Range) -> list[Candle]:
    length_ns, until_ns = seconds * NANOSECONDS_PER_SECOND, wanted.until_ns
    if wanted.since_ns is not None:
        first_ns = -(-wanted.since_ns // length_ns) * length_ns
        last_ns = first_ns + (wanted.limit - 1) * length_ns
        until_ns = last_ns if until_ns is None else min(until_ns, last_ns)
    return request.exchange.market.candles(symbol, seconds, wanted.since_ns, wanted.limit, until_ns=until_ns)


def _by_calendar(request: Request, symbol: str, start_of: Callable[[datetime], datetime], wanted: Range) -> list[Kline]:
    """Weeks and months, put together from days."""
    days = request.exchange.market.candles(symbol, DAY_SECONDS, None, MOST_DAYS, until_ns=wanted.until_ns)
    groups = groupby(days, key=lambda day: start_of(datetime.fromtimestamp(day.open_ns // 10**9, tz=UTC)))
    found = [_joined(start, list(members), start_of) for start, members in groups]
    if wanted.since_ns is None:
        return found[-wanted.limit :]
    return [kline for kline in found if kline.candle.open_ns >= wanted.since_ns][: wanted.limit]


def _joined(start: datetime, days: list[Candle], start_of: Callable[[datetime], datetime]) -> Kline:
    following = start_of(start + timedelta(days=7 if start_of is _monday else 32))
    volume = _sum(day.volume for day in days)
    turnover = _sum(day.vwap * day.volume for day in days)
    joined = Candle(
        _ns(start),
        days[0].open,
        max(day.high for day in days),
        min(day.low for day in days),
        days[-1].close,
        volume,
        turnover / volume if volume else days[-1].close,
        sum(day.trades for day in days),
    )
    return Kline(joined, _ns(following))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _monday(day: datetime) -> datetime:
    return day - timedelta(days=day.weekday())


def _first_of_month(day: datetime) -> datetime:
    return day.replace(day=1)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * NANOSECONDS_PER_SECOND
