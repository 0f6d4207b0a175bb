"""Promises about signals, answers and books."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.simulation.journal import Journal
from tests.simulation.violation import Violation


def judge_ledger(journal: Journal) -> Iterator[Violation]:
    """I1, I6 and I8."""
    yield from _signals_equal_fills(journal)
    yield from _one_answer_each(journal)
    yield from _answers_say_what_was_traded(journal)
    for account in journal.world.accounts:
        yield from _books_equal_venue(journal, account.label)
    for label in journal.users:
        yield from _positions_equal_fills(journal, label)


def _signals_equal_fills(journal: Journal) -> Iterator[Violation]:
    """Each base unit the master traded is in exactly one signal."""
    traded: dict[str, Decimal] = defaultdict(Decimal)
    for seen in journal.fills_of(journal.world.master.label):
        traded[seen.order.venue_order_id] += seen.fill.quantity
    signalled: dict[str, Decimal] = defaultdict(Decimal)
    for row in journal.signals.values():
        signalled[row.venue_order_id] += row.quantity
    for venue_order_id in traded.keys() | signalled.keys():
        if traded[venue_order_id] != signalled[venue_order_id]:
            detail = f"{venue_order_id}: {traded[venue_order_id]} traded, {signalled[venue_order_id]} signalled"
            yield Violation("I1 no signal is lost", detail)


def _one_answer_each(journal: Journal) -> Iterator[Violation]:
    counts = Counter((row.signal_id, row.account_id) for row in journal.copies if row.status != "planned")
    for signal_id in journal.signals:
        for label in journal.users:
            if counts[signal_id, label] != 1:
                detail = f"{label} has {counts[signal_id, label]} answers to {signal_id}"
                yield Violation("I1 one answer per signal and user", detail)


def _answers_say_what_was_traded(journal: Journal) -> Iterator[Violation]:
    filled: dict[tuple[str | None, str], Decimal] = defaultdict(Decimal)
    for intent in journal.intents.values():
        filled[intent.signal_id, intent.account_id] += intent.filled_quantity
    for row in journal.copies:
        traded = filled[row.signal_id, row.account_id]
        if row.status != "planned" and (traded > 0) != (row.status in ("copied", "partly_copied")):
            detail = f"{row.account_id}: {row.status} ({row.reason}), and {traded} was traded for {row.signal_id}"
            yield Violation("I6 an answer says what was traded", detail)


def _books_equal_venue(journal: Journal, label: str) -> Iterator[Violation]:
    rule = "I8 books equal the venue"
    is_master = label not in journal.users
    booked = {row.trade_id: row for row in journal.booked if row.account_id == label}
    real = {seen.fill.trade_id: seen for seen in journal.fills_of(label)}
    for trade_id in booked.keys() - real.keys():
        yield Violation(rule, f"{label}: {trade_id} is only in the books")
    for trade_id, seen in real.items():
        row, one = booked.get(trade_id), seen.fill
        foreign = journal.is_foreign(seen.order) and not is_master
        if row is None:
            if not foreign:
                yield Violation(rule, f"{label}: {trade_id} is only at the venue")
        elif (row.symbol, row.side, row.quantity, row.price, row.fee) != (
            one.symbol,
            str(one.side),
            one.quantity,
            one.price,
            one.fee,
        ):
            yield Violation(rule, f"{label}: {trade_id} differs")
        elif foreign and row.client_order_id is not None:
            yield Violation(rule, f"{label}: {trade_id} was not ours and is booked as ours")


def _positions_equal_fills(journal: Journal, label: str) -> Iterator[Violation]:
    """What we account for is what our own orders bought and did not sell, to the last digit."""
    account = journal.users[label]
    for symbol in {seen.fill.symbol for seen in journal.fills_of(label)}:
        of_symbol = [row for row in (*journal.positions, *journal.still_dust) if row.account_id == label]
        kept = sum((row.quantity for row in of_symbol if row.symbol == symbol), Decimal(0))
        held = journal.world.held_copies(account, symbol)
        if kept != held:
            yield Violation("I8 positions equal the fills", f"{label}: {kept} {symbol} in the books, {held} bought")
