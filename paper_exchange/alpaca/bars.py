"""Historical bars. By the calendar they cover sessions only; a market that is always open has bars round the clock.

A bar's time is its opening; bars of days and longer open at midnight in New York.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from paper_exchange.alpaca.numbers import number
from paper_exchange.alpaca.replies import BAD_PARAMETER, ApiError
from paper_exchange.alpaca.routes import Request
from paper_exchange.candles import Candle
from paper_exchange.catalogue import Listing
from paper_exchange.clock import NANOSECONDS_PER_SECOND, rfc3339
from paper_exchange.orders import ZERO
from paper_exchange.stock_session import SessionMode
from paper_exchange.trading_calendar import ONE_DAY, at_new_york, new_york_date, trading_day

TIMEFRAME = re.compile(r"(\d{1,2})(T|Min|H|Hour|D|Day|W|Week|M|Month)", re.ASCII)
DAY_SECONDS = 86_400
MOST_DAYS = 800
"""As far back as the tape goes."""
TimedCandle = tuple[int, Candle]


@dataclass(frozen=True, slots=True)
class Timeframe:
    """``seconds`` for parts of a day; else ``count`` days, weeks or months, by ``unit``."""

    count: int
    unit: str

    @property
    def seconds(self) -> int:
        return self.count * {"Min": 60, "Hour": 3600}.get(self.unit, DAY_SECONDS)

    @property
    def is_within_a_day(self) -> bool:
        return self.unit in ("Min", "Hour")


MINUTE, DAY = Timeframe(1, "Min"), Timeframe(1, "Day")
SHORT_UNITS = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}
COUNTS = {
    "Min": range(1, 60), "Hour": range(1, 24), "Day": range(1, 2), "Week": range(1, 2), "Month": (1, 2, 3, 4, 6, 12),
}  # fmt: skip


def read_timeframe(given: str) -> Timeframe:
    """From ``1Min``, ``4Hour``, ``1Day``, ``3Month``, or with the first letters only (T for minutes)."""
    match = TIMEFRAME.fullmatch(given)
    if match is not None:
        found = Timeframe(int(match[1]), SHORT_UNITS.get(match[2], match[2]))
        if found.count in COUNTS[found.unit]:
            return found
    raise ApiError(BAD_PARAMETER, f"invalid timeframe: {given or '(none)'}")


def bars_between(
    request: Request, listing: Listing, timeframe: Timeframe, since_ns: int, until_ns: int, *, descending: bool = False
) -> Iterator[TimedCandle]:
    """The bars that open in [since, until], made as they are asked for."""
    until_ns = min(until_ns, request.now_ns)
    since_ns = max(since_ns, request.now_ns - MOST_DAYS * DAY_SECONDS * NANOSECONDS_PER_SECOND)
    if timeframe.is_within_a_day:
        return _of_parts_of_a_day(request, listing, timeframe.seconds, since_ns, until_ns, descending=descending)
    days = _of_days(request, listing, since_ns if timeframe == DAY else None, until_ns)
    grouped = days if timeframe == DAY else list(_grouped(days, timeframe))
    found = [bar for bar in grouped if bar[0] >= since_ns]
    return iter(found[::-1] if descending else found)


def _of_parts_of_a_day(
    request: Request, listing: Listing, seconds: int, since_ns: int, until_ns: int, *, descending: bool
) -> Iterator[TimedCandle]:
    """Day by day, so that nothing is made of nights and weekends."""
    first, last = new_york_date(since_ns), new_york_date(until_ns)
    days = [first + ONE_DAY * number for number in range((last - first).days + 1)]
    step_ns = seconds * NANOSECONDS_PER_SECOND
    edge_ns: int | None = None
    for day in reversed(days) if descending else days:
        begin_ns, end_ns = _hours_of(request, day)
        # The bar in which a session opens may open before it does.
        begin_ns, end_ns = max(since_ns, begin_ns // step_ns * step_ns), min(until_ns, end_ns - 1)
        if begin_ns > end_ns:
            continue
        count = (end_ns - begin_ns) // step_ns + 1
        candles = request.exchange.market.candles(listing.symbol, seconds, begin_ns, count, until_ns=end_ns)
        for candle in reversed(candles) if descending else candles:
            # A bar of many hours can belong to two days.
            if edge_ns is None or (candle.open_ns < edge_ns if descending else candle.open_ns > edge_ns):
                yield candle.open_ns, candle
                edge_ns = candle.open_ns


def _hours_of(request: Request, day: date) -> tuple[int, int]:
    """When a day's trading begins and ends; a day without any is empty."""
    if request.exchange.session.mode is not SessionMode.CALENDAR:
        return at_new_york(day, time()), at_new_york(day + ONE_DAY, time())
    session = trading_day(day)
    return (session.open_ns, session.close_ns) if session is not None else (0, 0)


def _of_days(request: Request, listing: Listing, since_ns: int | None, until_ns: int) -> list[TimedCandle]:
    """The tape's days are those of UTC, which hold the whole session of the same date in New York."""
    # A day's bar opens at midnight in New York, some hours after the tape's day does.
    first_ns = since_ns - DAY_SECONDS * NANOSECONDS_PER_SECOND if since_ns is not None else None
    candles = request.exchange.market.candles(listing.symbol, DAY_SECONDS, first_ns, MOST_DAYS, until_ns=until_ns)
    by_calendar = request.exchange.session.mode is SessionMode.CALENDAR
    found: list[TimedCandle] = []
    for candle in candles:
        day = datetime.fromtimestamp(candle.open_ns // NANOSECONDS_PER_SECOND, tz=UTC).date()
        if not by_calendar or trading_day(day) is not None:
            found.append((at_new_york(day, time()), candle))
    return [(time_ns, candle) for time_ns, candle in found if time_ns <= until_ns]


def _grouped(days: list[TimedCandle], timeframe: Timeframe) -> Iterator[TimedCandle]:
    """Weeks from Monday on, or whole months."""
    groups: dict[date, list[Candle]] = {}
    for time_ns, candle in days:
        groups.setdefault(_group_of(new_york_date(time_ns), timeframe), []).append(candle)
    for first, candles in groups.items():
        open_ns = at_new_york(first, time())
        yield open_ns, _merged(open_ns, candles)


def _group_of(day: date, timeframe: Timeframe) -> date:
    if timeframe.unit == "Week":
        return day - timedelta(days=day.weekday())
    month = (day.month - 1) // timeframe.count * timeframe.count + 1
    return date(day.year, month, 1)


def _merged(open_ns: int, candles: list[Candle]) -> Candle:
    volume = sum((candle.volume for candle in candles), ZERO)
    weighted = sum((candle.vwap * candle.volume for candle in candles), ZERO)
    return Candle(
        open_ns,
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        candles[-1].close,
        volume,
        weighted / volume if volume else candles[-1].close,
        sum(candle.trades for candle in candles),
    )


def render_bar(time_ns: int, candle: Candle) -> dict[str, object]:
    """Volume is in whole shares, as the tape of stocks has it."""
    return {
        "t": rfc3339(time_ns)[:19] + "Z",
        "o": number(candle.open),
        "h": number(candle.high),
        "l": number(candle.low),
        "c": number(candle.close),
        "v": int(candle.volume),
        "n": candle.trades,
        "vw": round(float(candle.vwap), 6),
    }


def encode_token(stock: str, timeframe: str, time_ns: int) -> str:
    """Names the last bar of a page: ``AAPL|M|2026-01-05T14:30:00.000000000Z`` in base64."""
    return base64.urlsafe_b64encode(f"{stock}|{timeframe}|{time_ns}".encode()).decode()


def decode_token(token: str) -> tuple[str, int]:
    """The stock and the time of the last bar of the page before."""
    try:
        stock, _, time_ns = base64.urlsafe_b64decode(token.encode()).decode().split("|")
        return stock, int(time_ns)
    except (binascii.Error, UnicodeError, ValueError):
        raise ApiError(BAD_PARAMETER, "invalid page_token") from None
