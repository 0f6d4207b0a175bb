"""Orders of one account over its private WebSocket: one frame, one outcome.

No nonce and no lock stands in the way, so the orders of all accounts can leave at once. What is the same as over REST
is the rest: the venue's deadline in the order, the rate counter, the gate of the venue, and what an answer means. An
order that got no answer until its deadline, or whose connection ended before it, has an unknown outcome. One whose
frame was not written was certainly not sent.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from bot.brokers.base import Urgency
from bot.brokers.kraken.errors import INVALID_SESSION
from bot.brokers.kraken.private_stream import PrivateStream
from bot.brokers.kraken.socket_answers import meaning_of_answer
from bot.brokers.kraken.socket_requests import (
    NotWritten,
    OrderWays,
    SocketOutcome,
    SocketRequest,
    order_params,
    request_text,
)
from bot.brokers.kraken.stream_messages import Message, order_id_of
from bot.brokers.socket_lane import LaneOutcome
from bot.brokers.venue_gate import Trouble
from bot.domain.errors import NijaError, OutcomeUnknown, RetryLater, UnreadableReply, VenueError
from bot.domain.order import OrderAck, OrderRequest
from bot.supervision.heart import during

log = logging.getLogger(__name__)

# A caller that waits for an outcome waits so much longer than the loop: the loop's word is better than none.
LOOP_SLACK_SECONDS = 1.0
# Longest wait of an order for room on its rate counter, as over REST.
RATE_WAIT_SECONDS = 8.0
FIRST_REQUEST = 1
LAST_REQUEST = 999_999


class SocketOrders:
    """`place` and `cancel` wait in the caller's thread; `send` is for the loop."""

    def __init__(self, ways: OrderWays) -> None:
        self._ways = ways
        self._stream: PrivateStream | None = None
        self._numbers = itertools.cycle(range(FIRST_REQUEST, LAST_REQUEST))
        self._waiting: dict[int, SocketRequest] = {}
        self._mutex = threading.Lock()
        self._callers: set[threading.Event] = set()
        self._closed = False

    def over(self, stream: PrivateStream) -> None:
        """The stream whose connection the orders go over."""
        self._stream = stream

    # -- the caller's thread ----------------------------------------------------------------------------------------
    @property
    def is_open(self) -> bool:
        """Whether an order could be written now: the stream is live and has a token, and the venue's time is known."""
        stream = self._stream
        return stream is not None and stream.view.live and stream.token != "" and self._ways.venue_clock.is_measured

    def has_room(self, pair: str, urgency: Urgency) -> bool:
        """Whether nothing of the account or the venue stands in the way now. Nothing is charged."""
        with suppress(NijaError):
            self._refuse()
            with self._ways.gate.visit(self._ways.label, urgency):
                return self._ways.key.rates.has_room(pair, urgency)
        return False

    def place(self, request: OrderRequest, pair: str, *, leave_before: float, urgency: Urgency) -> OrderAck:
        """Send an order and wait for its outcome.

        Raises `NotWritten`, or what `place_order` raises; the caller takes its last look before.
        """
        made = self._order(request, pair, leave_before=leave_before, urgency=urgency)
        ack = self._ack_of(request, self._in_turn(made))
        self._ways.key.rates.placed(ack.venue_order_id, pair)
        return ack

    def cancel(self, venue_order_id: str, *, urgency: Urgency) -> None:
        """Ask to cancel. Raises `NotWritten`, or what `error_of` makes of the answer."""
        params: dict[str, object] = {"order_id": [venue_order_id]}
        made = SocketRequest(
            method="cancel_order",
            text=lambda number: self._text("cancel_order", params, number),
            answered=lambda _outcome: None,
            urgency=urgency,
            venue_order_id=venue_order_id,
        )
        outcome = self._in_turn(made)
        if outcome.error is not None:
            raise outcome.error

    def frame(
        self, request: OrderRequest, pair: str, *, leave_before: float, acknowledged: Callable[[str], None]
    ) -> "SocketFrame":
        """The finished order, for the loop to write. Raises `OrderRefused` for what can't be sent at all."""
        made = self._order(request, pair, leave_before=leave_before, urgency=Urgency.ENTRY)
        made.text(0)  # what cannot be written out is refused here
        return SocketFrame(self, request, made, acknowledged)

    def _in_turn(self, made: SocketRequest) -> SocketOutcome:
        """With room on the rate counter, which may have to be waited for, and the venue's gate passed."""
        ways = self._ways
        within = RATE_WAIT_SECONDS
        if made.leave_before is not None:
            within = max(0.0, min(within, made.leave_before - ways.clock.monotonic()))
        rates = ways.key.rates
        if made.pair:
            room = rates.adding(made.pair, made.urgency, within_seconds=within)
        else:
            room = rates.cancelling(made.venue_order_id, made.urgency, within_seconds=within)
        with ways.gate.visit(ways.label, made.urgency), room as made.spending:
            return self._await(made)

    def _await(self, made: SocketRequest) -> SocketOutcome:
        """Hand it over and wait; what the loop has not written until then is taken back."""
        done, outcomes = threading.Event(), list[SocketOutcome]()

        def answered(outcome: SocketOutcome) -> None:
            outcomes.append(outcome)
            done.set()

        made.answered = answered
        with self._mutex:
            self._callers.add(done)
        try:
            self._ways.feed.call(lambda: self.send(made))
            seconds = self._ways.deadline_seconds + LOOP_SLACK_SECONDS
            with during("waiting for the answer to an order", seconds):
                self._ways.clock.wait(done, 0.0 if self._closed else seconds)
        finally:
            with self._mutex:
                self._callers.discard(done)
        if outcomes:
            return outcomes[0]
        if made.moves_to("withdrawn"):
            return SocketOutcome(error=NotWritten(f"{self._ways.label}: not sent: the WebSocket is not served now"))
        return SocketOutcome(error=self._unknown(made, "no answer, and the WebSocket is not served now"))

    def close(self) -> None:
        """From any thread, after the connection was closed: who waits for an answer waits no longer."""
        self._closed = True
        with self._mutex:
            callers = list(self._callers)
        for done in callers:
            done.set()
        self._ways.feed.call(lambda: self.lost("it was closed here"))

    # -- the loop ---------------------------------------------------------------------------------------------------
    def send(self, made: SocketRequest) -> None:
        """Write it now or never; its `answered` is called once, now or later."""
        number = next(self._numbers)
        try:
            self._prepare(made)
            text = made.text(number)
        except VenueError as error:
            self._not_written(made, error)
            return
        stream = self._stream
        written = stream is not None and stream.view.live and stream.socket.send(text, check=lambda: self._go(made))
        if not written:
            self._not_written(made, NotWritten(f"{self._ways.label}: not sent: the WebSocket is not up"))
            return
        if made.spending is not None:
            made.spending.leaving()
        made.sent_at = self._ways.clock.monotonic()
        self._waiting[number] = made
        self._ways.feed.after(self._ways.deadline_seconds, lambda: self._too_late(number, made))

    def answer(self, message: Message) -> None:
        """The venue's answer to one of the requests; one that nobody waits for any more is only noted."""
        made = self._waiting.pop(message.req_id, None) if message.req_id is not None else None
        if made is None or made.method != message.method:
            log.info("%s: an answer to %s that nobody waits for", self._ways.label, message.method[:40])
            return
        error = meaning_of_answer(self._ways, made, message)
        self._renew_session(error)
        self._end(made, SocketOutcome(answer=message) if error is None else SocketOutcome(error=error))

    def lost(self, why: str) -> None:
        """The connection is over: whether the orders on it were taken, nobody knows."""
        waiting, self._waiting = self._waiting, {}
        for made in waiting.values():
            if made.passage is not None:
                made.passage.met(Trouble.SILENCE, why)
            self._end(made, SocketOutcome(error=self._unknown(made, f"the connection ended before the answer ({why})")))

    def _renew_session(self, error: VenueError | None) -> None:
        if error is not None and self._stream is not None and error.venue_code.startswith(INVALID_SESSION):
            self._stream.token_refused(error.venue_code)

    # -- inside -----------------------------------------------------------------------------------------------------
    def _order(self, request: OrderRequest, pair: str, *, leave_before: float, urgency: Urgency) -> SocketRequest:
        return SocketRequest(
            method="add_order",
            text=lambda number: self._text("add_order", self._params(request), number),
            answered=lambda _outcome: None,
            urgency=urgency,
            leave_before=leave_before,
            pair=pair,
        )

    def _params(self, request: OrderRequest) -> dict[str, object]:
        """The order as it leaves now: its deadline counts from this moment, on the venue's clock."""
        deadline = self._ways.venue_clock.now() + timedelta(seconds=self._ways.deadline_seconds)
        return order_params(request, deadline=deadline)

    def _text(self, method: str, params: Mapping[str, object], number: int) -> bytes:
        token = "" if self._stream is None else self._stream.token
        return request_text(method, params, token=token, number=number)

    def _prepare(self, made: SocketRequest) -> None:
        """Everything that may still say no, none of which waits. Raises `RetryLater`: nothing was sent."""
        ways = self._ways
        self._refuse()
        if made.spending is None:
            room = ways.key.rates.adding(made.pair, made.urgency, within_seconds=0.0)
            made.spending = made.held.enter_context(room)
        made.passage = made.held.enter_context(ways.gate.passage(ways.label, made.urgency))

    def _refuse(self) -> None:
        ways = self._ways
        ways.refused_key.check()
        seconds = ways.key.locked_out_until - ways.clock.monotonic()
        if seconds > 0:
            raise RetryLater(f"{ways.label}: not sent: Kraken has locked this key out", retry_after_seconds=seconds)

    def _go(self, made: SocketRequest) -> bool:
        """Right before the write: not too late, and not taken back."""
        late = made.leave_before is not None and self._ways.clock.monotonic() > made.leave_before
        return not late and made.moves_to("written")

    def _not_written(self, made: SocketRequest, error: VenueError) -> None:
        if made.state == "waiting":
            made.moves_to("withdrawn")
        made.held.close()
        made.answered(SocketOutcome(error=error))

    def _too_late(self, number: int, made: SocketRequest) -> None:
        if self._waiting.get(number) is not made:
            return
        del self._waiting[number]
        if made.passage is not None:
            made.passage.met(Trouble.SILENCE, "no answer over WebSocket")
        self._end(made, SocketOutcome(error=self._unknown(made, "no answer in time")))

    def _unknown(self, made: SocketRequest, why: str) -> OutcomeUnknown:
        return OutcomeUnknown(f"{self._ways.label}: Kraken {made.method}: {why}")

    def _end(self, made: SocketRequest, outcome: SocketOutcome) -> None:
        made.held.close()
        word = "ok" if outcome.error is None else type(outcome.error).__name__
        self._ways.observer.order("websocket", word, self._ways.clock.monotonic() - made.sent_at)
        made.answered(outcome)

    def _ack_of(self, request: OrderRequest, outcome: SocketOutcome) -> OrderAck:
        """Raises the error of the outcome; an answer that names no order leaves it unknown."""
        if outcome.answer is None:
            assert outcome.error is not None, "an outcome is one or the other"
            raise outcome.error
        try:
            venue_order_id = order_id_of(outcome.answer)
        except UnreadableReply as error:
            raise OutcomeUnknown(f"{self._ways.label}: after sending an order: {error}") from error
        return OrderAck(client_order_id=request.client_order_id, venue_order_id=venue_order_id)

    def lane_outcome(self, request: OrderRequest, pair: str, outcome: SocketOutcome) -> LaneOutcome:
        """As the users of the lane are told."""
        try:
            ack = self._ack_of(request, outcome)
        except VenueError as error:
            return LaneOutcome(error=error)
        self._ways.key.rates.placed(ack.venue_order_id, pair)
        return LaneOutcome(ack=ack)


class SocketFrame:
    """One order of a batch; see `bot.brokers.socket_lane.Frame`."""

    def __init__(
        self, orders: SocketOrders, request: OrderRequest, made: SocketRequest, acknowledged: Callable[[str], None]
    ) -> None:
        self._orders = orders
        self._request = request
        self._made = made
        self._acknowledged = acknowledged

    def send(self, answered: Callable[[LaneOutcome], None]) -> None:
        """Write it, once, on the loop."""

        def told(outcome: SocketOutcome) -> None:
            result = self._orders.lane_outcome(self._request, self._made.pair, outcome)
            if result.ack is not None:
                self._acknowledged(result.ack.venue_order_id)
            answered(result)

        self._made.answered = told
        self._orders.send(self._made)
