"""What an order over the WebSocket is made of: its frame, what it passes on its way, and what came of it."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from bot.brokers.amounts import wire_number
from bot.brokers.base import Urgency
from bot.brokers.feed_loop import FeedLoop
from bot.brokers.kraken.keys import KrakenKey
from bot.brokers.kraken.orders import ORDER_TYPES
from bot.brokers.kraken.stream_messages import Message
from bot.brokers.rate_budget import Spending
from bot.brokers.refused_key import RefusedKey
from bot.brokers.socket_observer import SocketObserver
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import Passage, VenueGate
from bot.domain.errors import RetryLater, VenueError
from bot.domain.order import OrderRequest, OrderType, Side
from bot.seams.clock import Clock

Answered = Callable[["SocketOutcome"], None]


class NotWritten(RetryLater):
    """The frame did not leave: the order may go another way at once."""


@dataclass(frozen=True)
class SocketOutcome:
    """The venue's answer, or why there is none. Exactly one is set; `answer` is a good one."""

    answer: Message | None = None
    error: VenueError | None = None


@dataclass(frozen=True, kw_only=True)
class OrderWays:
    """What orders of the account pass on any way to the venue; REST has the same."""

    label: str
    feed: FeedLoop
    clock: Clock
    venue_clock: VenueClock
    key: KrakenKey
    gate: VenueGate
    refused_key: RefusedKey
    observer: SocketObserver
    deadline_seconds: float


@dataclass(eq=False)
class SocketRequest:
    """One frame. `state` moves once, under the mutex: waiting → written, or waiting → withdrawn."""

    method: str
    text: Callable[[int], bytes]
    answered: Answered
    urgency: Urgency
    leave_before: float | None = None
    pair: str = ""
    venue_order_id: str = ""
    mutex: threading.Lock = field(default_factory=threading.Lock)
    state: str = "waiting"
    sent_at: float = 0.0
    spending: Spending | None = None
    passage: Passage | None = None
    held: ExitStack = field(default_factory=ExitStack)

    def moves_to(self, state: str) -> bool:
        with self.mutex:
            if self.state != "waiting":
                return False
            self.state = state
            return True


def order_params(request: OrderRequest, *, deadline: datetime) -> dict[str, object]:
    """The parameters of `add_order`. After `deadline` (the venue's time) the engine must not match it any more.

    Raises `OrderRefused` for what can't be written out.
    """
    params: dict[str, object] = {
        "order_type": ORDER_TYPES[request.order_type],
        "side": "buy" if request.side is Side.BUY else "sell",
        "symbol": request.symbol,
        "order_qty": msgspec.Raw(wire_number(request.quantity, name="quantity").encode()),
        "cl_ord_id": request.client_order_id,
        "fee_preference": "quote",  # the books count on it
        "deadline": f"{deadline:%Y-%m-%dT%H:%M:%S}.{deadline.microsecond // 1000:03d}Z",
    }
    if request.limit_price is not None:
        params["limit_price"] = msgspec.Raw(wire_number(request.limit_price, name="limit price").encode())
    if request.stop_price is not None:
        price = msgspec.Raw(wire_number(request.stop_price, name="stop price").encode())
        params["triggers"] = {"reference": "last", "price": price, "price_type": "static"}
    if request.order_type is OrderType.LIMIT_IOC:
        params["time_in_force"] = "ioc"
    return params


def request_text(method: str, params: Mapping[str, object], *, token: str, number: int) -> bytes:
    """The frame: numbers as numbers, exactly as they were written out."""
    return msgspec.json.encode({"method": method, "params": {**params, "token": token}, "req_id": number})
