"""How a master trades."""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain.position import ExitPlan


@dataclass(frozen=True, kw_only=True)
class MasterRules:
    """Percents are of a master's available cash, distances of its entry price."""

    max_positions: int
    max_entries_per_cycle: int
    order_percent_of_cash: Decimal
    exit_plan: ExitPlan
    scan_symbols_limit: int
    max_price_age_seconds: float = 10.0
