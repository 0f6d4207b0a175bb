"""All trades since a moment, whichever way round an exchange's pages go.

ccxt does not say whether a page holds the oldest trades of a span or its newest, and often not how many at most. So a
page that may be full is followed to both sides, until the exchange shows nothing new there. A list whose completeness
can't be seen is an unreadable reply: a missing trade would be a wrong position.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.brokers.by_ccxt.times import milliseconds
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill

# (from, up to) in unix milliseconds, both included; None = no bound.
Page = Callable[[int, int | None], Sequence[Fill]]
MAX_PAGES = 200
# No exchange has smaller pages.
LEAST_PAGE = 20
# Where an exchange reckons in whole seconds, the end of a span is one later.
SLACK_MILLISECONDS = 2000


def trades_since(
    page: Page, since: datetime, *, now: datetime, window: timedelta | None, page_size: int | None, where: str
) -> list[Fill]:
    """Each trade at least once, none missing. Raises `UnreadableReply` when that can't be made sure.

    `window`: the longest span that the exchange looks through at a time; None = any.
    """
    full = min(page_size or LEAST_PAGE, LEAST_PAGE)
    if window is None:
        return _of_span(page, milliseconds(since), None, full, where)
    found: list[Fill] = []
    start = since
    while start + window < now:
        found += _of_span(page, milliseconds(start), milliseconds(start + window), full, where)
        start += window
    return [*found, *_of_span(page, milliseconds(start), None, full, where)]


def _of_span(page: Page, start: int, end: int | None, full: int, where: str) -> list[Fill]:
    first = page(start, end)
    if len(first) < full:
        return list(first)
    newer = _newer(page, first, end, where)
    return [*first, *newer, *_older(page, first, start, where)]


def _newer(page: Page, known: Sequence[Fill], end: int | None, where: str) -> list[Fill]:
    seen, most = _names(known), len(known)
    found: list[Fill] = []
    start = max(milliseconds(fill.executed_at) for fill in known)
    for _ in range(MAX_PAGES):
        answer = page(start, end)
        new = [fill for fill in answer if _name(fill) not in seen]
        if not new:
            _refuse_one_moment(answer, start, most, where)
            return found
        found += new
        most = max(most, len(answer))
        seen |= _names(new)
        start = max(start, *(milliseconds(fill.executed_at) for fill in new))
    raise UnreadableReply(f"{where}: the list does not end")


def _older(page: Page, known: Sequence[Fill], start: int, where: str) -> list[Fill]:
    seen, most = _names(known), len(known)
    found: list[Fill] = []
    end = min(milliseconds(fill.executed_at) for fill in known)
    for _ in range(MAX_PAGES):
        answer = page(start, end)
        if any(milliseconds(fill.executed_at) > end + SLACK_MILLISECONDS for fill in answer):
            raise UnreadableReply(f"{where}: the exchange does not list older trades, and there may be some")
        new = [fill for fill in answer if _name(fill) not in seen]
        if not new:
            _refuse_one_moment(answer, end, most, where)
            return found
        found += new
        most = max(most, len(answer))
        seen |= _names(new)
        end = min(end, *(milliseconds(fill.executed_at) for fill in new))
    raise UnreadableReply(f"{where}: the list does not end")


def _refuse_one_moment(answer: Sequence[Fill], moment: int, most: int, where: str) -> None:
    """An answer as long as the longest so far may have been cut, and no bound in time reaches what was cut off."""
    if len(answer) >= most and all(milliseconds(fill.executed_at) == moment for fill in answer):
        raise UnreadableReply(f"{where}: a page full of one moment's trades; others of it can't be seen")


def _name(fill: Fill) -> tuple[str, str, str]:
    return fill.symbol, fill.venue_order_id, fill.trade_id


def _names(fills: Sequence[Fill]) -> set[tuple[str, str, str]]:
    return {_name(fill) for fill in fills}
