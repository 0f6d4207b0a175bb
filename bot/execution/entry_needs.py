"""What an account must know before it may enter anything. Any thread may ask: nothing here waits or calls a venue."""

from bot.brokers.base import BaseBroker
from bot.domain.balance import BalanceStatus
from bot.execution.reconciliation import Reconciler


def missing_for_entries(broker: BaseBroker, reconciler: Reconciler) -> str:
    """The first thing that is missing, in words, or an empty text.

    Market rules count as known for as long as the brokerage's list of markets gives them out: it is read anew each day.
    """
    if broker.key_refusal:
        return broker.key_refusal
    if broker.entry_hindrance:
        return broker.entry_hindrance
    if not reconciler.hydrated:
        return f"not hydrated yet: {reconciler.problem}"
    reading = broker.balance_book.reading()
    if reading.status is not BalanceStatus.FRESH:
        return f"balance {reading.status}: {reading.reason or 'it was not read for too long'}"
    if broker.venue_now() is None:
        return f"{broker.broker_type} has not told its time yet"
    if not broker.known_trading_pairs():
        return f"the markets of {broker.broker_type} are not known yet"
    return ""
