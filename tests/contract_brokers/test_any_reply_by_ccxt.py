"""Whatever OKX and Binance say: an order is accepted, or nobody knows; a reading is read or is not readable.

The replies that are spoiled are the exchange's own, recorded once for each brokerage, and every place in them is.
"""

import contextlib
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.brokers.by_ccxt.broker import CcxtBroker
from bot.brokers.http_session import HttpReply
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import CredentialsRejected, OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import OrderAck, OrderType
from tests.contract_brokers.conftest import OpenGate, Wiring
from tests.contract_brokers.mutation import VALUES, dropped, paths, renamed, replaced, written
from tests.contract_brokers.orders import an_order, now, resting_price

OF_A_READING = (UnreadableReply, RetryLater, CredentialsRejected)
BTC = "BTC/USDT"
Act = Callable[[CcxtBroker], object]
WHOLE = (b"", b"null", b"[]", b"{}", b"7", b'"ok"', b"<html>", b"[" * 5000, b'{"a":NaN}', b"\xff\xfe")


class Spoiler:
    """Lets a broker's requests through to the exchange and remembers the answers, or answers in its place."""

    def __init__(self, broker: CcxtBroker) -> None:
        self.broker = broker
        self._exchange = broker._session.exchange
        self.heard: list[HttpReply] = []
        self.asked = 0
        broker._session.exchange = self._record  # type: ignore[method-assign, assignment]

    def _record(self, *asked: Any, **more: Any) -> HttpReply:
        reply = self._exchange(*asked, **more)
        self.heard.append(reply)
        return reply

    def replies_to(self, act: Act) -> list[HttpReply]:
        self.heard = []
        act(self.broker)
        return self.heard

    def answer_with(self, replies: list[HttpReply]) -> None:
        """In this order, and the last one again and again."""
        self.asked = 0

        def answer(*_asked: Any, **_more: Any) -> HttpReply:
            self.asked += 1
            return replies[min(self.asked, len(replies)) - 1]

        self.broker._session.exchange = answer  # type: ignore[method-assign, assignment]
        self.broker._refused_key.accepted()
        self.broker.venue_clock.measured(self.broker.venue_clock.now())

    def listen_again(self) -> None:
        self.broker._session.exchange = self._record  # type: ignore[method-assign, assignment]


@pytest.fixture(params=[BrokerType.OKX, BrokerType.BINANCE], ids=str)
def spoiler(request: pytest.FixtureRequest, wiring: Wiring) -> Spoiler:
    wiring.gate = OpenGate(wiring.clock, "any")
    account = AccountRef.user(request.param, f"s{zlib.crc32(request.node.name.encode())}")
    broker = wiring.broker(account)
    assert isinstance(broker, CcxtBroker)
    broker.connect()
    broker.get_trading_pairs()
    return Spoiler(broker)


def spoiled(body: bytes) -> Iterator[bytes]:
    """Every place dropped, renamed, and with some of the values that are none; neighbours get others."""
    document = json.loads(body)
    for turn, place in enumerate(paths(document)):
        yield written(dropped(document, place))
        if isinstance(place[-1], str):
            yield written(renamed(document, place))
        for value in VALUES[turn % 4 :: 4]:
            yield written(replaced(document, place, value))
    yield from WHOLE


READINGS = ("connect", "holdings", "open orders", "find", "order", "order fills", "fills", "candles", "quotes")


@pytest.mark.parametrize("name", READINGS)
def test_a_reading_of_any_reply_is_read_or_not_readable(spoiler: Spoiler, name: str) -> None:
    broker, since = spoiler.broker, now()
    price = resting_price(broker, BTC)
    broker.place_order(an_order(quantity="0.01", price=price, order_type=OrderType.LIMIT_GTC, symbol=BTC))
    request = an_order(quantity="0.002", symbol=BTC)
    ack = broker.place_order(request)
    act = {
        "connect": lambda one: one.connect(),
        "holdings": lambda one: one.fetch_holdings(),
        "open orders": lambda one: one.get_open_orders(),
        "find": lambda one: one.find_order(request.client_order_id, symbol=BTC, sent_at=since),
        "order": lambda one: one.get_order(ack.venue_order_id),
        "order fills": lambda one: one.get_order_fills(ack.venue_order_id, since=since),
        "fills": lambda one: one.get_fills_since(since),
        "candles": lambda one: one.get_candles(BTC, interval_minutes=1, limit=2),
        "quotes": lambda one: one.get_best_bid_ask_batch([BTC]),
    }[name]
    good = spoiler.replies_to(act)
    for number, reply in enumerate(good):
        if len(reply.body) > 20_000:
            continue  # a list of candles or tickers: one of a kind
        for body in spoiled(reply.body):
            spoiler.answer_with([*good[:number], HttpReply(reply.status, body), *good[number + 1 :]])
            with contextlib.suppress(*OF_A_READING):
                act(broker)


def test_an_order_with_any_answer_is_accepted_under_its_number_or_nobody_knows(spoiler: Spoiler) -> None:
    broker, request = spoiler.broker, an_order(quantity="0.002", symbol=BTC)
    (reply,) = spoiler.replies_to(lambda one: one.place_order(request))
    document = json.loads(reply.body)
    number = document["data"][0]["ordId"] if broker.broker_type is BrokerType.OKX else str(document["orderId"])
    accepted = 0
    for body in spoiled(reply.body):
        spoiler.answer_with([HttpReply(200, body)])
        try:
            ack = broker.place_order(request)
        except OutcomeUnknown:
            assert spoiler.asked == 1, "an order is sent once"
            continue
        assert isinstance(ack, OrderAck)
        # A number that the reply gives in place of the right one cannot be told from it.
        assert ack.venue_order_id.endswith(f"-{number}") or number.encode() not in body
        accepted += 1
    assert accepted > 0, "fields that decide nothing may be missing"


@pytest.mark.parametrize("status", [300, 302, 400, 401, 403, 404, 418, 429, 500, 502, 503, 504])
def test_an_acceptance_with_another_status_is_none(spoiler: Spoiler, status: int) -> None:
    request = an_order(quantity="0.002", symbol=BTC)
    (reply,) = spoiler.replies_to(lambda one: one.place_order(request))
    spoiler.answer_with([HttpReply(status, reply.body)])
    with pytest.raises(OutcomeUnknown):
        spoiler.broker.place_order(request)


def test_a_cancel_with_any_answer_is_taken_or_gone_or_nobody_knows(spoiler: Spoiler) -> None:
    broker = spoiler.broker
    price = resting_price(broker, BTC)
    ack = broker.place_order(an_order(quantity="0.01", price=price, order_type=OrderType.LIMIT_GTC, symbol=BTC))
    (reply,) = spoiler.replies_to(lambda one: one.cancel_order(ack.venue_order_id))
    for body in spoiled(reply.body):
        spoiler.answer_with([HttpReply(200, body)])
        try:
            taken = broker.cancel_order(ack.venue_order_id)
        except OutcomeUnknown:
            continue
        assert taken is True
    spoiler.listen_again()
    assert broker.cancel_order(ack.venue_order_id) is False
