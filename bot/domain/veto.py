"""Why an entry was not let out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class VetoRule(StrEnum):
    """The closed list of rules that can hold an entry back."""

    HALTED = "halted"
    NOT_READY = "not_ready"
    MARKET_CLOSED = "market_closed"
    STALE_PRICE = "stale_price"
    MAX_POSITIONS = "max_positions"
    MAX_POSITIONS_ALL = "max_positions_all"
    ORDER_NOTIONAL = "order_notional"
    SYMBOL_NOTIONAL = "symbol_notional"
    ACCOUNT_NOTIONAL = "account_notional"
    ALL_NOTIONAL = "all_notional"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    ORDER_RATE = "order_rate"
    REPEATED_REJECTS = "repeated_rejects"
    PRICE_COLLAR = "price_collar"
    DUPLICATE = "duplicate"
    DEPEG = "depeg"
    COOLDOWN = "cooldown"
    LOSING_STREAK = "losing_streak"
    BELOW_MINIMUM = "below_minimum"
    NO_STOP = "no_stop"
    EQUITY_UNKNOWN = "equity_unknown"
    VOLATILITY_UNKNOWN = "volatility_unknown"
    FEES_EXCEED_TARGET = "fees_exceed_target"
    SAFE_MODE = "safe_mode"
    CAPACITY = "capacity"


# A master's wish is held against these before there is an order; the others are judged as an order is sent.
BEFORE_AN_ORDER = frozenset(
    {
        VetoRule.STALE_PRICE,
        VetoRule.BELOW_MINIMUM,
        VetoRule.NO_STOP,
        VetoRule.EQUITY_UNKNOWN,
        VetoRule.VOLATILITY_UNKNOWN,
        VetoRule.FEES_EXCEED_TARGET,
        VetoRule.SAFE_MODE,
        VetoRule.CAPACITY,
    }
)


@dataclass(frozen=True)
class Veto:
    """`detail` is a sentence for the operator; `numbers` are what was compared, by name with the unit, as text."""

    rule: VetoRule
    detail: str
    numbers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"
