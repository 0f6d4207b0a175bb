"""An order over the socket has one outcome: with answers twice, late or never, and connections that end."""

import itertools
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.account_view import AccountView
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kraken.keys import KrakenKey
from bot.brokers.kraken.nonce import NonceSource
from bot.brokers.kraken.private_stream import PrivateStream
from bot.brokers.kraken.rates import TIERS, KrakenRates
from bot.brokers.kraken.socket_orders import SocketOrders
from bot.brokers.kraken.socket_requests import OrderWays
from bot.brokers.kraken.stream_messages import message_of
from bot.brokers.refused_key import RefusedKey
from bot.brokers.socket_lane import LaneOutcome
from bot.brokers.socket_observer import NOBODY
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import VenueGate
from bot.domain.errors import OutcomeUnknown, RetryLater
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side
from tests.unit.brokers.clocks import TurnedClock
from tests.unit.brokers.test_private_stream import LoopOfNone

DEADLINE_SECONDS = 5.0


class FakeStream:
    """A live stream whose socket writes into a list; `up` says whether it takes anything."""

    def __init__(self, clock: TurnedClock) -> None:
        self.view = AccountView(clock, heard=lambda: self.up)
        self.view.show_orders([])
        self.view.show_balances({})
        self.token = "token"
        self.socket = self
        self.up = True
        self.written: list[dict[str, Any]] = []
        self.refused = 0

    def send(self, text: bytes, *, check: Callable[[], bool]) -> bool:
        if not self.up or not check():
            return False
        self.written.append(json.loads(text, parse_float=Decimal))
        return True

    def token_refused(self, _why: str) -> None:
        self.refused += 1


class Desk:
    def __init__(self, *, tier: str | None = None) -> None:
        self.clock, self.loop = TurnedClock(), LoopOfNone()
        self.stream = FakeStream(self.clock)
        self.venue_clock = VenueClock(self.clock)
        self.venue_clock.measured(datetime(2026, 3, 1, 12, tzinfo=UTC))
        rates = KrakenRates(self.clock, name="ann", tier=None if tier is None else TIERS[tier])
        nonces = NonceSource(Path("/nowhere/at/all"), api_key="key", clock=self.clock, reserve_milliseconds=1)
        self.orders = SocketOrders(
            OrderWays(
                label="ann_kraken",
                feed=cast(FeedLoop, self.loop),
                clock=self.clock,
                venue_clock=self.venue_clock,
                key=KrakenKey(nonces, rates),
                gate=VenueGate(self.clock, "kraken"),
                refused_key=RefusedKey(self.clock, label="ann_kraken", venue="Kraken"),
                observer=NOBODY,
                deadline_seconds=DEADLINE_SECONDS,
            )
        )
        self.orders.over(cast(PrivateStream, self.stream))
        self.outcomes: list[list[LaneOutcome]] = []
        self.acknowledged: list[str] = []
        self._ids = itertools.count(1)

    def send(self, *, leave_in: float = 60.0) -> None:
        """One frame of a batch, on its own."""
        request = OrderRequest(
            client_order_id=f"{next(self._ids):032x}",
            symbol="BTC/USD",
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            order_type=OrderType.LIMIT_IOC,
            quantity=Decimal("0.00000100"),
            limit_price=Decimal("50000.10"),
        )
        leave_before = self.clock.monotonic() + leave_in
        frame = self.orders.frame(request, "XXBTZUSD", leave_before=leave_before, acknowledged=self.acknowledged.append)
        outcomes: list[LaneOutcome] = []
        self.outcomes.append(outcomes)
        frame.send(outcomes.append)

    def answer(self, number: int, **fields: Any) -> None:
        reply = {"method": "add_order", "req_id": number, **fields}
        self.orders.answer(message_of(json.dumps(reply).encode()))

    def time_is_over(self) -> None:
        later, self.loop.later = self.loop.later, []
        for work in later:
            work()


GOOD = {"success": True, "result": {"order_id": "OABC-DEF"}}
ANSWERS: Sequence[dict[str, Any]] = (
    GOOD,
    {"success": False, "error": "EOrder:Insufficient funds"},
    {"success": False, "error": "EService:Busy"},
    {"success": True, "result": {}},
    {"success": True},
    {},
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "send", "answer", "again", "over", "lost", "down", "up"]), st.integers(0, 9)),
    max_size=25,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_every_frame_has_exactly_one_outcome_and_only_unwritten_ones_are_certainly_not_taken(
    steps: Sequence[tuple[str, int]],
) -> None:
    desk = Desk()
    for step, number in steps:
        if step == "send":
            desk.send()
        elif step in ("answer", "again") and desk.stream.written:
            wire = desk.stream.written[number % len(desk.stream.written)]
            desk.answer(wire["req_id"], **ANSWERS[number % len(ANSWERS)])
        elif step == "over":
            desk.time_is_over()
        elif step == "lost":
            desk.orders.lost("the connection ended")
        elif step in ("down", "up"):
            desk.stream.up = step == "up"
    desk.time_is_over()
    assert all(len(outcomes) == 1 for outcomes in desk.outcomes)
    written = {wire["params"]["cl_ord_id"] for wire in desk.stream.written}
    assert len(written) == len(desk.stream.written), "no frame is written twice"
    not_taken = [one for (one,) in desk.outcomes if isinstance(one.error, RetryLater)]
    assert len(not_taken) == len(desk.outcomes) - len(written)
    assert len(desk.acknowledged) == sum(one.ack is not None for (one,) in desk.outcomes)


def test_a_frame_says_the_order_exactly_with_a_deadline_on_the_venues_clock() -> None:
    desk = Desk()
    desk.send()
    (wire,) = desk.stream.written
    assert wire["method"] == "add_order"
    assert wire["params"] == {
        "order_type": "limit",
        "side": "buy",
        "symbol": "BTC/USD",
        "order_qty": Decimal("0.00000100"),
        "limit_price": Decimal("50000.10"),
        "time_in_force": "ioc",
        "cl_ord_id": f"{1:032x}",
        "fee_preference": "quote",
        "deadline": "2026-03-01T12:00:05.000Z",
        "token": "token",
    }


def test_a_frame_that_is_late_is_not_written() -> None:
    desk = Desk()
    desk.send(leave_in=-0.001)
    (outcome,) = desk.outcomes[0]
    assert isinstance(outcome.error, RetryLater) and desk.stream.written == []


def test_orders_over_the_socket_count_on_the_rate_counter_and_one_without_room_is_not_written() -> None:
    desk = Desk(tier="starter")
    for number in range(60):
        desk.send()
        if len(desk.stream.written) > number:
            desk.answer(desk.stream.written[-1]["req_id"], **GOOD)
    # Sixty is the tier's limit, of which entries may fill three quarters.
    assert len(desk.stream.written) == 45
    assert isinstance(desk.outcomes[-1][0].error, RetryLater)
    assert "no room" in str(desk.outcomes[-1][0].error)


def test_a_session_that_is_not_known_makes_the_stream_begin_anew() -> None:
    desk = Desk()
    desk.send()
    desk.answer(desk.stream.written[0]["req_id"], success=False, error="ESession:Invalid session")
    assert isinstance(desk.outcomes[0][0].error, RetryLater) and desk.stream.refused == 1


def test_a_key_that_is_locked_out_sends_nothing_more() -> None:
    desk = Desk()
    desk.send()
    desk.answer(desk.stream.written[0]["req_id"], success=False, error="EGeneral:Temporary lockout")
    desk.send()
    assert len(desk.stream.written) == 1
    assert isinstance(desk.outcomes[1][0].error, RetryLater) and "locked" in str(desk.outcomes[1][0].error)


@pytest.mark.parametrize("answer", [{"success": False}, {"success": True, "error": "EOrder:X"}, {"error": "E"}, {}])
def test_an_answer_that_contradicts_itself_leaves_the_order_unknown(answer: dict[str, Any]) -> None:
    desk = Desk()
    desk.send()
    desk.answer(desk.stream.written[0]["req_id"], **answer)
    assert isinstance(desk.outcomes[0][0].error, OutcomeUnknown)
