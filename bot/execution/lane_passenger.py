"""Who may take the lane, and what is aboard."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.order import OrderRequest
from bot.domain.signal import TradeSignal
from bot.storage.intents import OrderIntent


class Feed(Protocol):
    """The loop that writes a venue's orders."""

    def call(self, work: Callable[[], None]) -> None:
        """Run it on the loop, soon; from any thread, without waiting."""

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Run it in so many seconds; on the loop only."""


@dataclass(frozen=True, kw_only=True)
class Seat:
    """One opened account. `fit` asks no store and no venue: whether it may enter after this signal now.

    `feed` is the loop its orders leave on, that of all accounts of its venue; None = the lane's own, where a stream
    wakes the account's thread right after its order was taken.
    """

    account: AccountRef
    epoch: int
    broker: BaseBroker
    fit: Callable[[TradeSignal], bool]
    feed: Feed | None = None


@dataclass(eq=False)
class Company:
    """Those of a batch who have heard nothing yet, and those who were taken and are told together; on the loop only."""

    unanswered: int
    taken: "list[Passenger]" = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Passenger:
    """One order between its mark and its departure. `marked_at` is monotonic seconds, as `request.leave_before` is."""

    intent: OrderIntent
    request: OrderRequest
    seat: Seat
    signal: TradeSignal
    marked_at: float
    leave_before: float

    @property
    def order_id(self) -> str:
        return self.intent.client_order_id
