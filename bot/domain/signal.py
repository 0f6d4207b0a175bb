"""What users copy, and every way a copy can end."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from bot.domain.account import BrokerType
from bot.domain.order import OrderKind, Side
from bot.domain.position import ExitPlan


@dataclass(frozen=True, kw_only=True)
class TradeSignal:
    """A confirmed fill of a master, for the users of the same brokerage.

    `size` is quote notional for an entry and the fraction of the master's position (0–1] for an exit.
    `master_balance` is the master's quote balance from before its order.
    """

    signal_id: str
    broker: BrokerType
    symbol: str
    side: Side
    kind: OrderKind
    size: Decimal
    quantity: Decimal
    reference_price: Decimal
    master_balance: Decimal | None
    executed_at: datetime
    exit_plan: ExitPlan = ExitPlan()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if self.size <= 0 or self.reference_price <= 0:
            raise ValueError(f"signal {self.signal_id}: size and price must be positive")
        if self.kind is OrderKind.EXIT and self.size > 1:
            raise ValueError(f"signal {self.signal_id}: an exit's size is a fraction of the position, at most 1")


class CopyStatus(StrEnum):
    """Where one user's copy of one signal stands."""

    PLANNED = "planned"
    COPIED = "copied"
    PARTLY_COPIED = "partly_copied"
    SKIPPED = "skipped"
    FAILED = "failed"
    SUPERSEDED = "superseded"

    @property
    def is_final(self) -> bool:
        return self is not CopyStatus.PLANNED


class CopyReason(StrEnum):
    """The closed list of reasons; free text goes into the detail beside it."""

    NONE = ""
    BALANCE_UNKNOWN = "balance_unknown"
    BALANCE_STALE = "balance_stale"
    MASTER_BALANCE_UNKNOWN = "master_balance_unknown"
    EQUITY_UNKNOWN = "equity_unknown"
    BELOW_MINIMUM = "below_minimum"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    TOO_OLD = "too_old"
    PRICE_MOVED = "price_moved"
    SYMBOL_NOT_ALLOWED = "symbol_not_allowed"
    SYMBOL_UNKNOWN = "symbol_unknown"
    CAP_REACHED = "cap_reached"
    NOTHING_HELD = "nothing_held"
    MARKET_CLOSED = "market_closed"
    ACCOUNT_NOT_READY = "account_not_ready"
    SHADOW = "shadow"
    REFUSED_BY_VENUE = "refused_by_venue"
    CREDENTIALS_REJECTED = "credentials_rejected"
    OUTCOME_UNKNOWN = "outcome_unknown"
    NOT_FILLED = "not_filled"
    DUST = "dust"
    PROVEN_ABSENT = "proven_absent"
    MASTER_LEFT = "master_left"
    USER_LEFT = "user_left"
    SYMBOL_PAUSED = "symbol_paused"
    NEEDS_PERSON = "needs_person"
    PLANNING_FAILED = "planning_failed"
    HALTED = "halted"
    LIMIT = "limit"
