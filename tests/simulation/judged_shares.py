"""Promises about how much is sold: the master's share, of our own lots, and all of it when the master is flat."""

from collections.abc import Iterator
from decimal import Decimal

from bot.domain.instrument import Instrument
from tests.simulation.healing import still_held
from tests.simulation.journal import Journal
from tests.simulation.venue import INSTRUMENTS, received
from tests.simulation.violation import Violation

# Prices move between the moment in which a rest is called dust and the end.
PRICES_MOVE = Decimal("1.3")


def judge_shares(journal: Journal) -> Iterator[Violation]:
    """I9 and I10."""
    for label in journal.users:
        yield from _never_oversold(journal, label)
        for symbol in INSTRUMENTS:
            yield from _share_of_each_exit(journal, label, symbol)
    yield from _dust_is_dust(journal)
    yield from _flat_when_the_master_is(journal)


def smallest(instrument: Instrument, price: Decimal) -> Decimal:
    """The least the venue would sell."""
    return max(instrument.minimum_quantity, instrument.minimum_notional / price)


def _never_oversold(journal: Journal, label: str) -> Iterator[Violation]:
    held = dict.fromkeys(INSTRUMENTS, Decimal(0))
    for seen in journal.fills_of(label):
        if journal.is_foreign(seen.order):
            continue
        held[seen.fill.symbol] += received(seen)
        if held[seen.fill.symbol] < 0:
            detail = f"{label} sold {-held[seen.fill.symbol]} {seen.fill.symbol} more than it had bought"
            yield Violation("I9 a user sells only what it bought", detail)
            return


def _share_of_each_exit(journal: Journal, label: str, symbol: str) -> Iterator[Violation]:
    """After each exit the user holds its share: what rounding and minimums keep back is carried on, and no more."""
    if _sold_by_itself(journal, label, symbol):
        return
    instrument = INSTRUMENTS[symbol]
    held = expected = Decimal(0)
    # What left the books as dust at the end of a position (each judged by itself) is no part of a later one.
    dust = sum((row.quantity for row in journal.dust if (row.account_id, row.symbol) == (label, symbol)), Decimal(0))
    for signal_id, row in journal.signals.items():
        if row.symbol != symbol:
            continue
        traded = journal.traded_for(label, signal_id)
        held += traded
        least = smallest(instrument, row.reference_price)
        if row.kind == "entry":
            expected += traded
            continue
        expected *= 1 - row.size
        if held < least * PRICES_MOVE:
            # Dust, or all of it sold because the rest would have been.
            expected = held = min(held, expected)
        if not -least * PRICES_MOVE <= held - expected <= least * PRICES_MOVE + instrument.lot_step + dust:
            detail = f"{label} holds {held} {symbol} after an exit of {row.size:.4f}, its share is {expected}"
            yield Violation("I9 an exit sells its share", detail)
            return


def _sold_by_itself(journal: Journal, label: str, symbol: str) -> bool:
    """Whether the user's own stop or target sold something: then there is no share to compare with."""
    return any(
        intent.account_id == label and intent.symbol == symbol and intent.signal_id is None and intent.filled_quantity
        for intent in journal.intents.values()
    )


def _dust_is_dust(journal: Journal) -> Iterator[Violation]:
    for row in journal.dust:
        price = journal.world.venue.prices[row.symbol]
        if row.quantity > smallest(INSTRUMENTS[row.symbol], price) * PRICES_MOVE:
            yield Violation("I10 only dust is called dust", f"{row.account_id}: {row.quantity} {row.symbol}")


def _flat_when_the_master_is(journal: Journal) -> Iterator[Violation]:
    if journal.world.unfinished_after_healing:
        return
    for line in still_held(journal.world):
        yield Violation("I5 everything ends after healing", line)
        return
    for row in journal.positions:
        if row.account_id not in journal.users:
            continue
        price = journal.world.venue.prices[row.symbol]
        allowed = smallest(INSTRUMENTS[row.symbol], price) * PRICES_MOVE
        if row.quantity > allowed:
            detail = f"{row.account_id} still holds {row.quantity} {row.symbol}"
            yield Violation("I10 flat when the master is flat", detail)
