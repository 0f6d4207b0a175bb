"""Alpaca's private stream rings when the master has traded; what was traded is read, and booked, from the history."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from bot.brokers.alpaca.broker import AlpacaBroker
from bot.brokers.alpaca.trade_updates import AlpacaSpeech
from bot.brokers.connect_budget import ConnectBudget
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kept_socket import SocketWire
from bot.brokers.resolver import Resolver
from bot.brokers.stream_speech import LetDown, Live, Say
from bot.brokers.trade_bell import LOOKS_APART_SECONDS, SECOND_LOOK_SECONDS
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import UnreadableReply
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order, now
from tests.exchange_process import ExchangeProcess, wait_until

MASTER = AccountRef.master(BrokerType.ALPACA)
AAPL = "AAPL/USD"


class Listener:
    """A master that listens; `missed` counts how often its history had to be read."""

    def __init__(self, broker: AlpacaBroker) -> None:
        self.broker = broker
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


def socket_url(exchange: ExchangeProcess) -> str:
    addresses = exchange.addresses["alpaca"]
    return str(addresses.get("ws_auth") or addresses["ws"])


@pytest.fixture
def wire() -> Iterator[SocketWire]:
    clock, ids = SystemClock(), SystemIds()
    feed = FeedLoop("alpaca", clock, step_seconds=0.5)
    yield SocketWire(
        feed=feed,
        budget=ConnectBudget(clock, ids, limit=1000),
        clock=clock,
        ids=ids,
        resolver=Resolver(clock),
        silence_seconds=2.0,
    )
    feed.close()


@pytest.fixture
def master(wiring: Wiring, wire: SocketWire, exchange: ExchangeProcess) -> Iterator[Listener]:
    exchange.control("POST", "/session", {"mode": "open"})
    access = replace(wiring.access(MASTER), ws_auth_url=socket_url(exchange))
    first = wiring.broker(MASTER, access=access)
    assert isinstance(first, AlpacaBroker)
    broker = AlpacaBroker(context=replace(first._context, wire=wire))
    wiring.brokers.append(broker)
    broker.connect()
    broker.get_trading_pairs()
    listener = Listener(broker)
    broker.listen(listener.woken.set)
    wait_until(listener.tend, seconds=20, what="the stream is live")
    yield listener


def test_a_trade_of_the_owner_rings_and_is_then_in_the_history(master: Listener) -> None:
    wait_until(lambda: master.rung(2), seconds=20, what="the history after the connection, and once more")
    before, heard = now(), master.missed
    master.woken.clear()
    ack = master.broker.place_order(an_order(quantity="1", symbol=AAPL))
    assert master.woken.wait(10)
    wait_until(lambda: master.rung(heard + 1), seconds=10, what="the bell")
    fills = master.broker.get_fills_since(before)
    assert [fill.venue_order_id for fill in fills] == [ack.venue_order_id]
    wait_until(lambda: master.rung(heard + 2), seconds=SECOND_LOOK_SECONDS + 10, what="the second look")


def test_many_trades_at_once_are_few_readings_and_none_is_left_out(master: Listener) -> None:
    wait_until(lambda: master.rung(2), seconds=20, what="the history after the connection, and once more")
    heard, before, begun = master.missed, now(), SystemClock().monotonic()
    acks = [master.broker.place_order(an_order(quantity="0.1", symbol=AAPL)) for _ in range(20)]
    last_told = SystemClock().monotonic()
    wait_until(lambda: master.rung(heard + 1), seconds=10, what="the bell")
    while SystemClock().monotonic() < last_told + LOOKS_APART_SECONDS + SECOND_LOOK_SECONDS + 2:
        master.tend()
        threading.Event().wait(0.02)
    seconds = SystemClock().monotonic() - begun
    assert 2 <= master.missed - heard <= seconds / LOOKS_APART_SECONDS + 2
    fills = master.broker.get_fills_since(before)
    assert {ack.venue_order_id for ack in acks} <= {fill.venue_order_id for fill in fills}


def test_a_quiet_stream_stays_live_and_rings_for_nothing(master: Listener) -> None:
    wait_until(lambda: master.rung(2), seconds=20, what="the history after the connection, and once more")
    heard, until = master.missed, SystemClock().monotonic() + 5
    while SystemClock().monotonic() < until:
        assert master.tend()
        threading.Event().wait(0.2)
    assert master.missed == heard


def test_after_a_break_the_history_is_read_whatever_was_told(master: Listener, exchange: ExchangeProcess) -> None:
    wait_until(lambda: master.rung(2), seconds=20, what="the history after the connection, and once more")
    heard = master.missed
    exchange.fault("reset", account="master", endpoint="ws/listen")
    wait_until(lambda: not master.tend(), seconds=20, what="the break")
    wait_until(lambda: master.rung(heard + 1), seconds=20, what="the history after the break")


def test_a_user_listens_to_nothing(wiring: Wiring, wire: SocketWire, exchange: ExchangeProcess) -> None:
    user = AccountRef.user(BrokerType.ALPACA, "quiet")
    first = wiring.broker(user, access=replace(wiring.access(user), ws_auth_url=socket_url(exchange)))
    assert isinstance(first, AlpacaBroker)
    broker = AlpacaBroker(user.account_type, user.user_id, context=replace(first._context, wire=wire))
    wiring.brokers.append(broker)
    broker.listen(lambda: None)
    assert broker.tend_stream().up is False


# -- how it is spoken -----------------------------------------------------------------------------------------------
@pytest.fixture
def speech() -> AlpacaSpeech:
    return AlpacaSpeech(api_key="PK1", api_secret=SecretStr("s3cret").get_secret_value())


def said(stream: str, **data: object) -> bytes:
    return json.dumps({"stream": stream, "data": data}).encode()


def test_the_key_comes_first_then_what_is_wanted(speech: AlpacaSpeech) -> None:
    hello = json.loads(speech.hello())
    assert hello == {"action": "authenticate", "data": {"key_id": "PK1", "secret_key": "s3cret"}}
    (asked,) = speech.understand(said("authorization", action="authenticate", status="authorized"))
    assert isinstance(asked, Say)
    assert json.loads(asked.message) == {"action": "listen", "data": {"streams": ["trade_updates"]}}
    assert speech.understand(said("listening", streams=["trade_updates"])) == (Live(),)
    assert speech.understand(said("listening", streams=["trade_updates"])) == (), "the answer to a ping"


def test_each_connection_begins_anew(speech: AlpacaSpeech) -> None:
    for _ in range(2):
        speech.hello()
        assert speech.understand(said("listening", streams=["trade_updates"])) == (Live(),)


@pytest.mark.parametrize("event", ["fill", "partial_fill", "trade_bust", "trade_correct"])
def test_what_changes_the_history_rings(speech: AlpacaSpeech, event: str) -> None:
    assert speech.understand(said("trade_updates", event=event, order={})) == (Live(),)


@pytest.mark.parametrize("event", ["new", "accepted", "canceled", "expired", "pending_new", "never_seen"])
def test_what_trades_nothing_does_not(speech: AlpacaSpeech, event: str) -> None:
    assert speech.understand(said("trade_updates", event=event, order={})) == ()


def test_a_refused_key_is_told_from_a_stream_that_is_not_given(speech: AlpacaSpeech) -> None:
    (by_key,) = speech.understand(said("authorization", action="authenticate", status="unauthorized"))
    (other,) = speech.understand(said("listening", streams=[]))
    assert isinstance(by_key, LetDown) and by_key.by_key
    assert isinstance(other, LetDown) and not other.by_key


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b'{"stream": "trade_updates"}', b'{"stream": "listening"}'])
def test_what_cannot_be_read_may_have_been_a_trade(speech: AlpacaSpeech, text: bytes) -> None:
    with pytest.raises(UnreadableReply):
        speech.understand(text)
