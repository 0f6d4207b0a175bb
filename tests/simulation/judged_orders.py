"""Promises about orders, judged by the venue's journal."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from bot.domain.order import IntentState, OrderKind
from tests.simulation.journal import Journal
from tests.simulation.program import MAX_COPY_SLIPPAGE_PERCENT, MAX_SIGNAL_AGE_SECONDS
from tests.simulation.venue import Order
from tests.simulation.violation import Violation
from tests.simulation.witness import WAIT_SECONDS

NEVER_ACCEPTED = (IntentState.REJECTED, IntentState.ABANDONED, IntentState.CREATED)
ACCEPTED = (IntentState.FILLED, IntentState.CANCELLED, IntentState.EXPIRED)


def judge_orders(journal: Journal) -> Iterator[Violation]:
    """I2, I3, I4, I6, I7 and I11."""
    yield from _one_entry_per_signal(journal)
    yield from _every_order_is_written_down(journal)
    yield from _one_order_per_intent(journal)
    yield from _agreement(journal)
    for order in journal.user_orders():
        if order.request.kind is OrderKind.ENTRY:
            yield from _fresh(journal, order)
            yield from _within_the_bound(journal, order)


def _one_entry_per_signal(journal: Journal) -> Iterator[Violation]:
    counts = Counter(
        (order.account, journal.signal_of(order))
        for order in journal.user_orders()
        if order.request.kind is OrderKind.ENTRY
    )
    for (account, signal_id), count in counts.items():
        if count > 1:
            yield Violation("I2 one intent per signal and user", f"{account} bought {count} times for {signal_id}")


def _every_order_is_written_down(journal: Journal) -> Iterator[Violation]:
    for order in journal.orders:
        if not journal.is_foreign(order) and order.request.client_order_id not in journal.intents:
            yield Violation("I3 every order of ours is an intent", f"{order.venue_order_id} is not in the store")


def _one_order_per_intent(journal: Journal) -> Iterator[Violation]:
    counts = Counter(order.request.client_order_id for order in journal.orders if not journal.is_foreign(order))
    for client_order_id, count in counts.items():
        if count > 1:
            yield Violation("I4 one accepted order per intent", f"{client_order_id} was accepted {count} times")


def _agreement(journal: Journal) -> Iterator[Violation]:
    """An intent's end says what the venue's order says, or that there is none."""
    rule = "I6 the outcome recorded is the venue's"
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for order in journal.orders:
        filled[order.request.client_order_id] += order.filled
    for intent in journal.intents.values():
        name = f"{intent.account_id} {intent.client_order_id} is {intent.state} with {intent.filled_quantity}"
        there = intent.client_order_id in filled
        if intent.state in NEVER_ACCEPTED and there:
            yield Violation(rule, f"{name}, the venue has it")
        elif intent.state in ACCEPTED and not there:
            yield Violation(rule, f"{name}, the venue does not have it")
        elif intent.filled_quantity != filled[intent.client_order_id]:
            yield Violation(rule, f"{name}, the venue filled {filled[intent.client_order_id]}")


def _fresh(journal: Journal, order: Order) -> Iterator[Violation]:
    signal_id = journal.signal_of(order)
    if signal_id is None:
        return
    signal = journal.signals[signal_id]
    traded_at = max(
        seen.fill.executed_at
        for seen in journal.fills
        if seen.order.venue_order_id == signal.venue_order_id and seen.fill.executed_at <= signal.executed_at
    )
    world = journal.world
    age = (world.clock.at(order.sent_at) - traded_at).total_seconds()
    # Where the venue does not tell its time, a wall clock that was set back makes trades look younger by as much.
    set_back = 0.0 if world.venue.tells_time else -world.clock.furthest_back
    if age > MAX_SIGNAL_AGE_SECONDS + WAIT_SECONDS + set_back:
        yield Violation("I7 entries are fresh", f"{order.account} sent an entry {age:.1f} s after the master's")
    latest = world.semantics.settle_seconds
    if order.accepted_at - order.sent_at > latest:
        yield Violation("I7 entries are fresh", f"{order.account}'s entry arrived {order.accepted_at - order.sent_at}")


def _within_the_bound(journal: Journal, order: Order) -> Iterator[Violation]:
    signal_id = journal.signal_of(order)
    if signal_id is None:
        return
    bound = journal.signals[signal_id].reference_price * (1 + MAX_COPY_SLIPPAGE_PERCENT / 100)
    for seen in journal.fills_of(order.account):
        if seen.order is order and seen.fill.price > bound:
            yield Violation("I11 no entry beyond the price bound", f"{order.account} paid {seen.fill.price}")
