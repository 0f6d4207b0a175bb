"""How a master trades."""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain.position import ExitPlan
from bot.master_sizer import Sizing, SizingRules
from bot.settings import Settings


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
    max_order_worth_percent: Decimal | None = None

    @property
    def sizing_rules(self) -> SizingRules:
        return SizingRules(
            mode=self.sizing,
            percent_of_cash=self.order_percent_of_cash,
            risk_per_trade_percent=self.risk_per_trade_percent,
            target_volatility_percent=self.target_volatility_percent,
            max_percent_of_worth=self.max_order_worth_percent,
        )


def master_rules(settings: Settings) -> MasterRules:
    """As configured."""
    risk = settings.risk
    return MasterRules(
        max_positions=risk.max_positions,
        max_entries_per_cycle=risk.max_entries_per_cycle,
        sizing=Sizing(risk.sizing),
        order_percent_of_cash=risk.order_fraction_of_balance_percent,
        risk_per_trade_percent=risk.risk_per_trade_percent,
        target_volatility_percent=risk.target_volatility_percent,
        max_order_worth_percent=risk.max_order_worth_percent,
        exit_plan=configured_exit_plan(settings),
        scan_symbols_limit=risk.scan_symbols_limit,
        max_price_age_seconds=settings.market_watch.max_price_age_seconds,
    )


def configured_exit_plan(settings: Settings) -> ExitPlan:
    """Of an entry whose strategy asks for nothing else."""
    risk = settings.risk
    return ExitPlan(
        stop_loss_percent=risk.stop_loss_percent,
        take_profit_percent=risk.take_profit_percent,
        trailing_stop_percent=risk.trailing_stop_percent,
        break_even_percent=risk.break_even_percent,
        max_hold_minutes=risk.max_hold_minutes,
    )
