"""The exits of a plan as columns, wherever a table has them."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from bot.domain.position import ExitPlan


def exit_plan_columns(plan: ExitPlan) -> dict[str, Decimal | int | None]:
    return {
        "stop_loss_percent": plan.stop_loss_percent,
        "take_profit_percent": plan.take_profit_percent,
        "trailing_stop_percent": plan.trailing_stop_percent,
        "break_even_percent": plan.break_even_percent,
        "max_hold_minutes": plan.max_hold_minutes,
    }


def exit_plan_of(row: Row[Any]) -> ExitPlan:
    return ExitPlan(
        stop_loss_percent=row.stop_loss_percent,
        take_profit_percent=row.take_profit_percent,
        trailing_stop_percent=row.trailing_stop_percent,
        break_even_percent=row.break_even_percent,
        max_hold_minutes=row.max_hold_minutes,
    )
