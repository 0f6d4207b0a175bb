"""How the accounts of a backtest trade; the same values as the configuration gives the live ones."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain.position import ExitPlan
from bot.execution.repositioner import OrderRules
from bot.master_rules import master_rules
from bot.master_sizer import SizingRules
from bot.position_sizer import CopyRules
from bot.risk.case import LimitRules
from bot.risk.limits import limit_rules
from bot.settings import Settings


@dataclass(frozen=True, kw_only=True)
class TradingPlan:
    """The master's rules. A live master looks every `cycle_seconds` and enters so many markets each time."""

    exit_plan: ExitPlan = field(default_factory=ExitPlan)
    sizing: SizingRules = field(default_factory=SizingRules)
    max_positions: int = 8
    max_entries_per_cycle: int = 1
    cycle_seconds: float = 1.0
    limits: LimitRules = field(default_factory=LimitRules)
    orders: OrderRules = field(default_factory=OrderRules)

    @classmethod
    def of(cls, settings: Settings) -> "TradingPlan":
        """As the configuration has it for every master."""
        rules = master_rules(settings)
        return cls(
            exit_plan=rules.exit_plan,
            sizing=rules.sizing_rules,
            max_positions=rules.max_positions,
            max_entries_per_cycle=rules.max_entries_per_cycle,
            cycle_seconds=settings.pace.cycle_seconds,
            limits=limit_rules(settings),
            orders=OrderRules.of(settings.orders),
        )

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
