"""How a master trades."""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain.position import ExitPlan
from bot.master_sizer import Sizing, SizingRules


@dataclass(frozen=True, kw_only=True)
class MasterRules:
    """Percents are what `SizingRules` says, distances of a master's entry price."""

    max_positions: int
    max_entries_per_cycle: int
    order_percent_of_cash: Decimal
    exit_plan: ExitPlan
    scan_symbols_limit: int | None
    max_price_age_seconds: float = 10.0
    sizing: Sizing = Sizing.FIXED_FRACTION
    risk_per_trade_percent: Decimal = Decimal(1)
    target_volatility_percent: Decimal = Decimal(1)

    @property
    def sizing_rules(self) -> SizingRules:
        return SizingRules(
            mode=self.sizing,
            percent_of_cash=self.order_percent_of_cash,
            risk_per_trade_percent=self.risk_per_trade_percent,
            target_volatility_percent=self.target_volatility_percent,
        )
