"""The private stream of an account and its view, with whatever can happen to messages on their way."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.account_view import MOST_ORDERS, ORDERS_KEPT
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kraken.private_stream import MOST_RENEWALS, PrivateStream
from bot.brokers.kraken.socket import SocketWire
from bot.brokers.kraken.stream_messages import Message
from bot.brokers.resolver import Resolver
from bot.brokers.socket_observer import NOBODY
from bot.domain.errors import RetryLater
from bot.domain.order import Side, VenueOrderStatus
from bot.seams.ids import SeededIds
from tests.unit.brokers.clocks import TurnedClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Less than the real fifty, so that the snapshot alone can't tell all that was missed.
SNAPSHOT_TRADES = 2


class LoopOfNone:
    """Does everything at once, in the caller's thread; what is to be done later is kept until a test says so."""

    is_prompt = True

    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []

    def call(self, work: Callable[[], None]) -> None:
        work()

    def after(self, _seconds: float, work: Callable[[], None]) -> None:
        self.later.append(work)

    def spawn(self, _make: object) -> None:
        pass

    def keep(self, _make: object) -> object:
        return object()

    def let_go(self, _key: object) -> None:
        pass


class Venue:
    """The other end: what is true of the account, numbered messages about it, and what becomes of them."""

    def __init__(self) -> None:
        self.clock = TurnedClock()
        self.loop = LoopOfNone()
        wire = SocketWire(
            feed=cast(FeedLoop, self.loop),
            budget=cast(Any, None),
            clock=self.clock,
            ids=SeededIds(1),
            resolver=Resolver(self.clock),
            silence_seconds=10.0,
            observer=NOBODY,
        )
        self.answers: list[Message] = []
        self.stream = PrivateStream(
            wire=wire,
            url="ws://127.0.0.1:1",
            label="ann_kraken",
            is_master=False,
            gather_seconds=0.0,
            on_answer=self.answers.append,
            on_lost=lambda _why: None,
            on_time=lambda _moment: None,
        )
        self.sent: list[dict[str, Any]] = []
        self.connected = False
        self.trades: list[dict[str, Any]] = []
        self.usd = Decimal(100_000)
        self.sequence = {"executions": 0, "balances": 0}
        self.fault = "none"
        self.held: bytes | None = None
        self.drops: list[str] = []
        socket = self.stream.socket
        socket.send = self._sent  # type: ignore[method-assign,assignment]
        socket.drop = self._dropped  # type: ignore[method-assign]
        self.stream.view._heard = lambda: self.connected
        self.stream.listen(lambda: None)

    # -- the connection ---------------------------------------------------------------------------------------------
    def up(self) -> None:
        self.connected = True
        self.stream.socket._connection = cast(Any, self)
        self.stream._up()

    def down(self) -> None:
        self.connected, self.held = False, None
        self.stream.socket._connection = None
        self.sequence = {"executions": 0, "balances": 0}
        self.stream._down("gone")

    def _dropped(self, why: str) -> None:
        self.drops.append(why)
        self.down()

    def _sent(self, text: bytes, *, check: object = None) -> bool:
        request = json.loads(text)
        self.sent.append(request)
        channel = request["params"]["channel"]
        if request["method"] == "subscribe":
            self.sequence[channel] = 0
            self._push(channel, "snapshot", self._snapshot(channel))
        return True

    def _snapshot(self, channel: str) -> list[dict[str, Any]]:
        if channel == "balances":
            return [{"asset": "USD", "balance": self.usd}]
        latest = [dict(trade, order_status="filled") for trade in self.trades[-SNAPSHOT_TRADES:]]
        return [{key: value for key, value in trade.items() if key != "order_qty"} for trade in latest]

    # -- what happens -----------------------------------------------------------------------------------------------
    def trade(self, fault: str = "none", *, legs: bool = True) -> None:
        """A market order of the account that fills at once: four messages of its orders, and one of its money."""
        number = len(self.trades) + 1
        order_id = f"O{number:05d}"
        described = {"order_id": order_id, "symbol": "BTC/USD", "side": "buy", "order_qty": Decimal("0.1")}
        stamp = (START + timedelta(seconds=number)).isoformat()
        trade = described | {
            "exec_type": "trade",
            "order_status": "partially_filled",
            "exec_id": f"T{number:05d}",
            "last_qty": Decimal("0.1"),
            "last_price": Decimal(1000),
            "cum_qty": Decimal("0.1"),
            "timestamp": stamp,
        }
        self.trades.append(trade)
        self.usd -= 100
        self.fault = fault
        self.says({**described, "exec_type": "pending_new", "order_status": "pending_new", "timestamp": stamp})
        self.says({key: value for key, value in trade.items() if key != "order_qty"})
        self.says({"order_id": order_id, "exec_type": "filled", "order_status": "filled", "timestamp": stamp})
        if legs:
            leg = {"asset": "USD", "balance": self.usd, "type": "trade", "ref_id": trade["exec_id"]}
            self._push("balances", "update", [leg])

    def says(self, *items: dict[str, Any]) -> None:
        self._push("executions", "update", list(items))

    def _push(self, channel: str, kind: str, data: list[dict[str, Any]]) -> None:
        if not self.connected:
            return
        self.sequence[channel] += 1
        text = wire_text({"channel": channel, "type": kind, "data": data, "sequence": self.sequence[channel]})
        fault, self.fault = (self.fault, "none") if kind == "update" else ("none", self.fault)
        if fault == "gap":
            return
        if fault == "reorder":
            self.held = text
            return
        self.stream._text(text)
        if fault == "duplicate":
            self.stream._text(text)
        held, self.held = self.held, None
        if held is not None and self.connected:
            self.stream._text(held)

    # -- the account ------------------------------------------------------------------------------------------------
    def tend(self, books: "Books") -> None:
        if not self.connected:
            return
        books.take(self.stream.tend(lambda: "token"), self.trades)


class Books:
    """As the account's thread books: its history after a break, then what was told, each trade once."""

    def __init__(self) -> None:
        self.booked: set[str] = set()
        self.told: Counter[str] = Counter()

    def take(self, news: Any, history: Sequence[dict[str, Any]]) -> None:
        if news.missed:
            self.booked |= {trade["exec_id"] for trade in history}
        self.told.update(fill.trade_id for fill in news.fills)
        self.booked |= {fill.trade_id for fill in news.fills}


def wire_text(document: dict[str, Any]) -> bytes:
    """Numbers as numbers, with their zeros."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return "{" + ",".join(f'"{key}":{plain(item)}' for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(plain(item) for item in value) + "]"
        return format(value, "f") if isinstance(value, Decimal) else json.dumps(value)

    return str(plain(document)).encode()


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.up()
    made.stream.tend(lambda: "token")
    assert made.stream.view.live
    return made


STEPS = st.lists(
    st.sampled_from(["trade", "trade", "gap", "duplicate", "reorder", "down", "up", "tend", "tend", "nonsense"]),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_no_trade_is_missed_and_none_is_told_twice_whatever_happens_to_the_messages(steps: Sequence[str]) -> None:
    venue, books = Venue(), Books()
    venue.up()
    for step in steps:
        if step == "down" and venue.connected:
            venue.down()
        elif step == "up" and not venue.connected:
            venue.up()
        elif step == "tend":
            venue.tend(books)
        elif step == "nonsense" and venue.connected:
            venue.stream._text(b'{"channel":"executions","type":"update","data":[{"order_id":7}],"sequence":2}')
        else:
            venue.trade("none" if step == "trade" else step)
    if not venue.connected:
        venue.up()
    venue.tend(books)
    venue.trade()  # what shows that the last message before it was lost
    if not venue.connected:
        venue.up()
        venue.tend(books)
    venue.tend(books)
    assert books.booked == {trade["exec_id"] for trade in venue.trades}
    assert [trade for trade, times in books.told.items() if times > 1] == []
    holdings = venue.stream.view.holdings()
    assert holdings is not None and holdings.of("USD").available <= venue.usd


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_an_order_with_a_message_missing_is_not_shown(venue: Venue, lost: int) -> None:
    say, number = venue._push, Counter[str]()

    def push(channel: str, kind: str, data: list[dict[str, Any]]) -> None:
        number[channel] += 1
        venue.fault = "gap" if channel == "executions" and number[channel] == lost + 1 else "none"
        say(channel, kind, data)

    venue._push = push  # type: ignore[method-assign]
    venue.trade()
    order = venue.stream.view.order("O00001")
    # Without its description, or with a message missing before: no. Without its last message all of it was told.
    assert (order is not None) == (lost == 2)
    if order is not None:
        assert (order.status, order.filled_quantity) == (VenueOrderStatus.FILLED, Decimal("0.1"))


def test_an_order_is_put_together_from_what_its_messages_carry(venue: Venue) -> None:
    venue.says(
        {
            "order_id": "OA",
            "cl_ord_id": "AB12-cd34",
            "symbol": "BTC/USD",
            "side": "sell",
            "order_qty": Decimal(2),
            "limit_price": Decimal("5.5"),
            "cum_qty": Decimal(0),
            "exec_type": "pending_new",
            "order_status": "pending_new",
            "timestamp": START.isoformat(),
        }
    )
    venue.says({"order_id": "OA", "exec_type": "new", "order_status": "new", "timestamp": START.isoformat()})
    order = venue.stream.view.order_by_client_id("ab12cd34")
    assert order is not None
    assert (order.venue_order_id, order.symbol, order.side, order.status) == (
        "OA",
        "BTC/USD",
        Side.SELL,
        VenueOrderStatus.OPEN,
    )
    holdings = venue.stream.view.holdings()
    assert holdings is not None and holdings.of("USD").held == 0
    venue.says(
        {
            "order_id": "OA",
            "exec_type": "canceled",
            "order_status": "canceled",
            "reason": "User requested",
            "cum_qty": Decimal(0),
            "timestamp": START.isoformat(),
        }
    )
    order = venue.stream.view.order("OA")
    assert order is not None and (order.status, order.reason) == (VenueOrderStatus.CANCELLED, "User requested")


def test_what_is_spent_is_not_available_before_the_balances_show_it(venue: Venue) -> None:
    venue.trade(legs=False)
    holdings = venue.stream.view.holdings()
    assert holdings is not None and holdings.of("USD").available == venue.usd
    venue.usd += 0
    leg = {"asset": "USD", "balance": venue.usd, "type": "trade", "ref_id": "T00001"}
    venue._push("balances", "update", [leg])
    holdings = venue.stream.view.holdings()
    assert holdings is not None and holdings.of("USD").available == venue.usd


def test_an_open_order_that_nobody_can_price_makes_the_balances_unknown(venue: Venue) -> None:
    described = {"order_id": "OA", "symbol": "BTC/USD", "side": "buy", "order_qty": Decimal(2)}
    stamp = START.isoformat()
    venue.says({**described, "exec_type": "new", "order_status": "new", "timestamp": stamp})
    assert venue.stream.view.holdings() is None
    venue.says({"order_id": "OA", "exec_type": "expired", "order_status": "expired", "timestamp": stamp})
    assert venue.stream.view.holdings() is not None


def test_a_channel_that_is_out_of_turn_again_and_again_costs_the_connection(venue: Venue) -> None:
    for _ in range(MOST_RENEWALS + 1):
        venue.trade("gap")
        assert venue.stream.view.live or venue.drops
        venue.trade()
    assert venue.drops and "out of turn" in venue.drops[0]


def test_money_that_moved_for_an_untold_trade_makes_the_account_read_its_history(venue: Venue) -> None:
    venue.stream.tend(lambda: "token")
    venue._push("balances", "update", [{"asset": "USD", "balance": Decimal(1), "type": "trade", "ref_id": "T99999"}])
    for look in venue.loop.later:
        look()
    assert venue.stream.tend(lambda: "token").missed


def test_a_token_that_cannot_be_had_is_asked_for_again_and_not_at_once() -> None:
    venue, asked = Venue(), list[int]()
    venue.up()

    def refuse() -> str:
        asked.append(1)
        raise RetryLater("the venue is busy")

    for _ in range(3):
        venue.stream.tend(refuse)
    assert len(asked) == 1 and "busy" in venue.stream.problem
    venue.clock.advance(6)
    assert venue.stream.tend(lambda: "token").up


def test_old_orders_are_forgotten_and_their_trades_are_not_told_again(venue: Venue) -> None:
    books = Books()
    for _ in range(3 * ORDERS_KEPT):
        venue.trade()
        venue.tend(books)
    assert len(venue.stream.view._orders) <= ORDERS_KEPT + 1
    venue._dropped("a test says so")
    venue.up()
    venue.tend(books)
    venue.tend(books)
    assert max(books.told.values()) == 1 and len(books.told) == 3 * ORDERS_KEPT


def test_a_flood_that_nobody_takes_is_bounded_and_what_was_let_go_is_read_from_the_history(venue: Venue) -> None:
    books = Books()
    venue.tend(books)
    for _ in range(2 * MOST_ORDERS):
        venue.trade()
    assert len(venue.stream.view._orders) <= MOST_ORDERS + 1
    venue.tend(books)
    assert books.booked == {trade["exec_id"] for trade in venue.trades}
    assert max(books.told.values()) == 1


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = {
    "order_id": st.sampled_from(["O00001", "O1", "", "a b", 7, None]),
    "exec_type": st.sampled_from(["trade", "new", "filled", "canceled", "nobody knows", 3]),
    "order_status": st.sampled_from(["new", "filled", "partially_filled", "of another kind", None]),
    "timestamp": st.sampled_from([START.isoformat(), "yesterday", 5]),
    "symbol": st.sampled_from(["BTC/USD", "BTCUSD", "", None]),
    "side": st.sampled_from(["buy", "sell", "both", None]),
    "exec_id": st.sampled_from(["T1", "T2", "", None]),
    "asset": st.sampled_from(["USD", 1, None]),
} | {
    name: st.sampled_from([0, 1, -1, "1", 1e300, 1e-300, None, True])
    for name in ("order_qty", "cum_qty", "avg_price", "last_qty", "last_price", "limit_price", "balance")
}


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Anything, and what is nearly right."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.binary(max_size=60))
    if kind == 1:
        return json.dumps(draw(ANY_JSON)).encode()
    item = {name: draw(values) for name, values in FIELDS.items() if draw(st.booleans())}
    message = {
        "channel": draw(st.sampled_from(["executions", "balances", "status", "heartbeat"])),
        "type": draw(st.sampled_from(["update", "snapshot"])),
        "data": draw(st.sampled_from([[item], [item, item], item, []])),
        "sequence": draw(st.sampled_from([1, 2, 3, 4, -1, None, "1"])),
        "method": draw(st.sampled_from(["", "subscribe", "add_order", "pong"])),
        "success": draw(st.sampled_from([True, False, None])),
        "time_out": draw(st.sampled_from(["", "late", START.isoformat()])),
    }
    return json.dumps({key: value for key, value in message.items() if draw(st.integers(0, 9)) > 0}).encode()


@settings(max_examples=400, deadline=None)
@given(texts=st.lists(messages(), max_size=4))
def test_nothing_that_is_said_breaks_the_stream_or_makes_money_out_of_nothing(texts: Sequence[bytes]) -> None:
    venue = Venue()
    venue.up()
    venue.stream.tend(lambda: "token")
    for text in texts:
        if venue.connected:
            venue.stream._text(text)  # raises nothing
            holdings = venue.stream.view.holdings()
            for asset in () if holdings is None else holdings.assets.values():
                assert asset.available >= 0 and asset.held >= 0
            for fill in venue.stream.view.take_fills():
                assert fill.quantity > 0 and fill.price > 0
