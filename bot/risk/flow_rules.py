"""How fast, how often refused, how alike, at what price and in what money: what goes wrong first."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.order import IntentState, OrderType
from bot.domain.symbol import quote_of
from bot.domain.veto import Veto, VetoRule
from bot.risk.case import Case, NotKnown, positive, shown
from bot.seams.clock import format_time

MINUTE = timedelta(minutes=1)
# What stablecoins are measured by.
DOLLAR = "USD"
# A row of refusals is forgotten when the last of them is as old as this.
STREAK_FORGOTTEN = timedelta(hours=1)


def order_rate(case: Case) -> Veto | None:
    """Entries that were sent within the last minute, by this account and by all."""
    rules, since, besides = case.rules, case.now - MINUTE, case.intent.client_order_id
    limit = rules.max_entries_per_minute
    if limit is not None:
        sent = case.books.sent(case.intent.account_id, since=since, besides=besides)
        if sent >= limit:
            return _too_fast(case.intent.account_id, sent, "max_entries_per_minute", limit)
    limit = rules.max_entries_per_minute_all_accounts
    if limit is not None:
        sent = case.books.sent_by_all(since=since, besides=besides)
        if sent >= limit:
            return _too_fast("all accounts together", sent, "max_entries_per_minute_all_accounts", limit)
    return None


def _too_fast(who: str, sent: int, name: str, limit: int) -> Veto:
    numbers = {"entries_in_last_minute": str(sent), name: str(limit)}
    return Veto(VetoRule.ORDER_RATE, f"{who}: {sent} entries in the last minute, the limit is {limit}", numbers)


@dataclass(frozen=True)
class Streak:
    """Refusals of entries by the venue, one after the other up to now. `paused_until` is set from the limit on."""

    refusals: int
    last_at: datetime | None
    last_reason: str
    paused_until: datetime | None


def streak_of(case: Case) -> Streak:
    """Only the venue's own word counts; what was never sent is no refusal."""
    limit = case.rules.max_rejects_in_a_row
    answers = case.books.answers(case.intent.account_id, most=limit or 0)
    refused = 0
    for answer in answers:
        if answer.state is not IntentState.REJECTED:
            break
        refused += 1
    if not refused or case.now - answers[0].at > STREAK_FORGOTTEN:
        return Streak(0, None, "", None)
    pause = timedelta(seconds=case.rules.rejects_pause_seconds)
    until = answers[0].at + pause if limit is not None and refused >= limit else None
    return Streak(refused, answers[0].at, answers[0].reason, until)


def repeated_rejects(case: Case) -> Veto | None:
    """After so many refusals a pause, then one entry at a time until the venue takes one."""
    limit = case.rules.max_rejects_in_a_row
    if limit is None:
        return None
    streak = streak_of(case)
    if streak.paused_until is None:
        return None
    numbers = {
        "rejects_in_a_row": str(streak.refusals),
        "max_rejects_in_a_row": str(limit),
        "paused_until": format_time(streak.paused_until),
    }
    refused = f"the venue refused the last {streak.refusals} entries of {case.intent.account_id}"
    if streak.paused_until > case.now:
        why = f"{refused} ({streak.last_reason[:120]}); none before {format_time(streak.paused_until)}"
        return Veto(VetoRule.REPEATED_REJECTS, why, numbers)
    if case.entries:
        return Veto(VetoRule.REPEATED_REJECTS, f"{refused}; one is being tried, this one waits", numbers)
    return None


def duplicate(case: Case) -> Veto | None:
    """The same account, market, side and quantity again within seconds, of another decision.

    Parts of one order of the master are one decision, and so is what is left of an order that is placed anew.
    """
    seconds, intent = case.rules.duplicate_entry_seconds, case.intent
    if seconds is None or intent.chain_step > 0:
        return None
    twins = case.books.twins(intent, since=case.now - timedelta(seconds=seconds))
    masters_order = case.masters_trade[0] if twins else None
    others = [twin for twin in twins if masters_order is None or twin.masters_order != masters_order]
    if not others:
        return None
    ago = max(0.0, (case.now - others[0].sent_at).total_seconds())
    numbers = {"sent_seconds_ago": f"{ago:.3f}", "duplicate_entry_seconds": f"{seconds:g}"}
    same = f"{intent.side} {shown(intent.quantity)} {intent.symbol}"
    return Veto(
        VetoRule.DUPLICATE,
        f"{same} was sent {ago:.1f} s ago, by order {others[0].client_order_id}",
        numbers | {"quantity_base": shown(intent.quantity), "other_order": others[0].client_order_id},
    )


def price_collar(case: Case) -> Veto | None:
    """A limit far from the price that the entry was sized at, or an entry that was sized at no price."""
    collar, intent = case.rules.price_collar_percent, case.intent
    if collar is None:
        return None
    if case.reference_price is None:
        raise NotKnown("the price that this entry was sized at is not known")
    reference = positive(case.reference_price, "the price that this entry was sized at")
    if intent.order_type is OrderType.MARKET or intent.limit_price is None:
        return None
    away = abs(positive(intent.limit_price, "the limit price") / reference - 1) * 100
    if away <= collar:
        return None
    numbers = {
        "limit_price_quote": shown(intent.limit_price),
        "reference_price_quote": shown(reference),
        "away_percent": shown(away),
        "price_collar_percent": shown(collar),
    }
    return Veto(
        VetoRule.PRICE_COLLAR,
        f"the limit {shown(intent.limit_price)} is {away:.2f} % away from {shown(reference)}, the collar is "
        f"{shown(collar)} %",
        numbers,
    )


def depeg(case: Case) -> Veto | None:
    """What counts as a dollar has to trade near one. Where no market here tells its price, nothing is decided."""
    limit, currency = case.rules.max_depeg_percent, quote_of(case.intent.symbol)
    if limit is None or currency == DOLLAR or currency not in case.rules.currencies:
        return None
    price = case.peg_of(currency)
    if price is None:
        return None
    away = abs(price - 1) * 100
    if away <= limit:
        return None
    numbers = {"price_usd": shown(price), "away_percent": shown(away), "max_depeg_percent": shown(limit)}
    why = f"{currency} trades at {shown(price)} USD, {away:.2f} % away from 1; it counts as 1 within {shown(limit)} %"
    return Veto(VetoRule.DEPEG, why, numbers)
