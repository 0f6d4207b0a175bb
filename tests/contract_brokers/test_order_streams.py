"""Private streams of OKX and Binance: trades are told as they happen, and after every break the history is read."""

import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr

from bot.brokers.by_ccxt.broker import CcxtBroker
from bot.brokers.connect_budget import ConnectBudget
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kept_socket import SocketWire
from bot.brokers.resolver import Resolver
from bot.brokers.stream_news import NO_NEWS
from bot.domain.account import AccountRef, BrokerType
from bot.domain.fill import Fill
from bot.domain.order import OrderType
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order, now, resting_price
from tests.exchange_process import ExchangeProcess, wait_until

D = Decimal
BTC = "BTC/USDT"
# What a fault of the exchange calls the messages that tell of orders, and the request that begins them.
TOLD = {BrokerType.OKX: "ws/orders", BrokerType.BINANCE: "ws/executionReport"}
BEGUN = {BrokerType.OKX: "ws/subscribe", BrokerType.BINANCE: "ws/userDataStream.subscribe.signature"}
REFUSAL = {BrokerType.OKX: "60005", BrokerType.BINANCE: "-2015"}


class Listener:
    """One account that listens, and what it has heard."""

    def __init__(self, broker: CcxtBroker) -> None:
        self.broker = broker
        self.woken = threading.Event()
        self.fills: list[Fill] = []
        self.missed = 0

    def tend(self) -> bool:
        news = self.broker.tend_stream()
        self.fills += news.fills
        self.missed += news.missed
        return news.up

    def until_live(self) -> None:
        wait_until(self.tend, seconds=20, what="the stream is live")

    def until_told(self, quantity: str) -> None:
        def told() -> bool:
            self.tend()
            return sum(fill.quantity for fill in self.fills) >= D(quantity)

        wait_until(told, seconds=20, what=f"trades of {quantity} have been told")

    def listed(self, since: datetime) -> list[Fill]:
        return list(self.broker.get_fills_since(since))


@pytest.fixture(params=[BrokerType.OKX, BrokerType.BINANCE], ids=str)
def user(request: pytest.FixtureRequest) -> AccountRef:
    return AccountRef.user(request.param, f"w{zlib.crc32(request.node.name.encode())}")


@pytest.fixture
def wire() -> Iterator[SocketWire]:
    clock, ids = SystemClock(), SystemIds()
    feed = FeedLoop("streams", clock, step_seconds=0.5)
    yield SocketWire(
        feed=feed,
        budget=ConnectBudget(clock, ids, limit=1000),
        clock=clock,
        ids=ids,
        resolver=Resolver(clock),
        silence_seconds=2.0,
    )
    feed.close()


def made(wiring: Wiring, user: AccountRef, wire: SocketWire, *, secret: str | None = None) -> CcxtBroker:
    """A broker with the address of its stream; with another secret it can't log in there."""
    plain = wiring.broker(user)
    assert isinstance(plain, CcxtBroker)
    access = plain._context.access
    if secret is not None:
        access = replace(access, credentials=replace(access.credentials, api_secret=SecretStr(secret)))
    url = wiring.exchange.addresses[str(user.broker)]["ws_auth"]
    context = replace(plain._context, wire=wire, access=replace(access, ws_auth_url=url), gather_seconds=0.05)
    broker = type(plain)(user.account_type, user.user_id, context=context)  # type: ignore[call-arg, arg-type]
    wiring.brokers.append(broker)
    return broker


@pytest.fixture
def listener(wiring: Wiring, user: AccountRef, wire: SocketWire) -> Listener:
    broker = made(wiring, user, wire)
    broker.connect()
    listening = Listener(broker)
    broker.listen(listening.woken.set)
    listening.until_live()
    return listening


@pytest.fixture
def by_hand(wiring: Wiring, listener: Listener, user: AccountRef) -> CcxtBroker:
    """The same account by another client, which does not listen."""
    broker = wiring.broker(user, access=listener.broker._context.access)
    assert isinstance(broker, CcxtBroker)
    return broker


def test_who_has_no_address_of_a_stream_hears_nothing(wiring: Wiring, user: AccountRef) -> None:
    broker = wiring.broker(user)
    broker.listen(lambda: None)
    assert broker.tend_stream() == NO_NEWS


def test_whoever_begins_to_listen_is_told_to_read_the_history_once(listener: Listener) -> None:
    assert listener.missed == 1
    assert listener.tend()
    assert listener.missed == 1 and listener.fills == []


def test_a_trade_is_told_to_the_last_digit_as_the_list_of_trades_has_it(
    listener: Listener, by_hand: CcxtBroker
) -> None:
    since = now()
    listener.woken.clear()
    by_hand.place_order(an_order(quantity="0.01", symbol=BTC))
    assert listener.woken.wait(10), "the account was woken"
    listener.until_told("0.01")
    assert listener.fills == listener.listed(since)
    assert {fill.fee_currency for fill in listener.fills} == {"BTC"}


def test_an_order_of_our_own_is_told_as_well(listener: Listener) -> None:
    since = now()
    ack = listener.broker.place_order(an_order(quantity="0.02", symbol=BTC))
    listener.until_told("0.02")
    assert {fill.venue_order_id for fill in listener.fills} == {ack.venue_order_id}
    assert listener.fills == listener.listed(since)


def test_an_order_that_rests_and_is_cancelled_brings_no_trades(listener: Listener) -> None:
    price = resting_price(listener.broker, BTC)
    ack = listener.broker.place_order(an_order(price=price, order_type=OrderType.LIMIT_GTC, symbol=BTC))
    listener.broker.cancel_order(ack.venue_order_id)
    listener.broker.place_order(an_order(quantity="0.005", symbol=BTC))
    listener.until_told("0.005")
    assert sum(fill.quantity for fill in listener.fills) == D("0.005")
    assert listener.missed == 1, "nothing was taken for a break"


def test_a_message_that_comes_twice_is_one_trade(
    listener: Listener, exchange: ExchangeProcess, user: AccountRef
) -> None:
    exchange.fault("duplicate", times=None, account=user.user_id, endpoint=TOLD[user.broker])
    listener.broker.place_order(an_order(quantity="0.01", symbol=BTC))
    listener.broker.place_order(an_order(quantity="0.02", symbol=BTC))
    listener.until_told("0.03")
    assert sum(fill.quantity for fill in listener.fills) == D("0.03")
    assert len({fill.trade_id for fill in listener.fills}) == len(listener.fills)


def test_a_message_that_is_lost_is_a_trade_that_the_readings_bring(
    listener: Listener, by_hand: CcxtBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    since = now()
    exchange.fault("gap", times=None, account=user.user_id, endpoint=TOLD[user.broker])
    by_hand.place_order(an_order(quantity="0.01", symbol=BTC))
    wait_until(lambda: listener.listed(since), seconds=10, what="the list has it")
    listener.tend()
    assert listener.fills == []
    assert sum(fill.quantity for fill in listener.listed(since)) == D("0.01")


def test_what_was_not_told_before_a_break_is_in_the_history_that_is_read_after_it(
    listener: Listener, by_hand: CcxtBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    since = now()
    exchange.fault("close", account=user.user_id, endpoint=TOLD[user.broker])
    by_hand.place_order(an_order(quantity="0.01", symbol=BTC))
    wait_until(lambda: listener.tend() and listener.missed == 2, seconds=20, what="it is live again")
    assert sum(fill.quantity for fill in listener.listed(since)) == D("0.01")
    by_hand.place_order(an_order(quantity="0.02", symbol=BTC))
    listener.until_told("0.02")
    assert listener.fills[-1] == listener.listed(since)[-1]


def test_a_stream_that_falls_silent_is_made_anew_and_the_history_read(
    listener: Listener, by_hand: CcxtBroker, exchange: ExchangeProcess, user: AccountRef
) -> None:
    exchange.fault("silence 30", account=user.user_id, endpoint=TOLD[user.broker])
    by_hand.place_order(an_order(quantity="0.01", symbol=BTC))
    wait_until(lambda: listener.tend() and listener.missed == 2, seconds=20, what="a silent stream is made anew")


def test_a_subscription_that_is_not_answered_is_made_anew(
    wiring: Wiring, user: AccountRef, wire: SocketWire, exchange: ExchangeProcess
) -> None:
    broker = made(wiring, user, wire)
    broker.connect()
    exchange.fault("drop_response", account=user.user_id, endpoint=BEGUN[user.broker])
    listening = Listener(broker)
    broker.listen(listening.woken.set)
    listening.until_live()


def test_a_key_that_the_stream_refuses_is_left_alone_and_the_account_goes_on(
    listener: Listener, exchange: ExchangeProcess, user: AccountRef
) -> None:
    opening = "ws/login" if user.broker is BrokerType.OKX else BEGUN[user.broker]
    exchange.fault(f"api_error {REFUSAL[user.broker]}", times=None, account=user.user_id, endpoint=opening)
    stream = listener.broker._stream
    assert stream is not None
    wire = listener.broker._context.wire
    assert wire is not None
    wire.feed.call(lambda: stream.socket.drop("a test"))
    wait_until(lambda: REFUSAL[user.broker] in stream.problem, seconds=20, what="the refusal is known")
    wait_until(lambda: not stream.socket.is_up, what="nobody asks again at once")
    assert not listener.tend()
    assert listener.broker.fetch_holdings().of("USDT").total > 0


def test_nothing_is_told_after_the_end(listener: Listener, by_hand: CcxtBroker) -> None:
    listener.broker.close()
    listener.woken.clear()
    by_hand.place_order(an_order(quantity="0.01", symbol=BTC))
    assert not listener.tend()
    assert listener.fills == [] and not listener.woken.is_set()
