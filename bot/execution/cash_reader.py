"""Reads what moved money or coins of one account besides trades, and writes it down."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from bot.brokers.base import BaseBroker
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.money import plain
from bot.execution.splits import SplitFollower, Verdict
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage import cash_events, opening_balances
from bot.storage.accounts import first_seen_at
from bot.storage.store import Store

log = logging.getLogger(__name__)

# The ledger is read again from this long before the last reading: entries are listed late and out of order. What a
# venue dates back by days is its adapter's to look for.
OVERLAP = timedelta(hours=1)
# What moves balances at the moment that it is dated to, also when it is told later. Fees and rewards are dated back.
MOVED_WHEN_DATED = frozenset({CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.TRANSFER})


class CashReader:
    """One account's, in that account's thread. A reading that fails is a sentence in `problem`, never an empty list."""

    def __init__(self, *, broker: BaseBroker, store: Store, clock: Clock, fence: Callable[[Connection], None]) -> None:
        self._broker = broker
        self._account = broker.account
        self._store = store
        self._clock = clock
        self._fence = fence
        self._splits = SplitFollower(broker=broker, store=store)
        self.problem = ""
        self._read_at: float | None = None

    def read(self) -> int:
        """Book what is new; how much that was. Raises what the broker's readings raise, after noting the reason."""
        asked_at = self._clock.now()
        try:
            events = self._broker.get_cash_events(self._since())
            shares = self._splits.look(events)
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            self._failed(str(error))
            raise
        failpoint("cash_events_read")
        new = self._book(events, shares, asked_at)
        self._read_at = self._clock.monotonic()
        failpoint("cash_events_booked")
        if self.problem:
            log.info("%s: its ledger at the brokerage can be read again", self._account.label)
        self.problem = ""
        for event in new:
            log.info("%s: %s of %s %s", self._account.label, event.kind, plain(event.amount), event.asset)
        return len(new)

    def age_seconds(self) -> float:
        """Since the venue last told its ledger to this process; NaN when it never did. Any thread may ask."""
        return float("nan") if self._read_at is None else self._clock.monotonic() - self._read_at

    def _since(self) -> datetime:
        with self._store.read() as connection:
            first = first_seen_at(connection, self._account.label)
            reading = cash_events.find_reading(connection, self._account.label)
        if reading is None or reading.read_until is None:
            return first
        return max(first, reading.read_until - OVERLAP)

    def _book(self, events: Sequence[CashEvent], shares: Mapping[str, Decimal], asked_at: datetime) -> list[CashEvent]:
        now, label = self._clock.now(), self._account.label

        def work(connection: Connection) -> tuple[list[CashEvent], list[Verdict]]:
            self._fence(connection)
            before = cash_events.find_reading(connection, label)
            new = [event for event in events if cash_events.add_cash_event(connection, self._account, event, now=now)]
            is_first = before is None or before.read_at is None
            # What happened before the books began is in the balances that they began with.
            there = [event for event in new if is_first or event.kind in MOVED_WHEN_DATED]
            opening_balances.take_out(connection, label, there)
            cash_events.note_read(connection, label, asked_at=asked_at, at=now)
            return new, self._splits.follow(connection, new, shares, now=now)

        new, verdicts = self._store.write(work)
        self._splits.say(verdicts)
        return new

    def _failed(self, problem: str) -> None:
        if problem == self.problem:
            return
        log.warning("%s: its ledger at the brokerage cannot be read: %s", self._account.label, problem)
        self.problem = problem

        def work(connection: Connection) -> None:
            self._fence(connection)
            cash_events.note_unread(connection, self._account.label, problem)

        self._store.write(work)
