"""An order that leaves in a batch with others' over a connection kept for it is the same order as any other.

At each brokerage that takes orders as HTTP requests, and against each fault the outcome is the one that the account's
own thread would have heard.
"""

import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.brokers.base import BaseBroker, Urgency
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kept_http import HttpWire
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.brokers.resolver import Resolver
from bot.brokers.socket_lane import LaneOutcome, SocketLane
from bot.brokers.venue_gate import Passage, VenueGate
from bot.domain.account import AccountRef
from bot.domain.errors import OrderRefused, OutcomeUnknown, RetryLater
from bot.domain.order import OrderRequest
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from tests.bot_process import wait_until
from tests.contract_brokers.conftest import OpenGate, Wiring
from tests.contract_brokers.matrix.conftest import connected
from tests.contract_brokers.matrix.rigs import RIGS, Rig
from tests.contract_brokers.orders import an_order
from tests.exchange_process import ExchangeProcess

BY_HTTP = [rig for rig in RIGS.values() if rig.name != "kraken"]
# Nothing of these says whether the order was taken.
SILENCES: Sequence[str | dict[str, Any]] = (
    "drop_request",
    "drop_response",
    "reset",
    "html",
    "malformed",
    {"kind": "5xx", "status": 503},
    {"kind": "accept_then_5xx", "status": 502},
    {"kind": "hang", "seconds": 30},
    {"kind": "body", "text": "null"},
)


@pytest.fixture(params=BY_HTTP, ids=lambda rig: rig.name)
def rig(request: pytest.FixtureRequest) -> Rig:
    one: Rig = request.param
    return one


@pytest.fixture
def feed() -> Iterator[FeedLoop]:
    made = FeedLoop("orders", SystemClock())
    yield made
    made.close()


@pytest.fixture
def user(wiring: Wiring, feed: FeedLoop, rig: Rig, request: pytest.FixtureRequest) -> Callable[..., BaseBroker]:
    """Opens an account whose orders can leave in a batch."""
    wiring.read_seconds = 2.0
    clock = wiring.clock
    wire = HttpWire(feed=feed, clock=clock, ids=SystemIds(), resolver=Resolver(clock))
    test = zlib.crc32(request.node.name.encode())

    def opened(number: int = 0, **more: object) -> BaseBroker:
        account = AccountRef.user(rig.broker, f"lane{test}x{number}")
        plain: Any = wiring.broker(account)
        context = replace(plain._context, order_wire=wire, **more)
        made: BaseBroker = type(plain)(account.account_type, account.user_id, context=context)
        wiring.brokers.append(made)
        connected(made)
        made.listen(lambda: None)
        wait_until(lambda: lane_of(made).ready(rig.symbol), seconds=10, what="orders can leave")
        return made

    return opened


def lane_of(broker: BaseBroker) -> SocketLane:
    lane = broker.lane()
    assert lane is not None
    return lane


def send(feed: FeedLoop, *orders: tuple[BaseBroker, OrderRequest]) -> Sequence[LaneOutcome]:
    """As the order lane does: all frames are made, and written on the loop in one go."""
    frames = [lane_of(broker).frame(request) for broker, request in orders]
    outcomes: list[list[LaneOutcome]] = [[] for _ in orders]

    def write() -> None:
        for frame, heard in zip(frames, outcomes, strict=True):
            assert frame is not None
            frame.send(heard.append)

    feed.call(write)
    wait_until(lambda: all(outcomes), seconds=20, what="each has an outcome")
    assert [len(heard) for heard in outcomes] == [1] * len(orders)
    return [heard[0] for heard in outcomes]


def order(rig: Rig, **more: Any) -> OrderRequest:
    return an_order(quantity=rig.quantity, symbol=rig.symbol, **more)


def shown(broker: BaseBroker, request: OrderRequest, rig: Rig) -> Any:
    """The order as it is looked up after an unknown outcome."""
    sent_at = broker.venue_now()
    assert sent_at is not None
    return broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)


def requests_to_place(exchange: ExchangeProcess, rig: Rig, since: int, account: str) -> int:
    return sum(rig.places(line) for line in exchange.journal(since, type="request", account=account))


def test_orders_of_many_leave_in_one_go_and_each_is_taken_once(
    user: Callable[..., BaseBroker], feed: FeedLoop, exchange: ExchangeProcess, rig: Rig
) -> None:
    brokers = [user(number) for number in range(5)]
    orders = [(broker, order(rig)) for broker in brokers]
    since = exchange.last_seq()
    for (broker, request), outcome in zip(orders, send(feed, *orders), strict=True):
        assert outcome.ack is not None and outcome.ack.client_order_id == request.client_order_id
        found = broker.get_order(outcome.ack.venue_order_id)
        assert found is not None
        assert (found.client_order_id, found.quantity) == (request.client_order_id, request.quantity)
        (accepted,) = exchange.journal(since, type="accept", client_order_id=request.client_order_id)
        assert Decimal(accepted["quantity"]) == request.quantity


def test_the_same_connection_takes_one_order_after_the_other(
    user: Callable[..., BaseBroker], feed: FeedLoop, wiring: Wiring, rig: Rig
) -> None:
    broker = user()
    wiring.calls.clear()
    for _ in range(3):
        (outcome,) = send(feed, (broker, order(rig)))
        assert outcome.ack is not None
    assert [(label, word) for label, endpoint, _, word in wiring.calls if endpoint.startswith("POST ")] == [
        (broker.account.label, "ok")
    ] * 3


@pytest.mark.parametrize("action", SILENCES, ids=lambda action: action if isinstance(action, str) else action["kind"])
def test_what_is_not_known_is_asked_and_was_sent_once(
    user: Callable[..., BaseBroker], feed: FeedLoop, exchange: ExchangeProcess, rig: Rig, action: Any
) -> None:
    broker, request, since = user(), order(rig), exchange.last_seq()
    name = broker.account.venue_account_name
    exchange.fault(action, account=name, endpoint=rig.endpoints.place)
    (outcome,) = send(feed, (broker, request))
    assert isinstance(outcome.error, OutcomeUnknown), outcome
    assert requests_to_place(exchange, rig, since, name) == 1
    taken = exchange.journal(since, type="accept", client_order_id=request.client_order_id)
    found = wait_until(lambda: [shown(broker, request, rig)], seconds=10, what="it was looked for")[0]
    assert (found is not None) == bool(taken)
    wait_until(lambda: lane_of(broker).ready(rig.symbol), seconds=10, what="there is another connection")


def test_each_of_the_venues_words_means_what_it_means_to_an_order_that_went_by_itself(
    user: Callable[..., BaseBroker], feed: FeedLoop, exchange: ExchangeProcess, wiring: Wiring, rig: Rig
) -> None:
    gate = OpenGate(wiring.clock, rig.name)
    broker = user(gate=gate)
    for number, (text, meaning) in enumerate(rig.words.items(), start=1):
        if not lane_of(broker).ready(rig.symbol):
            broker = user(number, gate=gate)  # the word before was about the time, or about too many calls
        exchange.fault(
            {"kind": "api_error", "text": text},
            account=broker.account.venue_account_name,
            endpoint=rig.endpoints.place,
        )
        (outcome,) = send(feed, (broker, order(rig)))
        assert type(outcome.error) is meaning, (text, outcome)


def test_an_order_the_account_cannot_pay_is_refused_to_its_own_user_alone(
    user: Callable[..., BaseBroker], feed: FeedLoop, rig: Rig
) -> None:
    poor, rich = user(0), user(1)
    too_much = an_order(quantity=rig.more_than_offered, symbol=rig.symbol)
    refused, taken = send(feed, (poor, too_much), (rich, order(rig)))
    assert isinstance(refused.error, OrderRefused) and taken.ack is not None


def test_after_the_close_nothing_leaves(
    user: Callable[..., BaseBroker], feed: FeedLoop, exchange: ExchangeProcess, rig: Rig
) -> None:
    broker, request = user(), order(rig)
    frame = lane_of(broker).frame(request)
    assert frame is not None
    broker.close()
    since, heard = exchange.last_seq(), list[LaneOutcome]()
    feed.call(lambda: frame.send(heard.append))
    wait_until(lambda: heard, seconds=10, what="it has an outcome")
    assert isinstance(heard[0].error, RetryLater)
    assert not lane_of(broker).ready(rig.symbol)
    assert exchange.journal(since, account=broker.account.venue_account_name) == []


def test_what_comes_too_late_to_its_turn_does_not_leave(
    user: Callable[..., BaseBroker], feed: FeedLoop, exchange: ExchangeProcess, wiring: Wiring, rig: Rig
) -> None:
    broker = user()
    frame = lane_of(broker).frame(replace(order(rig), leave_before=wiring.clock.monotonic()))
    assert frame is not None
    since, heard = exchange.last_seq(), list[LaneOutcome]()
    feed.call(lambda: frame.send(heard.append))
    wait_until(lambda: heard, seconds=10, what="it has an outcome")
    assert isinstance(heard[0].error, RetryLater)
    assert exchange.journal(since, account=broker.account.venue_account_name) == []


class Stopped(VenueGate):
    """Of a venue that has shut the address out."""

    def shut(self) -> None:
        self.shut_out(Passage("anybody", Urgency.POLL, self._clock.monotonic(), self), "HTTP 418", 60.0, ban=True)


def test_while_the_venue_is_left_alone_nobody_boards_and_nothing_leaves(
    user: Callable[..., BaseBroker], feed: FeedLoop, exchange: ExchangeProcess, wiring: Wiring, rig: Rig
) -> None:
    gate = Stopped(wiring.clock, rig.name)
    broker = user(gate=gate)
    frame = lane_of(broker).frame(order(rig))
    assert frame is not None
    gate.shut()
    assert not lane_of(broker).ready(rig.symbol)
    since, heard = exchange.last_seq(), list[LaneOutcome]()
    feed.call(lambda: frame.send(heard.append))
    wait_until(lambda: heard, seconds=10, what="it has an outcome")
    assert isinstance(heard[0].error, RetryLater)
    assert exchange.journal(since, account=broker.account.venue_account_name) == []


def test_an_order_without_room_on_its_counter_waits_for_nobody(
    user: Callable[..., BaseBroker], feed: FeedLoop, wiring: Wiring, rig: Rig
) -> None:
    """The loop serves everybody: whoever would have to wait goes by its own thread, and no counter forgets it."""
    made: list[RateBudget] = []

    def budget(label: str) -> RateBudget:
        made.append(RateBudget(wiring.clock, name=label, limit=100.0, decay_per_second=0.01))
        return made[-1]

    broker = user(key_budgets=RateBudgets(budget))
    used = made[0].used
    assert send(feed, (broker, order(rig)))[0].ack is not None
    assert made[0].used > used
    with made[0].spend(100.0 - made[0].used, Urgency.EXIT, within_seconds=0.0) as spending:
        spending.leaving()
    assert not lane_of(broker).ready(rig.symbol)
    (outcome,) = send(feed, (broker, order(rig)))
    assert isinstance(outcome.error, RetryLater) and "no room" in str(outcome.error)


def test_a_master_and_an_account_without_the_wire_have_no_lane(wiring: Wiring, rig: Rig) -> None:
    assert wiring.broker(AccountRef.user(rig.broker, "nobody")).lane() is None
    assert wiring.broker(AccountRef.master(rig.broker)).lane() is None


def test_a_market_that_is_not_listed_is_no_order_of_a_batch(user: Callable[..., BaseBroker], rig: Rig) -> None:
    broker = user()
    assert not lane_of(broker).ready("NOSUCH/USD")
    assert lane_of(broker).frame(an_order(quantity=rig.quantity, symbol="NOSUCH/USD")) is None


def test_who_hangs_on_one_connection_delays_no_other(
    user: Callable[..., BaseBroker], feed: FeedLoop, exchange: ExchangeProcess, rig: Rig
) -> None:
    hanging, prompt = user(0), user(1)
    name = hanging.account.venue_account_name
    exchange.fault({"kind": "hang", "seconds": 30}, account=name, endpoint=rig.endpoints.place)
    stuck, heard, done = list[LaneOutcome](), list[LaneOutcome](), threading.Event()
    frames = [lane_of(one).frame(order(rig)) for one in (hanging, prompt)]

    def write() -> None:
        for frame, answered in zip(frames, (stuck.append, heard.append), strict=True):
            assert frame is not None
            frame.send(answered)
        done.set()

    feed.call(write)
    assert done.wait(10)
    wait_until(lambda: heard, seconds=10, what="the other one is answered")
    assert heard[0].ack is not None and stuck == []
    wait_until(lambda: stuck, seconds=10, what="its time is over")
    assert isinstance(stuck[0].error, OutcomeUnknown)
