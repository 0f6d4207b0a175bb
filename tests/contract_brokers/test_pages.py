"""Look-ups and lists are whole or an error: no page that failed, came short or came twice makes an order vanish."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.order import OrderType
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import BTC, an_order, now, resting_price
from tests.contract_brokers.raw_venue import Asked, RawVenue, Said
from tests.exchange_process import ExchangeProcess

OUR_ID = "0123456789abcdef0123456789abcdef"
SENT_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
OF_A_READING = (UnreadableReply, RetryLater, CredentialsRejected)
FAILURES = {
    "500": Said(b"{}", 500),
    "429": Said(b'{"errors":[{"id":"rate_limit_exceeded"}]}', 429),
    "page of the edge": Said(b"<html>", 404),
    "half": Said(b'{"orders": [', hang_up=True),
    "empty": Said(b""),
    "null list": Said(b'{"error": [], "result": {"open": null, "closed": null, "trades": null}, "orders": null}'),
    "no list": Said(b'{"error": [], "result": {}}'),
    "error": Said(b'{"error": ["EService:Busy"]}'),
}


@pytest.fixture
def venue() -> Iterator[RawVenue]:
    with RawVenue() as made:
        yield made


@pytest.fixture
def kraken(wiring: Wiring, venue: RawVenue) -> BaseBroker:
    return wiring.broker_at(venue.url, AccountRef.user(BrokerType.KRAKEN, "pages"))


@pytest.fixture
def coinbase(wiring: Wiring, venue: RawVenue) -> BaseBroker:
    return wiring.broker_at(venue.url, AccountRef.user(BrokerType.COINBASE, "pages"))


def kraken_order(client_order_id: str | None = OUR_ID, status: str = "closed") -> dict[str, Any]:
    order = {
        "status": status,
        "descr": {"pair": "XBTUSD", "type": "buy"},
        "price": "30000",
        "vol": "0.001",
        "vol_exec": "0.001",
        "fee": "0.1",
        "opentm": SENT_AT.timestamp(),
    }
    return order if client_order_id is None else {**order, "cl_ord_id": client_order_id}


def coinbase_order(number: int, client_order_id: str = "", status: str = "FILLED") -> dict[str, Any]:
    return {
        "order_id": f"order-{number}",
        "client_order_id": client_order_id,
        "product_id": "BTC-USD",
        "side": "BUY",
        "status": status,
        "filled_size": "0.001",
        "created_time": "2026-03-01T12:00:00Z",
    }


def ok(result: object) -> Said:
    return Said.of({"error": [], "result": result})


# -- one order by our id --------------------------------------------------------------------------------------------
def test_kraken_is_asked_for_open_orders_and_then_for_ended_ones_by_our_id(venue: RawVenue, kraken: BaseBroker) -> None:
    venue.answer = lambda asked: ok({"open": {}} if asked.name == "OpenOrders" else {"closed": {}, "count": 0})
    assert kraken.find_order(OUR_ID, symbol=BTC, sent_at=SENT_AT) is None
    assert [asked.name for asked in venue.asked] == ["OpenOrders", "ClosedOrders"]
    assert {asked.form["cl_ord_id"] for asked in venue.asked} == {OUR_ID}
    assert float(venue.asked[1].form["start"]) < SENT_AT.timestamp() - 3600


@pytest.mark.parametrize("failing", ["OpenOrders", "ClosedOrders"])
@pytest.mark.parametrize("failure", FAILURES)
def test_half_a_look_up_at_kraken_is_an_error_and_never_not_found(
    venue: RawVenue, kraken: BaseBroker, failing: str, failure: str
) -> None:
    good = {"OpenOrders": ok({"open": {}}), "ClosedOrders": ok({"closed": {}, "count": 0})}
    venue.answer = lambda asked: FAILURES[failure] if asked.name == failing else good[asked.name]
    with pytest.raises(OF_A_READING):
        kraken.find_order(OUR_ID, symbol=BTC, sent_at=SENT_AT)


@pytest.mark.parametrize("shown_as", [OUR_ID, OUR_ID.upper(), "01234567-89ab-cdef-0123-456789abcdef"])
def test_our_id_is_known_in_each_of_its_spellings(venue: RawVenue, kraken: BaseBroker, shown_as: str) -> None:
    venue.answer = lambda asked: ok(
        {"open": {}} if asked.name == "OpenOrders" else {"closed": {"OAAAAA-BBBBB-CCCCCC": kraken_order(shown_as)}}
    )
    found = kraken.find_order(OUR_ID, symbol=BTC, sent_at=SENT_AT)
    assert found is not None and found.venue_order_id == "OAAAAA-BBBBB-CCCCCC"


@pytest.mark.parametrize("other", [None, "f" * 32])
def test_an_answer_to_our_id_that_holds_another_order_is_not_believed(
    venue: RawVenue, kraken: BaseBroker, other: str | None
) -> None:
    venue.answer = lambda asked: ok(
        {"open": {}} if asked.name == "OpenOrders" else {"closed": {"OAAAAA-BBBBB-CCCCCC": kraken_order(other)}}
    )
    with pytest.raises(UnreadableReply):
        kraken.find_order(OUR_ID, symbol=BTC, sent_at=SENT_AT)


def coinbase_pages(*pages: Said | list[dict[str, Any]]) -> Callable[[Asked], Said]:
    """Pages in their order, each naming the next."""

    def answer(asked: Asked) -> Said:
        number = int(dict(asked.query).get("cursor", "0"))
        page = pages[number]
        if isinstance(page, Said):
            return page
        more = number + 1 < len(pages)
        return Said.of({"orders": page, "has_next": more, "cursor": str(number + 1) if more else ""})

    return answer


def test_coinbase_is_scanned_page_by_page_over_a_day_before_the_sending(venue: RawVenue, coinbase: BaseBroker) -> None:
    foreign = [[coinbase_order(10 * page + number, "someone") for number in range(3)] for page in range(3)]
    venue.answer = coinbase_pages(*foreign, [coinbase_order(99, OUR_ID)])
    found = coinbase.find_order(OUR_ID, symbol=BTC, sent_at=SENT_AT)
    assert found is not None and found.venue_order_id == "order-99"
    assert len(venue.asked) == 4
    for asked in venue.asked:
        query = dict(asked.query)
        assert query["product_ids"] == "BTC-USD" and "order_status" not in query
        assert datetime.fromisoformat(query["start_date"]) <= SENT_AT - timedelta(hours=23)


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_page_that_fails_fails_the_look_up(venue: RawVenue, coinbase: BaseBroker, failing: int, failure: str) -> None:
    pages: list[Said | list[dict[str, Any]]] = [[coinbase_order(number, "someone")] for number in range(3)]
    pages[failing] = FAILURES[failure]
    venue.answer = coinbase_pages(*pages)
    with pytest.raises(OF_A_READING):
        coinbase.find_order(OUR_ID, symbol=BTC, sent_at=SENT_AT)
    with pytest.raises(OF_A_READING):
        coinbase.get_open_orders()


@pytest.mark.parametrize(
    "following",
    [
        {"has_next": True, "cursor": "0"},
        {"has_next": True, "cursor": ""},
        {"has_next": True},
        {"has_next": True, "cursor": None},
        {"has_next": True, "cursor": 5},
        {"has_next": "true", "cursor": "1"},
    ],
)
def test_a_list_that_says_it_goes_on_and_does_not_say_where_is_not_whole(
    venue: RawVenue, coinbase: BaseBroker, following: dict[str, object]
) -> None:
    venue.answer = lambda _: Said.of({"orders": [coinbase_order(1, "someone")], **following})
    with pytest.raises(UnreadableReply):
        coinbase.find_order(OUR_ID, symbol=BTC, sent_at=SENT_AT)
    assert len(venue.asked) <= 3, "a list that goes in circles is noticed"


@pytest.mark.parametrize("odd", [None, 5, ["x"]])
def test_an_order_whose_id_cannot_be_read_may_be_ours(venue: RawVenue, coinbase: BaseBroker, odd: object) -> None:
    venue.answer = coinbase_pages([{**coinbase_order(1), "client_order_id": odd}])
    with pytest.raises(UnreadableReply):
        coinbase.find_order(OUR_ID, symbol=BTC, sent_at=SENT_AT)


def test_an_order_noted_by_a_clock_that_was_days_ahead_is_still_found(wiring: Wiring, account: AccountRef) -> None:
    broker = wiring.broker(account)
    broker.connect()
    request = an_order()
    ack = broker.place_order(request)
    for days in (-3, 3):
        found = broker.find_order(request.client_order_id, symbol=BTC, sent_at=now() + timedelta(days=days))
        assert found is not None and found.venue_order_id == ack.venue_order_id


@pytest.mark.parametrize("reply", [Said(b"<html>", 404), Said(b"{}", 404), Said.of({"error": "OTHER"}, 404)])
def test_only_coinbases_own_word_means_that_an_order_does_not_exist(
    venue: RawVenue, coinbase: BaseBroker, reply: Said
) -> None:
    venue.answer = lambda _: reply
    with pytest.raises(UnreadableReply):
        coinbase.get_order("order-1")
    venue.answer = lambda _: Said.of({"error": "NOT_FOUND", "message": "order not found"}, 404)
    assert coinbase.get_order("order-1") is None
    venue.answer = lambda _: Said.of({"order": coinbase_order(2)})
    with pytest.raises(UnreadableReply, match="another order"):
        coinbase.get_order("order-1")


# -- all open orders ------------------------------------------------------------------------------------------------
def test_every_open_order_is_listed_also_when_they_fill_more_than_a_page(
    wiring: Wiring, account: AccountRef, exchange: ExchangeProcess
) -> None:
    count = 60 if account.broker is BrokerType.KRAKEN else 115
    broker = wiring.broker(account, balance="1000000")
    broker.connect()
    price = resting_price(broker)
    placed = []
    for _ in range(count):
        order = an_order(quantity="0.0002", price=price, order_type=OrderType.LIMIT_GTC)
        placed.append(broker.place_order(order).venue_order_id)
    listed = [order.venue_order_id for order in broker.get_open_orders()]
    assert sorted(listed) == sorted(placed)


def test_open_is_asked_for_by_itself_and_after_what_waits_to_be_open(venue: RawVenue, coinbase: BaseBroker) -> None:
    """The venue refuses to list OPEN together with other statuses. An order on its way into the book is in one list."""
    orders = {"QUEUED": coinbase_order(1, status="QUEUED"), "OPEN": coinbase_order(2, status="OPEN")}
    both = coinbase_order(3, status="OPEN")

    def answer(asked: Asked) -> Said:
        wanted = [value for name, value in asked.query if name == "order_status"]
        assert wanted == ["OPEN"] or "OPEN" not in wanted
        listed = [order for status, order in orders.items() if status in wanted]
        return Said.of({"orders": [*listed, both], "has_next": False, "cursor": ""})

    venue.answer = answer
    found = [order.venue_order_id for order in coinbase.get_open_orders()]
    assert sorted(found) == ["order-1", "order-2", "order-3"]
    assert [("order_status", "OPEN") in asked.query for asked in venue.asked] == [False, True]


# -- fills ----------------------------------------------------------------------------------------------------------
def kraken_trades(numbers: range) -> dict[str, Any]:
    return {
        f"T{number:05d}-AAAAA-BBBBBB": {
            "ordertxid": "OAAAAA-BBBBB-CCCCCC",
            "pair": "XXBTZUSD",
            "time": SENT_AT.timestamp() + number,
            "type": "buy",
            "price": "30000.0",
            "fee": "0.1",
            "vol": "0.001",
            "maker": False,
        }
        for number in numbers
    }


class History:
    """Kraken's trades, newest first in pages of fifty. After each page `arriving` more have been made."""

    def __init__(self, count: int, *, arriving: int = 0, short_page: int | None = None) -> None:
        self.count = count
        self.arriving = arriving
        self.short_page = short_page
        self.pages = 0

    def __call__(self, asked: Asked) -> Said:
        newest_first = range(self.count - 1, -1, -1)
        start = int(asked.form["ofs"])
        numbers = newest_first[start : start + 50]
        if self.pages == self.short_page:
            numbers = numbers[:20]
        said = ok({"count": self.count, "trades": kraken_trades(numbers)})
        self.pages += 1
        self.count += self.arriving
        return said


@pytest.mark.parametrize("arriving", [0, 1, 7, 60])
def test_trades_made_between_two_pages_hide_none_of_the_earlier_ones(
    venue: RawVenue, kraken: BaseBroker, arriving: int
) -> None:
    history = History(130, arriving=arriving if arriving < 45 else 0)
    venue.answer = history
    fills = kraken.get_fills_since(SENT_AT)
    ids = [fill.trade_id for fill in fills]
    assert len(ids) == len(set(ids))
    assert set(kraken_trades(range(130))) <= set(ids)
    assert [fill.executed_at for fill in fills] == sorted(fill.executed_at for fill in fills)


@pytest.mark.parametrize("short_page", [0, 1])
def test_a_page_that_comes_short_is_not_taken_for_the_last(
    venue: RawVenue, kraken: BaseBroker, short_page: int
) -> None:
    venue.answer = History(130, short_page=short_page)
    with pytest.raises(UnreadableReply, match="130 trades"):
        kraken.get_fills_since(SENT_AT)


def test_a_history_that_never_ends_is_an_error(venue: RawVenue, kraken: BaseBroker) -> None:
    venue.answer = History(10**6)
    with pytest.raises(UnreadableReply, match="does not end"):
        kraken.get_fills_since(SENT_AT)


def coinbase_fill(number: int, product: str = "BTC-USD", order: str = "order-1") -> dict[str, Any]:
    return {
        "trade_id": f"trade-{number}",
        "order_id": order,
        "product_id": product,
        "side": "BUY",
        "price": "30000",
        "size": "0.001",
        "size_in_quote": False,
        "commission": "0.1",
        "trade_time": f"2026-03-01T12:00:{number % 60:02d}Z",
        "liquidity_indicator": "TAKER",
    }


def test_a_fill_that_stands_on_two_pages_comes_once(venue: RawVenue, coinbase: BaseBroker) -> None:
    pages = [[coinbase_fill(3), coinbase_fill(2)], [coinbase_fill(2), coinbase_fill(1)]]
    venue.answer = lambda asked: (
        Said.of({"fills": pages[1], "cursor": ""})
        if ("cursor", "next") in asked.query
        else Said.of({"fills": pages[0], "cursor": "next"})
    )
    fills = coinbase.get_fills_since(SENT_AT)
    assert [fill.trade_id for fill in fills] == ["trade-1", "trade-2", "trade-3"]
    assert sum(fill.quantity for fill in fills) == Decimal("0.003")


def test_a_trade_id_that_two_markets_or_two_orders_share_means_two_fills(venue: RawVenue, coinbase: BaseBroker) -> None:
    listed = [coinbase_fill(1), coinbase_fill(1, product="ETH-USD"), coinbase_fill(1, order="order-2")]
    venue.answer = lambda _: Said.of({"fills": listed, "cursor": ""})
    assert len(coinbase.get_fills_since(SENT_AT)) == 3


def test_fills_of_another_order_are_not_believed(venue: RawVenue, coinbase: BaseBroker) -> None:
    venue.answer = lambda _: Said.of({"fills": [coinbase_fill(1, order="order-2")], "cursor": ""})
    with pytest.raises(UnreadableReply, match="another"):
        coinbase.get_order_fills("order-1", since=SENT_AT)


@pytest.mark.parametrize("field", ["trade_id", "order_id", "product_id", "side", "price", "size", "commission"])
def test_a_fill_without_one_of_its_parts_is_no_fill(venue: RawVenue, coinbase: BaseBroker, field: str) -> None:
    values: tuple[object, ...] = (None, [], {})
    for value in values:
        fill = {**coinbase_fill(1), field: value}
        said = Said.of({"fills": [fill], "cursor": ""})
        venue.answer = partial(lambda said, _: said, said)
        with pytest.raises(UnreadableReply):
            coinbase.get_fills_since(SENT_AT)
