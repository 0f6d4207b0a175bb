"""Whom a rule may hold back: told from the books of a batch at a glance, so that most entries ask most rules nothing.

Only of whom it is certain that a rule lets him go is left out; of all others the rule itself decides. What cannot be
read makes everybody a suspect.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter

from bot.domain.veto import VetoRule
from bot.risk import flow_rules, loss_rules
from bot.risk.batch_books import BatchBooks
from bot.risk.books import UNREADABLE
from bot.risk.case import Case, NotKnown
from bot.storage.intents import OrderIntent
from bot.storage.risk_marks import LossMark

Suspects = Mapping[VetoRule, Collection[str]]


def suspects_of(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Suspects:
    """Labels by rule, for entries of one account each; a rule that is not in it suspects everybody.

    `sample` is the case of one of them: of the rules and of the moment, which are the same for all.
    """
    found: dict[VetoRule, Collection[str]] = {}
    for rule, look in _LOOKS.items():
        try:
            accounts = look(books, sample, intents)
        except (NotKnown, *UNREADABLE):
            continue
        if accounts is not None:
            found[rule] = accounts
    return found


def _duplicates(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Collection[str] | None:
    seconds = sample.rules.duplicate_entry_seconds
    return () if seconds is None else books.with_twins(since=sample.now - timedelta(seconds=seconds))


def _fast(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Collection[str] | None:
    if sample.rules.max_entries_per_minute_all_accounts is not None:
        return None
    most = sample.rules.max_entries_per_minute
    return () if most is None else books.having_sent(most, since=sample.now - flow_rules.MINUTE)


def _refused(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Collection[str] | None:
    return () if sample.rules.max_rejects_in_a_row is None else books.refused()


def _far_priced(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Collection[str] | None:
    """The entries of one signal have one price: judged once for all."""
    first = sample.intent
    same = (first.limit_price, first.reference_price, first.order_type, first.signal_id)
    alike = all((one.limit_price, one.reference_price, one.order_type, one.signal_id) == same for one in intents)
    return () if alike and flow_rules.price_collar(sample) is None else None


def _crowded(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Collection[str] | None:
    cap = sample.rules.max_positions
    return () if cap is None else {one.account_id for one in intents if _may_be_crowded(books, one.account_id, cap)}


def _may_be_crowded(books: BatchBooks, account_id: str, cap: int) -> bool:
    held, entries = books.held_of(account_id), books.entries_of(account_id, besides="")
    if len(held) + len(entries) >= cap:
        return True
    return bool(held) and not all(one.quantity.is_finite() and one.quantity > 0 for one in held)


def _losers_of_day(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Collection[str] | None:
    limit = sample.rules.max_daily_loss_percent
    if limit is None:
        return ()
    # No loss at all is within every limit but this.
    return None if limit <= 0 else _losers(books, sample, intents, attrgetter("day_start_profit"))


def _losers_from_peak(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Collection[str] | None:
    limit = sample.rules.max_drawdown_percent
    if limit is None:
        return ()
    # No loss at all is within every limit but this.
    return None if limit <= 0 else _losers(books, sample, intents, attrgetter("peak_profit"))


def _losers(
    books: BatchBooks, sample: Case, intents: Sequence[OrderIntent], start_of: Callable[[LossMark], Decimal]
) -> Collection[str]:
    return {one.account_id for one in intents if _may_have_lost(books, sample, one.account_id, start_of)}


def _may_have_lost(books: BatchBooks, sample: Case, account_id: str, start_of: Callable[[LossMark], Decimal]) -> bool:
    mark = books.mark(account_id)
    if mark is None:
        return books.has_traded(account_id)
    if mark.profit is None or loss_rules.problem_of(sample, mark):
        return True
    gained = mark.profit - start_of(mark)
    return not gained.is_finite() or gained < 0


def _deciding_alone(books: BatchBooks, sample: Case, intents: Sequence[OrderIntent]) -> Collection[str] | None:
    """A copy is not held back by what its account has lost before: its master was."""
    return {one.account_id for one in intents if one.signal_id is None}


_LOOKS: Mapping[VetoRule, Callable[[BatchBooks, Case, Sequence[OrderIntent]], Collection[str] | None]] = {
    VetoRule.DUPLICATE: _duplicates,
    VetoRule.ORDER_RATE: _fast,
    VetoRule.REPEATED_REJECTS: _refused,
    VetoRule.PRICE_COLLAR: _far_priced,
    VetoRule.MAX_POSITIONS: _crowded,
    VetoRule.DAILY_LOSS: _losers_of_day,
    VetoRule.DRAWDOWN: _losers_from_peak,
    VetoRule.COOLDOWN: _deciding_alone,
    VetoRule.LOSING_STREAK: _deciding_alone,
}
