"""The clock and the calendar of the market, in New York's time."""

from __future__ import annotations

from datetime import date, timedelta

from paper_exchange.alpaca.replies import BAD_PARAMETER, ApiError, json_reply
from paper_exchange.alpaca.routes import Request
from paper_exchange.http import Reply
from paper_exchange.trading_calendar import TradingDay, new_york_date, new_york_time, trading_days

DAYS_AHEAD = timedelta(days=365)
MOST_DAYS = timedelta(days=366 * 10)
SETTLEMENT = timedelta(days=1)
SETTLEMENT_SEARCH = timedelta(days=10)


def clock(request: Request) -> Reply:
    session, now_ns = request.exchange.session, request.now_ns
    return json_reply(
        {
            "timestamp": new_york_time(now_ns).isoformat(timespec="microseconds"),
            "is_open": session.is_open(now_ns),
            "next_open": _to_the_second(session.next_open(now_ns)),
            "next_close": _to_the_second(session.next_close(now_ns)),
        }
    )


def calendar(request: Request) -> Reply:
    """The trading days from ``start`` to ``end``, both included: the calendar's, whatever the operator says."""
    today = new_york_date(request.now_ns)
    first = request.query.day("start", today)
    last = request.query.day("end", max(first, today) + DAYS_AHEAD)
    if last - first > MOST_DAYS:
        raise ApiError(BAD_PARAMETER, "start and end are more than ten years apart")
    return json_reply([_describe(day) for day in trading_days(first, last)])


def _describe(day: TradingDay) -> dict[str, str]:
    return {
        "date": day.day.isoformat(),
        "open": f"{day.opens:%H:%M}",
        "close": f"{day.closes:%H:%M}",
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": _settlement(day.day).isoformat(),
    }


def _settlement(day: date) -> date:
    """Trades settle on the next trading day."""
    return next(trading_days(day + SETTLEMENT, day + SETTLEMENT_SEARCH)).day


def _to_the_second(time_ns: int) -> str:
    return new_york_time(time_ns).isoformat(timespec="seconds")
