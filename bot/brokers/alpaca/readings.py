"""Lists that Alpaca gives page by page, and single orders that may not be there."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.brokers.alpaca.account import positions_from
from bot.brokers.alpaca.calls import AlpacaCalls
from bot.brokers.alpaca.errors import is_not_found
from bot.brokers.alpaca.orders import of_stocks, order_from
from bot.brokers.replies import as_list, as_object, iso_time, text_of
from bot.domain.errors import UnreadableReply
from bot.domain.order import VenueOrder

ORDERS_PER_PAGE = 500
ACTIVITIES_PER_PAGE = 100
MAX_PAGES = 200
NOTHING = Decimal(0)


class AlpacaReadings:
    """One account's. A page that fails fails its list: raises as `AlpacaCalls.get` does."""

    def __init__(self, calls: AlpacaCalls, *, label: str) -> None:
        self._calls = calls
        self._label = label

    def order(self, path: str, asked: Mapping[str, str] | None = None) -> VenueOrder | None:
        """One order; None on the API's word that there is none."""
        try:
            return order_from(self._calls.get(path, asked))
        except UnreadableReply as error:
            if is_not_found(error):
                return None
            raise

    def held(self, ticker: str) -> Decimal:
        """Free shares of one stock; 0 on the API's word that there is no position."""
        where = f"{self._label}: Alpaca position"
        try:
            position = self._calls.get(f"/positions/{ticker}")
        except UnreadableReply as error:
            if is_not_found(error):
                return NOTHING
            raise
        found = positions_from([position], where=where).get(ticker)
        return NOTHING if found is None else found.available

    def open_orders(self) -> Sequence[object]:
        """Every open order of a stock, the newest first."""
        where = f"{self._label}: Alpaca orders"
        found: dict[str, object] = {}
        until: datetime | None = None
        for _ in range(MAX_PAGES):
            asked = {"status": "open", "limit": str(ORDERS_PER_PAGE), "direction": "desc", "nested": "false"}
            if until is not None:
                asked["until"] = _iso(until)
            page = [as_object(each, where=where) for each in as_list(self._calls.get("/orders", asked), where=where)]
            known = len(found)
            found |= {text_of(fields, "id", where=where): fields for fields in page}
            if len(page) < ORDERS_PER_PAGE:
                return [each for each in found.values() if of_stocks(each)]
            if len(found) == known:
                raise UnreadableReply(f"{where} go in circles")
            # `until` leaves its own moment out, and several orders may have one moment.
            until = _submitted_at(page[-1], where=where) + timedelta(microseconds=1)
        raise UnreadableReply(f"{where} do not end")

    def activities(self, kind: str, *, after: datetime) -> Iterator[object]:
        """Every activity of a kind later than `after`, oldest first."""
        return self._activities(f"/account/activities/{kind}", {}, after)

    def movements(self, *, after: datetime) -> Iterator[object]:
        """Every activity later than `after` that is no trade, oldest first."""
        return self._activities("/account/activities", {"category": "non_trade_activity"}, after)

    def _activities(self, path: str, narrowed: Mapping[str, str], after: datetime) -> Iterator[object]:
        where = f"{self._label}: Alpaca activities"
        asked = {**narrowed, "after": _iso(after), "direction": "asc", "page_size": str(ACTIVITIES_PER_PAGE)}
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            page = as_list(self._calls.get(path, asked), where=where)
            yield from page
            if len(page) < ACTIVITIES_PER_PAGE:
                return
            last = text_of(as_object(page[-1], where=where), "id", where=where)
            if last in seen:
                raise UnreadableReply(f"{where} go in circles")
            seen.add(last)
            asked["page_token"] = last
        raise UnreadableReply(f"{where} do not end")


def _submitted_at(fields: Mapping[str, object], *, where: str) -> datetime:
    name = "submitted_at" if fields.get("submitted_at") is not None else "created_at"
    return iso_time(text_of(fields, name, where=where), where=where)


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
