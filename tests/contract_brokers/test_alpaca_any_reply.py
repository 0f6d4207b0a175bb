"""Whatever bytes Alpaca sends: a reading is true or unreadable, an order accepted, refused in its words, or unknown.

The replies that are spoiled here are the exchange's own, recorded once.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.brokers.alpaca.broker import AlpacaBroker
from bot.brokers.alpaca.holds import OrderHolds
from bot.brokers.call_reaper import CallReaper
from bot.brokers.http_session import HttpReply
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import (
    CredentialsRejected,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
)
from bot.domain.order import OrderAck, OrderType
from bot.seams.clock import SystemClock
from tests.contract_brokers.conftest import OpenGate, Wiring
from tests.contract_brokers.mutation import BYTE_CHANGES, VALUES, dropped, paths, renamed, replaced, spoiled, written
from tests.contract_brokers.orders import an_order, now, resting_price
from tests.contract_brokers.raw_venue import RawVenue, Said
from tests.contract_brokers.test_any_reply import assert_sane
from tests.exchange_process import ExchangeProcess

AAPL = "AAPL/USD"
OF_A_READING = (UnreadableReply, RetryLater, CredentialsRejected)
OF_AN_ORDER = (OrderRefused, RetryLater, CredentialsRejected, OutcomeUnknown)
QUICK = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
CLOCK = "/v2/clock"
Replies = Mapping[str, Any]
Reading = Callable[[AlpacaBroker], object]


class Stage:
    """A broker that talks to a venue of ours, and what the exchange had said to its like."""

    def __init__(self, wiring: Wiring, exchange: ExchangeProcess) -> None:
        exchange.control("POST", "/session", {"mode": "open"})
        self.since = now()
        self.filled = an_order(quantity="0.5", symbol=AAPL)
        self.replies = self._record(wiring)
        self.venue = RawVenue()
        made = wiring.broker_at(self.venue.url, AccountRef.user(BrokerType.ALPACA, "spoiled"))
        assert isinstance(made, AlpacaBroker)
        self.broker = made

    def _record(self, wiring: Wiring) -> Mapping[str, Replies]:
        broker = wiring.broker(AccountRef.user(BrokerType.ALPACA, "recorded"))
        assert isinstance(broker, AlpacaBroker)
        broker.get_trading_pairs()
        broker.connect()
        taken: dict[str, Any] = {}
        exchange = broker._session.exchange

        def recording(method: str, url: str, **more: Any) -> HttpReply:
            reply = exchange(method, url, **more)
            assert reply.status == 200, reply
            taken[urlsplit(url).path] = json.loads(reply.body)
            return reply

        broker._session.exchange = recording  # type: ignore[method-assign]
        price = resting_price(broker, AAPL)
        broker.place_order(an_order(quantity="1", price=price, order_type=OrderType.LIMIT_GTC, symbol=AAPL))
        taken.clear()
        self.ack = broker.place_order(self.filled)
        replies = {"place": dict(taken)}
        for name, step in self.readings().items():
            taken.clear()
            step(broker)
            replies[name] = dict(taken)
        return replies

    def readings(self) -> Mapping[str, Reading]:
        return {
            "connect": lambda broker: broker.connect(),
            "holdings": lambda broker: broker.fetch_holdings(),
            "open orders": lambda broker: broker.get_open_orders(),
            "find": lambda broker: broker.find_order(self.filled.client_order_id, symbol=AAPL, sent_at=self.since),
            "order": lambda broker: broker.get_order(self.ack.venue_order_id),
            "order fills": lambda broker: broker.get_order_fills(self.ack.venue_order_id, since=self.since),
            "fills": lambda broker: broker.get_fills_since(self.since),
            "candles": lambda broker: broker.get_candles(AAPL, interval_minutes=1, limit=5),
            "quotes": lambda broker: broker.get_best_bid_ask_batch([AAPL]),
        }

    def replay(self, name: str, path: str, said: Said) -> None:
        """The recorded replies of a reading, but for one."""
        self.broker._refused_key.accepted()
        told = {one: Said(written(document)) for one, document in self.replies[name].items()} | {path: said}
        self.venue.answer = lambda asked: told.get(asked.path, Said(status=500))

    def try_reading(self, name: str) -> None:
        try:
            assert_sane(self.readings()[name](self.broker))
        except OF_A_READING:
            return


@pytest.fixture(scope="module")
def stage(exchange_process: ExchangeProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    clock = SystemClock()
    wiring = Wiring(exchange_process, tmp_path_factory.mktemp("recorded"), clock, CallReaper(clock), read_seconds=10)
    wiring.gate = OpenGate(clock, "any")
    made = Stage(wiring, exchange_process)
    with made.venue:
        yield made
    wiring.close()


READINGS = ("connect", "holdings", "open orders", "find", "order", "order fills", "fills", "candles", "quotes")


@pytest.mark.parametrize("name", READINGS)
@QUICK
@given(data=st.data())
def test_a_reading_of_a_spoiled_reply_is_true_or_unreadable(stage: Stage, name: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(stage.replies[name])))
    stage.replay(name, path, data.draw(spoiled(st.just(stage.replies[name][path]))))
    stage.try_reading(name)


@pytest.mark.parametrize("name", READINGS)
def test_every_byte_change_to_every_reply_is_borne(stage: Stage, name: str) -> None:
    for path, document in stage.replies[name].items():
        body = written(document)
        for change in BYTE_CHANGES[:-2]:
            for at in (0, len(body) // 2):
                stage.replay(name, path, change(body, at))
                stage.try_reading(name)


def test_a_look_up_that_was_spoiled_never_says_that_there_is_no_such_order(stage: Stage) -> None:
    for path, document in stage.replies["find"].items():
        for place in paths(document):
            for reply in [dropped(document, place), renamed(document, place), *_each_value(document, place)]:
                stage.replay("find", path, Said(written(reply)))
                try:
                    found = stage.readings()["find"](stage.broker)
                except OF_A_READING:
                    continue
                assert found is not None, (path, place, reply)


def _each_value(document: object, place: tuple[str | int, ...]) -> list[object]:
    return [replaced(document, place, value) for value in VALUES]


@QUICK
@given(data=st.data())
def test_an_order_is_accepted_refused_in_the_venues_words_or_unknown(stage: Stage, data: st.DataObject) -> None:
    codes = st.sampled_from((40010001, 40310000, 42210000, 42910000, 40110000, 40410000, 50010000, "40310000", None))
    texts = st.sampled_from(
        ("client_order_id must be unique", "insufficient buying power", "market is closed", "no", "", None)
    )
    refusals = st.fixed_dictionaries({"code": codes, "message": texts})
    documents = st.one_of(st.just(stage.replies["place"]["/v2/orders"]), refusals)
    said = data.draw(spoiled(documents))
    stage.replay("place", "/v2/orders", said)
    stage.broker._holds = OrderHolds(stage.broker._context.clock)
    outcome: object
    try:
        outcome = stage.broker.place_order(stage.filled)
    except VenueError as error:
        assert isinstance(error, OF_AN_ORDER), error
        outcome = error
    if isinstance(outcome, OrderAck):
        assert 200 <= said.status < 300
        assert outcome.venue_order_id in said.body.decode(errors="replace") or "Content-Encoding" in said.headers
    elif not isinstance(outcome, OutcomeUnknown):
        assert said.status in (400, 401, 403, 422, 429), (said, outcome)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (204, b"", True),
        (422, b'{"code": 42210000, "message": "order is already in \\"filled\\" state"}', False),
        (422, b'{"code": 42210000, "message": "order is pending cancel"}', True),
        (404, b'{"code": 40410000, "message": "order not found"}', False),
        (404, b"<html>not found</html>", OutcomeUnknown),
        (422, b"<html>", OutcomeUnknown),
        (403, b'{"code": 40310000, "message": "account is restricted"}', OutcomeUnknown),
        (403, b'{"message": "forbidden."}', CredentialsRejected),
        (401, b'{"code": 40110000, "message": "request is not authorized"}', CredentialsRejected),
        (429, b'{"code": 42910000, "message": "too many requests"}', RetryLater),
        (500, b'{"code": 50010000, "message": "internal"}', OutcomeUnknown),
        (200, b"<html>welcome</html>", OutcomeUnknown),
    ],
)
def test_a_cancel_is_true_or_false_only_on_the_venues_word(
    stage: Stage, status: int, body: bytes, expected: object
) -> None:
    stage.broker._refused_key.accepted()
    stage.venue.answer = lambda _asked: Said(body, status)
    if isinstance(expected, bool):
        assert stage.broker.cancel_order(stage.ack.venue_order_id) is expected
        return
    with pytest.raises(VenueError) as raised:
        stage.broker.cancel_order(stage.ack.venue_order_id)
    assert type(raised.value) is expected
