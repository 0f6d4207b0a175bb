"""Orders of many accounts handed to one loop at once: each account's lane makes finished frames, the loop writes them.

A lane decides nothing: its user has committed the order and passed its gates before the frame is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bot.domain.errors import VenueError
from bot.domain.order import OrderAck, OrderRequest


@dataclass(frozen=True)
class LaneOutcome:
    """What came of one frame: exactly one of the two is set.

    `error` is `RetryLater` (certainly not taken), `OrderRefused`, `CredentialsRejected` or `OutcomeUnknown`.
    """

    ack: OrderAck | None = None
    error: VenueError | None = None

    def __post_init__(self) -> None:
        if (self.ack is None) == (self.error is None):
            raise ValueError("an order is acknowledged or it is not")


class Frame(Protocol):
    """One order, written out and not yet sent."""

    def send(self, answered: Callable[[LaneOutcome], None]) -> None:
        """Write it, once; on the feed loop only, and without blocking.

        `answered` is called exactly once, on the loop, at the latest when the order's deadline is over.
        """


class SocketLane(Protocol):
    """The way of one account's orders over its socket; any thread may ask."""

    def ready(self, symbol: str) -> bool:
        """Whether an order of this market could go now: the stream is live, the market known, the venue's clock
        measured, and the rate counter has room. Nothing is charged."""

    def frame(self, request: OrderRequest) -> Frame | None:
        """The finished order; None = it cannot go this way now."""
