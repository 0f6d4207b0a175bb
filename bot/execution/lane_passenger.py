"""Who may take the lane, and what is aboard."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.order import OrderRequest
from bot.domain.signal import TradeSignal
from bot.storage.intents import OrderIntent


@dataclass(frozen=True, kw_only=True)
class Seat:
    """One opened account. `fit` asks no store and no venue: whether it may enter after this signal now."""

    account: AccountRef
    epoch: int
    broker: BaseBroker
    fit: Callable[[TradeSignal], bool]


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
