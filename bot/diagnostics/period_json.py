"""Figures of a stretch of days as JSON: exact numbers as text, and null for what is not known."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.diagnostics.amounts_shown import exact
from bot.diagnostics.listing import time_text
from bot.diagnostics.period_figures import TERMS, AccountPeriod, CurrencyTotal, net_of
from bot.diagnostics.period_performance import Performance, performance_of
from bot.storage.day_closes import DayClose


def period_fields(period: AccountPeriod, *, with_days: bool = True) -> dict[str, Any]:
    """One account's figures, and those of each of its days."""
    account = period.account
    return {
        "account": account.account_id,
        "name": account.name,
        "broker": account.broker,
        "user_id": account.user_id,
        "currency": account.currency,
        "until": time_text(period.until),
        "running": period.running,
        "opening_equity": exact(period.opening_equity),
        "equity": exact(period.equity),
        "net": exact(period.net),
        **{name: exact(period.term(name)) for name in TERMS},
        "trades": period.trades,
        **performance_fields(performance_of(period)),
        "problem": period.missing,
        **({"days": [day_fields(day) for day in period.days]} if with_days else {}),
    }


def day_fields(day: DayClose) -> dict[str, Any]:
    """One day. `differences` names what the venue has more than the books, by asset."""
    return {
        "day": day.day,
        "closes_at": time_text(day.closes_at),
        "opening_equity": exact(day.opening_equity),
        "equity": exact(day.equity),
        "net": exact(net_of(day)),
        **{name: exact(getattr(day, name)) for name in TERMS},
        "trades": day.trades,
        "wins": day.wins,
        "losses": day.losses,
        "turnover": exact(day.turnover),
        "status": str(day.status),
        "problem": day.problem,
        "differences": {
            asset: {"units": exact(one.units), "value": exact(one.value)} for asset, one in day.differences.items()
        },
    }


def performance_fields(found: Performance) -> dict[str, Any]:
    """Fractions as exact text: 0.05 is 5 %."""
    return {
        "judged": found.judged,
        "wins": found.wins,
        "losses": found.losses,
        "win_rate": exact(found.win_rate),
        "fee_share": exact(found.fee_share),
        "turnover": exact(found.turnover),
        "max_drawdown": exact(found.max_drawdown),
        "hold": exact(found.hold),
    }


def total_fields(totals: Sequence[CurrencyTotal]) -> list[dict[str, Any]]:
    """Sums over accounts. `at_par`: several currencies were counted one to one, as the settings say."""
    return [
        {
            "currencies": list(one.currencies),
            "at_par": len(one.currencies) > 1,
            "accounts": len(one.periods),
            "opening_equity": exact(one.sum_of(lambda period: period.opening_equity)),
            "equity": exact(one.sum_of(lambda period: period.equity)),
            "net": exact(one.sum_of(lambda period: period.net)),
            **{name: exact(_term_of(one, name)) for name in TERMS},
        }
        for one in totals
    ]


def _term_of(one: CurrencyTotal, name: str) -> Decimal | None:
    return one.sum_of(lambda period: period.term(name))
