"""The venue is the truth: an account is compared with it before its first entry, and every few minutes from then on."""

import logging
from collections.abc import Callable, Mapping, Sequence

from bot.brokers.base import BaseBroker
from bot.domain.drift import DriftKind
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.money import plain
from bot.domain.order import UNRESOLVED_STATES
from bot.execution.account_history import AccountHistory
from bot.execution.account_status import AccountStatus
from bot.execution.drift_book import DriftBook
from bot.execution.fill_recorder import FillRecorder
from bot.execution.holdings_check import HoldingsCheck
from bot.execution.open_orders import OpenOrders
from bot.execution.order_executor import OrderExecutor
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.seams.ids import IdSource
from bot.storage.intents import OrderIntent, unfinished
from bot.storage.process import restored_at
from bot.storage.store import Store

log = logging.getLogger(__name__)

PERIOD_SECONDS = 120.0
# Accounts that started together must not ask together for ever.
JITTER_FRACTION = 0.1


class Reconciler:
    """Open orders, trades and holdings of one account against its books, in that account's thread.

    A reading that fails concludes nothing: the account stays as it was, `problem` says why, and the next cycle tries
    again. `hydrated` is true from the first complete pass of this process on; no entry is sent before that, and exits
    never wait for it. Nothing is corrected by trading.
    """

    def __init__(
        self,
        *,
        broker: BaseBroker,
        store: Store,
        clock: Clock,
        ids: IdSource,
        status: AccountStatus,
        recorder: FillRecorder,
        executor: OrderExecutor,
        install_id: str,
        period_seconds: float = PERIOD_SECONDS,
        on_drifts: Callable[[Mapping[DriftKind, int]], None] = lambda _counts: None,
    ) -> None:
        self._account = broker.account
        self._store = store
        self._clock = clock
        self._ids = ids
        self._status = status
        self._period_seconds = period_seconds
        self._drifts = DriftBook(store=store, clock=clock, account=broker.account, on_drifts=on_drifts)
        self._history = AccountHistory(
            broker=broker,
            store=store,
            clock=clock,
            recorder=recorder,
            executor=executor,
            drifts=self._drifts,
            install_id=install_id,
        )
        if broker.account.is_master:
            executor.before_booking(self._history.read_earlier)
        self._open_orders = OpenOrders(
            broker=broker, store=store, executor=executor, drifts=self._drifts, install_id=install_id
        )
        self._holdings = HoldingsCheck(broker=broker, store=store, clock=clock, executor=executor, drifts=self._drifts)
        self._due_at = clock.monotonic()
        self._unreadable: set[str] = set()
        self.hydrated = False
        self.problem = "not compared with the venue yet"
        status.fact("hydrated", true=False)

    def run_if_due(self) -> None:
        """One pass, if it is time for one; after a pass that failed it is time at once."""
        if self._clock.monotonic() >= self._due_at:
            self.run()

    def run(self) -> bool:
        """One pass; False when it could not be completed. Raises nothing that the venue does."""
        try:
            self._compare()
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            self._failed(str(error))
            return False
        self._done()
        return True

    def read_history(self) -> None:
        """Book what was traded since the last look. Raises what the broker's readings raise."""
        self._history.read()

    def take_streamed(self, fills: Sequence[Fill]) -> None:
        """Book what the private stream has told. Raises as `read_history` does."""
        self._history.take(fills)

    def awaits_outcome(self) -> str:
        """A sentence while nobody knows how an order of this account ended, apart from those that wait for a person.

        A master's history is not booked past such an order: its trades could be in there, without their order.
        """
        with self._store.read() as connection:
            waiting = unfinished(connection, self._account.label)
        orders = [intent for intent in waiting if intent.state in UNRESOLVED_STATES and not intent.needs_person]
        return f"the outcome of order {orders[0].client_order_id} is not known yet" if orders else ""

    def must_come_first(self) -> bool:
        """Whether even exits are better off after a try: these books are an older copy, and lots may be gone."""
        if self.hydrated:
            return False
        with self._store.read() as connection:
            return restored_at(connection) is not None

    def unreadable(self, intent: OrderIntent, error: Exception) -> None:
        """What the venue reports of this order makes no sense: it is set aside, and the account goes on."""
        self._unreadable.add(intent.client_order_id)
        detail = (
            f"what is reported of our order {intent.client_order_id} ({intent.side} {plain(intent.quantity)} "
            f"{intent.symbol}) cannot be booked: {type(error).__name__}: {error}"
        )
        self._drifts.note(DriftKind.PHANTOM, intent.client_order_id, detail)

    def readable(self, intent: OrderIntent) -> None:
        """It could be settled, or at least asked about."""
        self._unreadable.discard(intent.client_order_id)

    # -- inside -----------------------------------------------------------------------------------------------------
    def _compare(self) -> None:
        """Open orders before trades: an order can only go from the one into the other, so it is seen in one of them."""
        self._open_orders.compare(besides=self._unreadable)
        failpoint("open_orders_compared")
        waits = self.awaits_outcome() if self._account.is_master else ""
        if waits:
            raise UnreadableReply(waits)
        self._history.read()
        self._history.retry_missing()
        failpoint("history_compared")
        self._holdings.compare()
        failpoint("holdings_compared")

    def _failed(self, reason: str) -> None:
        if reason != self.problem:
            log.warning("%s is not reconciled with the venue: %s", self._account.label, reason)
        self.problem = reason
        if not self.hydrated:
            self._status.waiting(f"not hydrated yet: {reason}")

    def _done(self) -> None:
        if not self.hydrated:
            log.info("%s is hydrated: open orders, trades and holdings are known", self._account.label)
            self._status.waiting("")
        elif self.problem:
            log.info("%s is reconciled with the venue again", self._account.label)
        self.hydrated, self.problem = True, ""
        self._status.fact("hydrated", true=True)
        self._status.moment("reconciled")
        jitter = 1 + JITTER_FRACTION * (2 * self._ids.fraction() - 1)
        self._due_at = self._clock.monotonic() + self._period_seconds * jitter
        self._drifts.publish()
