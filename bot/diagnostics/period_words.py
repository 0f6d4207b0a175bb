"""The figures of a stretch of days in words, for tables, pages and statements alike."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from bot.diagnostics.amounts_shown import UNKNOWN, cents, fraction, rounded, signed
from bot.diagnostics.listing import count
from bot.diagnostics.period_figures import AccountPeriod
from bot.diagnostics.period_performance import performance_of
from bot.storage.day_closes import DayStatus

# What each part of the identity is; shown with the sign with which it changes the equity.
TERM_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "realised": "realised (what was sold, against its cost)",
        "unrealised_change": "change of unrealised",
        "fees": "fees",
        "net_deposits": "net deposits",
        "income": "income (staking, dividends)",
        "other_holdings": "other holdings (of unknown cost)",
        "difference": "difference that nothing explains",
    }
)


def signed_term(name: str, period: AccountPeriod) -> Decimal | None:
    """A term as it changes the equity: fees take away."""
    value = period.term(name)
    return -value if name == "fees" and value is not None else value


def performance_words(period: AccountPeriod) -> Sequence[tuple[str, str]]:
    """How it was traded, in words beside figures."""
    found = performance_of(period)
    judged = "" if found.win_rate is None else f" ({found.wins} of {count(found.judged, 'closing trade')})"
    return (
        ("win rate", f"{fraction(found.win_rate, nothing='no closing trade')}{judged}"),
        ("fees, as part of the gross profit", fraction(found.fee_share, nothing="-")),
        ("turnover", cents(found.turnover)),
        ("max drawdown, by day ends", fraction(found.max_drawdown, nothing=UNKNOWN)),
        ("what was there, held instead", signed(found.hold)),
    )


def notes_of(period: AccountPeriod) -> Sequence[str]:
    """What the columns do not say: other terms, what is not known, and where venue and books differ."""
    return [*remarks_of(period), *problems_of(period)]


def remarks_of(period: AccountPeriod) -> Sequence[str]:
    """What is to be known and is in order: terms that are in no P&L and mostly nothing, and words on proved days."""
    notes = []
    for name in ("income", "other_holdings", "difference"):
        value = period.term(name)
        if value is not None and rounded(value):
            notes.append(f"{TERM_WORDS[name]} {signed(value)} {period.account.currency}")
    return [*notes, *(f"{day.day}: {day.problem}" for day in period.days if day.problem and day.status == DayStatus.OK)]


def problems_of(period: AccountPeriod) -> Sequence[str]:
    """What is not known or not proved, day by day."""
    problems = [period.missing] if period.missing else []
    unproved = [day for day in period.days if day.status != DayStatus.OK]
    return [*problems, *(f"{day.day}: {day.problem or day.status}" for day in unproved)]
