"""The open orders at the venue against those in the books. Nothing is ever cancelled or sent here."""

from collections.abc import Collection, Sequence

from bot.brokers.base import BaseBroker
from bot.domain.drift import DriftKind
from bot.domain.money import plain
from bot.domain.order import FINAL_STATES, LIVE_STATES, IntentState, VenueOrder
from bot.execution.drift_book import DriftBook
from bot.execution.order_executor import OrderExecutor
from bot.execution.order_origin import Origin, in_words, origin_of
from bot.seams.ids import order_tag
from bot.storage import fills as fill_rows
from bot.storage.intents import OrderIntent, unfinished
from bot.storage.store import Store

# A venue's list may be behind its own word on a single order.
PHANTOM_LOUD_AT = 3


class OpenOrders:
    """One account's. Orders without our tag are left alone, and nobody asks about them again."""

    def __init__(
        self, *, broker: BaseBroker, store: Store, executor: OrderExecutor, drifts: DriftBook, install_id: str
    ) -> None:
        self._broker = broker
        self._account = broker.account
        self._store = store
        self._executor = executor
        self._drifts = drifts
        self._tag = order_tag(install_id)

    def compare(self, *, besides: Collection[str] = ()) -> None:
        """Take over what is ours, report what is not in the books, and what is in the books alone.

        `besides` are orders of ours (client ids) whose report could not be understood: they stay reported. Raises what
        the broker's readings raise; then nothing is concluded.
        """
        orders = self._broker.get_open_orders()
        orphans, phantoms = set[str](), set(besides)
        for order in orders:
            with self._store.read() as connection:
                origin = origin_of(connection, self._account, order, tag=self._tag)
            if origin.origin is Origin.ORPHAN:
                orphans.add(order.venue_order_id)
                self._report_orphan(order, origin.why)
            elif origin.intent is not None and self._lives_on(origin.intent, order):
                phantoms.add(origin.intent.client_order_id)
        phantoms |= self._in_the_books_alone(orders)
        self._drifts.only(DriftKind.ORPHAN_ORDER, orphans | self._traded_orphans())
        self._drifts.only(DriftKind.PHANTOM, phantoms)

    def _report_orphan(self, order: VenueOrder, why: str) -> None:
        detail = f"{in_words(order)} is open with our tag, and {why}: it is left alone, look at it at the venue"
        self._drifts.note(DriftKind.ORPHAN_ORDER, order.venue_order_id, detail)

    def _traded_orphans(self) -> set[str]:
        """Those that have traded stay reported when they have ended: what they bought is in no book."""
        # First: who waits for a second connection while he holds one can wait for another who does the same.
        subjects = self._drifts.subjects(DriftKind.ORPHAN_ORDER)
        with self._store.read() as connection:
            return {
                subject
                for subject in subjects
                if fill_rows.booked_of_order(connection, self._account.label, subject)[0] > 0
            }

    def _lives_on(self, intent: OrderIntent, listed: VenueOrder) -> bool:
        """Late evidence of an order that has ended in our books, or was never sent by them. True: it still lives."""
        if intent.state not in FINAL_STATES and intent.state is not IntentState.CREATED:
            return False  # the executor follows it
        # The list may be older than what the venue has said of this very order.
        order = self._broker.get_order(listed.venue_order_id)
        if order is None or (order.status.ended and order.filled_quantity == intent.filled_quantity):
            return False
        result = self._executor.adopt(intent, order)
        if order.status.ended or result.state not in FINAL_STATES:
            return False
        detail = f"{in_words(order)} is open at the venue, and {intent.state} in the books ({intent.reason})"
        self._drifts.note(DriftKind.PHANTOM, intent.client_order_id, detail, loud_at=PHANTOM_LOUD_AT)
        return True

    def _in_the_books_alone(self, listed: Sequence[VenueOrder]) -> set[str]:
        """Orders that live in the books, and that the venue neither lists nor knows when asked."""
        open_ids = {order.venue_order_id for order in listed}
        with self._store.read() as connection:
            living = [one for one in unfinished(connection, self._account.label) if one.state in LIVE_STATES]
        found: set[str] = set()
        for intent in living:
            if intent.venue_order_id is None or intent.venue_order_id in open_ids:
                continue
            if self._broker.get_order(intent.venue_order_id) is None:
                found.add(intent.client_order_id)
                detail = (
                    f"order {intent.venue_order_id} ({intent.side} {plain(intent.quantity)} {intent.symbol}) is "
                    f"{intent.state} in the books, and the venue does not know it"
                )
                self._drifts.note(DriftKind.PHANTOM, intent.client_order_id, detail, loud_at=PHANTOM_LOUD_AT)
        return found
