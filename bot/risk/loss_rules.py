"""What an account's own trades have lost, today and from its peak. Its own peak, and nobody else's."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from bot.domain.veto import Veto, VetoRule
from bot.risk.case import Case, NotKnown, positive, shown
from bot.storage.risk_marks import LossMark


@dataclass(frozen=True)
class Loss:
    """A loss in `currency` and as percent of `equity`, the account's worth when it began."""

    quote: Decimal
    percent: Decimal
    equity: Decimal | None
    currency: str = ""


NO_LOSS = Loss(Decimal(0), Decimal(0), None)


@lru_cache(maxsize=4)  # one moment is asked about for every account of a batch
def day_of(moment: datetime) -> str:
    """The UTC day, as 2026-01-31."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def daily_loss(case: Case) -> Veto | None:
    """Over at midnight UTC."""
    limit = case.rules.max_daily_loss_percent
    if limit is None:
        return None
    loss = loss_of_day(case)
    if loss.percent < limit:
        return None
    return _lost(case, VetoRule.DAILY_LOSS, loss, limit, "today, entries go on tomorrow (UTC)")


def drawdown(case: Case) -> Veto | None:
    """Stays until a person lets the account begin anew."""
    limit = case.rules.max_drawdown_percent
    if limit is None:
        return None
    loss = loss_from_peak(case)
    if loss.percent < limit:
        return None
    name = case.intent.account_id
    return _lost(case, VetoRule.DRAWDOWN, loss, limit, f"since its peak; python bot.py limits reset {name}")


def loss_of_day(case: Case) -> Loss:
    """Raises `NotKnown`."""
    mark = _mark(case)
    if mark is None or mark.day < day_of(case.now):
        return NO_LOSS
    return _loss(mark, mark.day_start_profit, mark.day_start_equity, "when the day began")


def loss_from_peak(case: Case) -> Loss:
    """Raises `NotKnown`."""
    mark = _mark(case)
    return NO_LOSS if mark is None else _loss(mark, mark.peak_profit, mark.peak_equity, "at its peak")


def _mark(case: Case) -> LossMark | None:
    """The account's mark as far as it says something about now; None for an account that never traded."""
    mark = case.books.mark(case.intent.account_id)
    problem = problem_of(case, mark)
    if not problem:
        return mark
    if case.books.has_traded(case.intent.account_id):
        raise NotKnown(problem)
    return None


def problem_of(case: Case, mark: LossMark | None) -> str:
    """Why the mark says nothing about now, or an empty text."""
    if mark is None:
        return "what the account's trades have made was not worked out yet"
    if mark.profit is None:
        return f"what the account's trades have made is not known: {mark.problem}"
    age = case.now - mark.marked_at
    if age > timedelta(seconds=case.rules.mark_stale_seconds):
        return f"what the account's trades have made was last known {age.total_seconds():.0f} s ago"
    return ""


def _loss(mark: LossMark, start: Decimal, equity: Decimal | None, when: str) -> Loss:
    assert mark.profit is not None, "a mark with a problem says nothing"
    lost = start - mark.profit
    if not lost.is_finite():
        raise NotKnown("what the account's trades have made is no amount")
    if lost <= 0:
        return Loss(Decimal(0), Decimal(0), equity, mark.quote_currency)
    if equity is None:
        raise NotKnown(f"what the account was worth {when} is not known")
    if equity <= 0:
        # Nothing of what was there then is left: a loss of all of it.
        return Loss(lost, Decimal(100), equity, mark.quote_currency)
    return Loss(lost, lost / positive(equity, "the account's worth") * 100, equity, mark.quote_currency)


def _lost(case: Case, rule: VetoRule, loss: Loss, limit: Decimal, since: str) -> Veto:
    currency = loss.currency
    numbers = {
        "lost_quote": shown(loss.quote),
        "lost_percent": shown(loss.percent),
        "limit_percent": shown(limit),
        "equity_quote": "unknown" if loss.equity is None else shown(loss.equity),
        "quote_currency": currency,
    }
    lost = f"{case.intent.account_id} has lost {shown(loss.quote)} {currency} ({loss.percent:.2f} %)"
    return Veto(rule, f"{lost}, the limit is {shown(limit)} %, {since}", numbers)
