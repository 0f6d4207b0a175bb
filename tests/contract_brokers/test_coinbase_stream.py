"""Coinbase's private stream rings when the master has traded; what was traded is read, and booked, from the history."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from bot.brokers.coinbase.broker import CoinbaseBroker
from bot.brokers.coinbase.user_stream import CoinbaseSpeech
from bot.brokers.connect_budget import ConnectBudget
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kept_socket import SocketWire
from bot.brokers.resolver import Resolver
from bot.brokers.stream_news import NO_NEWS
from bot.brokers.stream_speech import LetDown, Live, Say
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import CredentialsRejected, UnreadableReply
from bot.domain.order import OrderType
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings.venues import CoinbaseSettings
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order, now, resting_price
from tests.contract_brokers.streamed import Seen
from tests.exchange_process import ExchangeProcess, wait_until

MASTER = AccountRef.master(BrokerType.COINBASE)
BTC = "BTC/USD"
SILENCE_SECONDS = 3.0


class Listener:
    """A master that listens; `missed` counts how often its history had to be read."""

    def __init__(self, broker: CoinbaseBroker, seen: Seen) -> None:
        self.broker = broker
        self.seen = seen
        self.woken = threading.Event()
        self.missed = 0

    def tend(self) -> bool:
        news = self.broker.tend_stream()
        assert not news.fills, "trades are never booked from the stream"
        self.missed += news.missed
        return news.up

    def rung(self, times: int) -> bool:
        self.tend()
        return self.missed >= times

    def settled(self) -> int:
        """How often it had rung once the history of the beginning was read twice."""
        wait_until(lambda: self.rung(2), seconds=20, what="the history after the connection, and once more")
        return self.missed


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def wire(seen: Seen) -> Iterator[SocketWire]:
    clock, ids = SystemClock(), SystemIds()
    feed = FeedLoop("streams", clock, step_seconds=0.5)
    yield SocketWire(
        feed=feed,
        budget=ConnectBudget(clock, ids, limit=1000),
        clock=clock,
        ids=ids,
        resolver=Resolver(clock),
        silence_seconds=SILENCE_SECONDS,
        observer=seen,
    )
    feed.close()


def made(wiring: Wiring, account: AccountRef, wire: SocketWire, *, secret: str | None = None) -> CoinbaseBroker:
    """A broker with the address of its stream; with another secret the stream is not given."""
    plain = wiring.broker(account)
    assert isinstance(plain, CoinbaseBroker)
    access = plain._context.access
    if secret is not None:
        access = replace(access, credentials=replace(access.credentials, api_secret=SecretStr(secret)))
    access = replace(access, ws_auth_url=wiring.exchange.addresses["coinbase"]["ws_auth"])
    context = replace(plain._context, wire=wire, access=access)
    broker = CoinbaseBroker(account.account_type, account.user_id, context=context)
    wiring.brokers.append(broker)
    return broker


@pytest.fixture
def master(wiring: Wiring, wire: SocketWire, seen: Seen) -> Listener:
    broker = made(wiring, MASTER, wire)
    broker.connect()
    listener = Listener(broker, seen)
    broker.listen(listener.woken.set)
    wait_until(listener.tend, seconds=20, what="the stream is live")
    return listener


def fault(exchange: ExchangeProcess, action: str, endpoint: str, **more: int | None) -> None:
    exchange.fault(action, account="master", endpoint=endpoint, brokerage="coinbase", **more)


def test_a_trade_of_the_owner_rings_and_is_then_in_the_history(master: Listener) -> None:
    heard, before = master.settled(), now()
    master.woken.clear()
    ack = master.broker.place_order(an_order(quantity="0.01", symbol=BTC))
    assert master.woken.wait(10)
    wait_until(lambda: master.rung(heard + 1), seconds=10, what="the bell")
    fills = master.broker.get_fills_since(before)
    assert {fill.venue_order_id for fill in fills} == {ack.venue_order_id}
    wait_until(lambda: master.rung(heard + 2), seconds=20, what="the second look")


def test_an_order_that_trades_nothing_does_not_ring(master: Listener) -> None:
    heard = master.settled()
    price = resting_price(master.broker, BTC)
    ack = master.broker.place_order(an_order(price=price, order_type=OrderType.LIMIT_GTC, symbol=BTC))
    master.broker.cancel_order(ack.venue_order_id)
    until = SystemClock().monotonic() + SILENCE_SECONDS + 1
    while SystemClock().monotonic() < until:
        assert master.tend(), "heartbeats keep it live"
        threading.Event().wait(0.1)
    assert master.missed == heard


@pytest.mark.parametrize("action", ["gap", "close", "silence 600"])
def test_after_a_break_the_history_is_read_whatever_was_told(
    master: Listener, exchange: ExchangeProcess, action: str
) -> None:
    heard, before = master.settled(), now()
    fault(exchange, action, "ws/user")
    price = resting_price(master.broker, BTC)
    # Its first message is lost; that it is open rings for nothing, so what rings is the new connection.
    ack = master.broker.place_order(an_order(price=price, order_type=OrderType.LIMIT_GTC, symbol=BTC))
    wait_until(lambda: master.rung(heard + 1) and master.tend(), seconds=30, what="it is live again")
    assert master.seen.gaps == (["user"] if action == "gap" else [])
    master.broker.cancel_order(ack.venue_order_id)
    heard = master.missed
    master.broker.place_order(an_order(quantity="0.01", symbol=BTC))
    wait_until(lambda: master.rung(heard + 1), seconds=10, what="the bell")
    assert sum(fill.quantity for fill in master.broker.get_fills_since(before)) == Decimal("0.01")


def test_a_connection_without_its_heart_beat_is_made_anew(master: Listener, exchange: ExchangeProcess) -> None:
    heard, ups = master.settled(), master.seen.ups
    fault(exchange, "silence 600", "ws/heartbeat")
    wait_until(lambda: master.seen.ups > ups and master.rung(heard + 1), seconds=30, what="it is live again")


def test_a_subscription_that_is_not_answered_is_made_anew(
    wiring: Wiring, wire: SocketWire, seen: Seen, exchange: ExchangeProcess
) -> None:
    broker = made(wiring, MASTER, wire)
    broker.connect()
    fault(exchange, "drop_response", "ws/subscribe")
    listener = Listener(broker, seen)
    broker.listen(listener.woken.set)
    wait_until(listener.tend, seconds=30, what="the stream is live")


def test_a_key_that_the_stream_refuses_is_left_alone_and_the_account_goes_on(
    wiring: Wiring, wire: SocketWire, seen: Seen
) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    broker = made(wiring, MASTER, wire, secret=pem.decode())
    broker.listen(lambda: None)
    bell = broker._bell
    assert bell is not None
    wait_until(lambda: "authentication" in bell.stream.problem, seconds=20, what="the refusal is known")
    wait_until(lambda: not bell.stream.socket.is_up, seconds=20, what="nobody asks again at once")
    assert not broker.tend_stream().up and seen.ups == 1


def test_a_user_and_whoever_has_no_address_listen_to_nothing(wiring: Wiring, wire: SocketWire) -> None:
    user = made(wiring, AccountRef.user(BrokerType.COINBASE, "quiet"), wire)
    alone = wiring.broker(MASTER)
    for broker in (user, alone):
        broker.listen(lambda: None)
        assert broker.tend_stream() == NO_NEWS


def test_nothing_is_told_after_the_end(master: Listener, wiring: Wiring) -> None:
    master.settled()
    by_hand = wiring.broker(MASTER)
    master.broker.close()
    master.woken.clear()
    by_hand.connect()
    by_hand.place_order(an_order(quantity="0.01", symbol=BTC))
    assert not master.tend() and not master.woken.is_set()


def test_keys_go_to_the_sockets_of_their_own_venue_alone() -> None:
    own, elsewhere = "wss://advanced-trade-ws-user.coinbase.com", "https://coinbase.example"
    assert CoinbaseSettings().socket_url() == own
    assert CoinbaseSettings(rest_url=elsewhere).socket_url() is None
    assert CoinbaseSettings(rest_url=elsewhere, websocket_url="wss://ws.example").socket_url() == "wss://ws.example"
    assert CoinbaseSettings(private_stream=False).socket_url() is None


# -- how it is spoken -----------------------------------------------------------------------------------------------
KEY = ec.generate_private_key(ec.SECP256R1())
SECRET = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
NOW = datetime(2026, 1, 2, tzinfo=UTC)
LIVE = Live()


class Conversation:
    """A speech, and messages for it with rising numbers."""

    def __init__(self, secret: str = SECRET) -> None:
        self.gaps = 0
        self.number = 0
        self.speech = CoinbaseSpeech(
            api_key="organizations/o/apiKeys/k", api_secret=secret, now=lambda: NOW, ids=SystemIds(), on_gap=self._gap
        )

    def _gap(self) -> None:
        self.gaps += 1

    def hears(self, channel: str, event: object, *, number: int | None = None) -> list[object]:
        """What is made of a message, without what has to be sent."""
        message = {"channel": channel, "sequence_num": self.number if number is None else number, "events": [event]}
        self.number += 1
        return [told for told in self.speech.understand(json.dumps(message).encode()) if not isinstance(told, Say)]

    def order(self, filled: str, status: str = "OPEN", *, number: int | None = None, name: str = "o1") -> list[object]:
        return self.hears("user", {"type": "update", "orders": [an_update(filled, status, name)]}, number=number)

    def begun(self) -> "Conversation":
        self.speech.hello()
        assert self.hears("user", {"type": "snapshot", "orders": []}) == [LIVE]
        assert self.hears("subscriptions", {"subscriptions": {"user": ["me"]}}) == []
        return self


def an_update(filled: str, status: str = "OPEN", name: str = "o1") -> dict[str, str]:
    return {"order_id": name, "cumulative_quantity": filled, "status": status}


def test_each_request_has_a_token_of_its_own_that_names_no_request() -> None:
    speech = Conversation().speech
    requests = [json.loads(speech.hello()), json.loads(speech.ping())]
    assert [(one["type"], one["channel"]) for one in requests] == [("subscribe", "user"), ("subscribe", "heartbeats")]
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = [jwt.decode(one["jwt"], KEY.public_key(), algorithms=["ES256"], options=options) for one in requests]  # type: ignore[arg-type]
    assert all(set(one) == {"sub", "iss", "nbf", "exp"} for one in claims)
    assert claims[0]["nbf"] == NOW.timestamp() and claims[0]["exp"] - claims[0]["nbf"] <= 120
    assert requests[0]["jwt"] != json.loads(speech.hello())["jwt"]


def test_a_secret_that_cannot_sign_is_said_to_be_one() -> None:
    with pytest.raises(CredentialsRejected):
        Conversation("no key").speech.hello()


def test_whichever_comes_first_begins_it_and_then_the_heart_beat_is_asked_for() -> None:
    for channel, event in (
        ("user", {"type": "snapshot", "orders": None}),
        ("subscriptions", {"subscriptions": {"user": ["me"]}}),
    ):
        speech = Conversation().speech
        speech.hello()
        message = {"channel": channel, "sequence_num": 0, "events": [event]}
        asked, live = speech.understand(json.dumps(message).encode())
        assert isinstance(asked, Say) and json.loads(asked.message)["channel"] == "heartbeats" and live == LIVE


def test_what_fills_rings_once_and_what_does_not_never() -> None:
    told = Conversation().begun()
    assert told.order("0") == [], "it is open"
    assert told.order("0.1") == [LIVE]
    assert told.order("0.1") == [], "nothing more"
    assert told.order("0.2") == [LIVE]
    assert told.order("0.2", "CANCELLED") == [LIVE], "by now the history has it all"
    assert told.order("0", "CANCELLED", name="o2") == told.order("0", "FAILED", name="o3") == []
    assert told.order("1", "FILLED", name="o4") == [LIVE]


def test_what_was_filled_before_the_beginning_does_not_ring_again() -> None:
    told = Conversation()
    told.speech.hello()
    assert told.hears("user", {"type": "snapshot", "orders": [an_update("0.3")]}) == [LIVE]
    assert told.hears("user", {"type": "snapshot", "orders": [an_update("0.5", name="o2")]}) == []
    assert told.order("0.3") == told.order("0.5", name="o2") == []
    assert told.order("0.4") == [LIVE]


def test_a_number_that_is_missing_is_a_gap_and_one_that_comes_again_is_none() -> None:
    told = Conversation().begun()
    assert told.order("0.1", number=2) == [LIVE]
    assert told.order("0.1", number=2) == [] and told.gaps == 0
    (gap,) = told.hears("heartbeats", {"heartbeat_counter": 7}, number=4)
    assert isinstance(gap, LetDown) and not gap.by_key and told.gaps == 1
    told.number = 0
    told.begun()
    assert told.order("0.1") == [LIVE], "a new connection counts anew"


def test_a_refused_key_is_told_from_a_stream_that_is_not_given() -> None:
    told = Conversation()
    for text, by_key in (("authentication failure", True), ("rate limit exceeded", False), (None, False)):
        (down,) = told.speech.understand(json.dumps({"type": "error", "message": text}).encode())
        assert isinstance(down, LetDown) and down.by_key is by_key
    (none,) = told.hears("subscriptions", {"subscriptions": {"heartbeats": ["heartbeats"]}})
    assert isinstance(none, LetDown) and not none.by_key


@pytest.mark.parametrize(
    "event",
    [None, {"type": "update"}, {"type": "update", "orders": [{}]}, {"type": "update", "orders": [None]}]
    + [{"type": "update", "orders": [an_update("", "OPEN")]}, {"type": "update", "orders": [an_update("NaN")]}],
)
def test_what_cannot_be_read_may_have_been_a_trade(event: object) -> None:
    with pytest.raises(UnreadableReply):
        Conversation().begun().hears("user", event)


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b'{"channel": "user"}', b'{"channel": "subscriptions"}'])
def test_nor_can_what_is_no_message(text: bytes) -> None:
    with pytest.raises(UnreadableReply):
        Conversation().speech.understand(text)


@pytest.mark.parametrize("channel", ["heartbeats", "ticker", "never_seen"])
def test_other_channels_are_none_of_our_business(channel: str) -> None:
    assert Conversation().begun().hears(channel, {"anything": 1}) == []
