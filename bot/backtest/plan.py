"""How the accounts of a backtest trade; the same values as the configuration gives the live ones."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain.position import ExitPlan
from bot.master_sizer import SizingRules
from bot.position_sizer import CopyRules


@dataclass(frozen=True, kw_only=True)
class TradingPlan:
    """The master's rules. A live master looks every `cycle_seconds` and enters so many markets each time."""

    exit_plan: ExitPlan = field(default_factory=ExitPlan)
    sizing: SizingRules = field(default_factory=SizingRules)
    max_positions: int = 8
    max_entries_per_cycle: int = 1
    cycle_seconds: float = 1.0
    max_order_notional_quote: Decimal | None = None

    def __post_init__(self) -> None:
        if self.max_positions < 1 or self.max_entries_per_cycle < 1 or self.cycle_seconds <= 0:
            raise ValueError("max_positions, max_entries_per_cycle and cycle_seconds must be above 0")


@dataclass(frozen=True, kw_only=True)
class CopyUser:
    """A user who copies; `balance` is the quote currency it begins with."""

    name: str
    balance: Decimal
    rules: CopyRules = field(default_factory=CopyRules)


@dataclass(frozen=True, kw_only=True)
class CopyTerms:
    """What bounds a copied entry: how much dearer than the master's it may be, and what is kept back for its fee."""

    max_slippage_percent: Decimal = Decimal("0.5")
    reserve_percent: Decimal = Decimal("0.4")
    minimum_funded_quote: Decimal = Decimal(0)
