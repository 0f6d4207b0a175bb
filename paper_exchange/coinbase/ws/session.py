"""What a connection has subscribed to, and the number of its next message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from paper_exchange.clock import rfc3339, steady_seconds
from paper_exchange.orders import Order
from paper_exchange.sockets.session import SocketSession

USER, HEARTBEATS = "user", "heartbeats"
EVERY_PRODUCT: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Subscriber:
    """One connection. Its messages are numbered without a gap, whatever channel they belong to.

    ``products`` are the symbols that the user channel tells of, every one when there is none; None before it is
    subscribed to. ``account_id`` is whose token came with that.
    """

    session: SocketSession
    products: frozenset[str] | None = None
    account_id: str | None = None
    beats: bool = False
    has_subscribed: bool = False
    opened_at: float = field(default_factory=steady_seconds)
    held_back: list[bytes] = field(default_factory=list)
    """Messages that a fault puts behind the next one."""
    next_number: int = 0

    channel = USER

    def wants(self, order: Order) -> bool:
        return self.products is not None and (not self.products or order.symbol in self.products)

    def message(self, channel: str, event: Mapping[str, object], now_ns: int) -> bytes:
        """One message with the next number, which is used up even if the message gets lost."""
        number, self.next_number = self.next_number, self.next_number + 1
        return encoded(
            {
                "channel": channel,
                "client_id": "",
                "timestamp": rfc3339(now_ns),
                "sequence_num": number,
                "events": [event],
            }
        )


def encoded(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def error(text: str) -> bytes:
    """What is wrong with a request; such a message has no number."""
    return encoded({"type": "error", "message": text})
