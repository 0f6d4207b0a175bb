"""The way of one account's entries in a batch with others', where orders are HTTP requests.

Each account has one connection for it, open and idle, on the feed loop. An order passes what it passes from the
account's own thread: the key, the venue's gate, the rate counters, the time it may leave at. What stands in its way
here is no verdict: the account's own thread sends it by itself then.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from bot.brokers.base import Urgency
from bot.brokers.http_session import HttpReply, ReplyLost
from bot.brokers.kept_http import HttpWire, KeptHttp, WrittenRequest
from bot.brokers.socket_lane import LaneOutcome
from bot.brokers.venue_calls import CallUnderWay, Costs, VenueCall, VenueCalls
from bot.brokers.venue_gate import Passage
from bot.domain.errors import CredentialsRejected, OrderRefused, OutcomeUnknown, RetryLater, VenueError
from bot.domain.order import OrderAck, OrderRequest
from bot.seams.clock import Clock

log = logging.getLogger(__name__)

# What an outcome may be; whatever else came of an order that has left, nobody knows whether it was taken.
_KNOWN = (RetryLater, OrderRefused, CredentialsRejected, OutcomeUnknown)
REFUSALS_KEPT = 16


@dataclass(frozen=True, kw_only=True)
class OrderCall:
    """One order as a request.

    `write` signs it as it leaves now; it raises `RetryLater` or `CredentialsRejected`. `read` makes the
    acknowledgement of the answer, or raises what it means. `leave_before`: monotonic seconds.
    """

    call: VenueCall
    write: Callable[[], WrittenRequest]
    read: Callable[[HttpReply, Passage], OrderAck]
    leave_before: float


class OrderDesk(Protocol):
    """The broker's part; any thread may ask, and nobody is asked for it but memory."""

    def could_place(self, symbol: str) -> bool:
        """Whether all that a new order of this market needs is known: its market, the venue's time, its hours."""

    def order_call(self, request: OrderRequest) -> OrderCall | None:
        """The order; None = not this way now. Raises `OrderRefused`."""


class RestLane:
    """One account's (`bot.brokers.socket_lane.SocketLane`)."""

    def __init__(
        self,
        *,
        wire: HttpWire,
        base_url: str,
        label: str,
        calls: VenueCalls,
        costs: Costs,
        answer_seconds: float,
        desk: OrderDesk,
    ) -> None:
        self.connection = KeptHttp(wire=wire, base_url=base_url, name=label)
        self.clock: Clock = wire.clock
        self.label = label
        self.calls = calls
        self.answer_seconds = answer_seconds
        self._costs = costs
        self._desk = desk
        self.refusals: deque[tuple[OrderRequest, OrderRefused]] = deque(maxlen=REFUSALS_KEPT)

    def open(self) -> None:
        """Begin to keep the connection."""
        self.connection.open()

    def close(self) -> None:
        """Nothing leaves here once this has returned."""
        self.connection.close()

    def take_refusals(self) -> Iterator[tuple[OrderRequest, OrderRefused]]:
        """What the venue has refused here since the last time; for the account's own thread."""
        while self.refusals:
            yield self.refusals.popleft()

    def ready(self, symbol: str) -> bool:
        """See `SocketLane.ready`."""
        return (
            self.connection.is_ready
            and self._desk.could_place(symbol)
            and self.calls.has_room(self._costs, Urgency.ENTRY)
        )

    def frame(self, request: OrderRequest) -> "RestFrame | None":
        """See `SocketLane.frame`."""
        if not self.connection.is_ready or not self._desk.could_place(request.symbol):
            return None
        try:
            order = self._desk.order_call(request)
        except OrderRefused:
            return None  # the account's own thread finds out, and writes it down
        return None if order is None else RestFrame(self, request, order)


class RestFrame:
    """One order of a batch (`bot.brokers.socket_lane.Frame`). It is signed right before it is written.

    So the first of a batch are on their way while the last are being signed.
    """

    def __init__(self, lane: RestLane, request: OrderRequest, order: OrderCall) -> None:
        self._lane = lane
        self._request = request
        self._order = order

    def send(self, answered: Callable[[LaneOutcome], None]) -> None:
        """Write it, once, on the loop."""
        lane, order = self._lane, self._order
        try:
            under_way = lane.calls.begin(order.call, Urgency.ENTRY)
        except VenueError as error:
            answered(LaneOutcome(error=_not_sent(error)))
            return
        try:
            text = order.write().text()
            under_way.leaving()
        except Exception as error:
            under_way.stay()
            if not isinstance(error, VenueError):
                log.exception("%s: its order could not be made ready", lane.label)
            answered(LaneOutcome(error=_not_sent(error)))
            return
        self._write(under_way, text, answered)

    def _write(self, under_way: CallUnderWay, text: bytes, answered: Callable[[LaneOutcome], None]) -> None:
        try:
            written = self._lane.connection.send(
                text,
                within_seconds=self._lane.answer_seconds,
                check=self._in_time,
                replied=lambda outcome: answered(self._outcome(under_way, outcome)),
            )
        except Exception as error:  # some of it may have been written
            log.exception("%s: unexpected error while its order was written", self._lane.label)
            answered(self._outcome(under_way, ReplyLost(f"{type(error).__name__}: {error}")))
            return
        if not written:
            under_way.stay()
            where = self._order.call.where
            answered(LaneOutcome(error=RetryLater(f"{where}: not sent: it is too late, or the connection is gone")))

    def _in_time(self) -> bool:
        return self._lane.clock.monotonic() <= self._order.leave_before

    def _outcome(self, under_way: CallUnderWay, outcome: HttpReply | ReplyLost) -> LaneOutcome:
        if isinstance(outcome, ReplyLost):
            return LaneOutcome(error=_unknown_unless(under_way.lost(outcome), self._order.call.where))
        try:
            return LaneOutcome(ack=under_way.heard(outcome, self._order.read))
        except OrderRefused as error:
            self._lane.refusals.append((self._request, error))
            return LaneOutcome(error=error)
        except Exception as error:  # noqa: BLE001 - whatever went wrong with the answer, the order may be in the book
            return LaneOutcome(error=_unknown_unless(error, self._order.call.where))


def _not_sent(error: Exception) -> VenueError:
    """Before the wire nothing is refused by the venue: what stands in the way is told as that."""
    if isinstance(error, RetryLater | CredentialsRejected):
        return error
    return RetryLater(f"not sent: {type(error).__name__}: {error}")


def _unknown_unless(error: Exception, where: str) -> VenueError:
    if isinstance(error, _KNOWN):
        return error
    return OutcomeUnknown(f"{where}: after sending an order: {type(error).__name__}: {error}")
