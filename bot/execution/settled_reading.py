"""Balances of one account at a moment when nothing was under way and all that had happened was booked.

What was booked before the balances were asked for is in them; what is told only afterwards must be older than they. A
venue whose balances are behind its trades is found out by a second reading, which its difference does not outlive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.domain.balance import Holdings
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.execution.cash_reader import CashReader
from bot.execution.reconciliation import Reconciler
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage.book_entries import BookedUntil, booked_until, late_entries, moment_of
from bot.storage.exposure import has_open_orders
from bot.storage.store import Store

# What is told only after the balances were read, and is dated later than this before them, may be in them or not.
QUIET = timedelta(seconds=5)
# What is dated further ahead than this is not news of this moment.
AHEAD = timedelta(hours=1)


class NotSettled(Exception):
    """Nothing is wrong: something is on its way, and the books are compared another time. The message says what."""


class ThreadWanted(NotSettled):
    """The reading was broken off, because this thread has something better to do."""


@dataclass(frozen=True)
class SettledReading:
    """What the venue said, by the venue's clock, and how far the books had come then.

    `cash_problem` says why the ledger could not be read: then what the balances differ by may be a deposit.
    """

    at: datetime
    holdings: Holdings
    booked: BookedUntil
    cash_problem: str = ""

    @property
    def units(self) -> dict[str, Decimal]:
        """By asset, available and held together."""
        return {asset: balance.total for asset, balance in self.holdings.assets.items() if balance.total}


class SettledReader:
    """Balances first, then what may have changed them: whatever is seen afterwards was there before, or is recent."""

    def __init__(
        self, *, broker: BaseBroker, store: Store, clock: Clock, reconciler: Reconciler, cash: CashReader
    ) -> None:
        self._broker = broker
        self._label = broker.account.label
        self._store = store
        self._clock = clock
        self._reconciler = reconciler
        self._cash = cash

    def read(self, stop_for: Callable[[], None]) -> SettledReading:
        """Raises `NotSettled`, and what the broker's readings of balances and fills raise.

        `stop_for` is called between two calls to the venue; it raises `NotSettled` when this thread is waited for.
        """
        self._refuse_when_busy()
        with self._store.read() as connection:
            known = booked_until(connection, self._label)
        stop_for()
        holdings = self._broker.fetch_holdings()
        at = self._venue_time_of(holdings)
        self._broker.balance_book.record(holdings)
        failpoint("settled_balances_read")
        stop_for()
        self._reconciler.read_history()
        stop_for()
        problem = self._read_cash()
        self._refuse_when_busy()
        with self._store.read() as connection:
            booked = booked_until(connection, self._label)
            told = late_entries(connection, self._label, known, before=at + AHEAD) if booked != known else []
        for moment in (moment_of(entry) for entry in told):
            if moment >= at - QUIET:
                raise NotSettled(f"something happened at {moment:%T}, too near to the balances of {at:%T}")
        return SettledReading(at, holdings, booked, problem)

    def _refuse_when_busy(self) -> None:
        if waits := self._reconciler.awaits_outcome():
            raise NotSettled(waits)
        with self._store.read() as connection:
            if has_open_orders(connection, self._label):
                raise NotSettled("an order of ours is open")

    def _read_cash(self) -> str:
        try:
            self._cash.read()
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            return str(error) or "its ledger cannot be read"
        return ""

    def _venue_time_of(self, holdings: Holdings) -> datetime:
        """Entries are dated by the venue's clock, and so must be what is held against them."""
        venue_now = self._broker.venue_now()
        return holdings.taken_at if venue_now is None else holdings.taken_at + (venue_now - self._clock.now())
