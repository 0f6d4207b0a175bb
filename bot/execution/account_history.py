"""What was traded on one account, by whomever: each trade is booked once, under its own order if it has one."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from bot.brokers.base import BaseBroker
from bot.domain.drift import DriftKind
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import FINAL_STATES, VenueOrder
from bot.domain.symbol import base_of
from bot.execution.drift_book import DriftBook
from bot.execution.fill_recorder import FillRecorder, describe
from bot.execution.order_executor import OrderExecutor
from bot.execution.order_origin import OrderOrigin, Origin, in_words, origin_of
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.seams.ids import order_tag
from bot.storage import fills as fill_rows
from bot.storage import process
from bot.storage.accounts import first_seen_at
from bot.storage.intents import OrderIntent, find_by_venue_order, symbols_needing_a_person
from bot.storage.positions import positions_of, symbols_held
from bot.storage.store import Store
from bot.storage.symbol_pauses import pause_symbol

log = logging.getLogger(__name__)

# Fills are read again from this long before the newest one known: venues list them out of order for a while.
HISTORY_OVERLAP = timedelta(minutes=10)
# An order that the venue has shown in nonsense, or not at all, so often and for so long holds up the trades behind it
# no longer.
TRIES_BEFORE_QUARANTINE = 3
SECONDS_BEFORE_QUARANTINE = 30.0
# How far back the trades of an order are asked for that was set aside.
LONG_AGO = timedelta(days=30)


@dataclass(frozen=True)
class OrderFills:
    """New trades of one order, oldest first."""

    venue_order_id: str
    fills: Sequence[Fill]

    @property
    def symbol(self) -> str:
        return self.fills[0].symbol


class AccountHistory:
    """Reads and books the trades of one account, in that account's thread.

    Trades of orders of ours go under those orders, however late they show up. What the owner of a master trades by
    hand is booked and copied (decision 0003). What a user trades by hand is noted, is no lot of ours, and pauses that
    symbol for that user (mission C10), whichever symbol it is: which ones the master will trade is not known
    beforehand, and a pause of a symbol that is never copied costs nothing. Exits know no pause.
    """

    def __init__(
        self,
        *,
        broker: BaseBroker,
        store: Store,
        clock: Clock,
        recorder: FillRecorder,
        executor: OrderExecutor,
        drifts: DriftBook,
        install_id: str,
    ) -> None:
        self._broker = broker
        self._account = broker.account
        self._store = store
        self._clock = clock
        self._recorder = recorder
        self._executor = executor
        self._drifts = drifts
        self._tag = order_tag(install_id)
        # By order: how often in vain, and since when (monotonic seconds).
        self._tries: dict[str, tuple[int, float]] = {}
        self._in_order = False
        self._ahead = False

    def read(self) -> None:
        """Book what is new since the cursor, in the order in which it was traded.

        Raises what the broker's readings raise, and `UnreadableReply` when the venue does not tell whose order a
        trade is of: nothing behind such a trade is booked, for the order of things decides what a copy is a share of.
        For the same reason a master's trades of a market wait while an order of ours in it waits for a person.
        """
        fills = self._trades()
        failpoint("history_read")
        waiting = self._waiting_symbols()
        held_back = [group for group in self._new(fills) if group.symbol in waiting]
        with self._one_after_the_other():
            for group in self._new(fills):
                if group.symbol not in waiting:
                    self._ahead = bool(held_back)
                    self._book_or_set_aside(group)
        newest = max((fill.executed_at for fill in fills), default=None)
        cursor = self._recorder.cursor()
        if newest is not None and not held_back and (cursor is None or newest > cursor):
            self._recorder.advance_cursor(newest)

    def take(self, fills: Sequence[Fill]) -> None:
        """Book trades that the private stream has told, which no reading may show yet.

        Only what `read` would book as well, and the cursor stays where it is: what the stream has not told may lie
        before them. Raises as `read` does; what was booked by then is not booked again.
        """
        if not self._new(fills):
            return  # as a rule they were booked with their order already
        since, waiting = self._since(), self._waiting_symbols()
        with self._one_after_the_other():
            for group in self._new([fill for fill in fills if fill.executed_at >= since]):
                if group.symbol not in waiting:
                    self._ahead = True
                    self._book_or_set_aside(group)

    def read_earlier(self, order: VenueOrder, moment: datetime) -> None:
        """Book what the venue lists of the order's market before the order's own first trade, which was at `moment`.

        Raises as `read` does.
        """
        if self._in_order:
            return  # they are being gone through in their order already
        listed = self._new(self._trades())
        ids = [group.venue_order_id for group in listed]
        own = ids.index(order.venue_order_id) if order.venue_order_id in ids else None
        with self._one_after_the_other():
            for number, group in enumerate(listed):
                earlier = group.fills[0].executed_at < moment if own is None else number < own
                if earlier and group.symbol == order.symbol:
                    self._ahead = True
                    self._book_or_set_aside(group)

    @contextmanager
    def _one_after_the_other(self) -> Iterator[None]:
        self._in_order = True
        try:
            yield
        finally:
            self._in_order = self._ahead = False

    def _waiting_symbols(self) -> frozenset[str]:
        if not self._account.is_master:
            return frozenset()
        with self._store.read() as connection:
            return symbols_needing_a_person(connection, self._account.label)

    def retry_missing(self) -> None:
        """Look again at what was set aside; what the venue shows by now is booked. Raises as `read` does."""
        still: set[str] = set()
        for venue_order_id in self._drifts.subjects(DriftKind.FILL_MISSING):
            try:
                fills = self._broker.get_order_fills(venue_order_id, since=self._clock.now() - LONG_AGO)
                for group in self._new(fills):
                    self._book(group)
            except UnreadableReply as error:
                log.info("%s order %s still waits: %s", self._account.label, venue_order_id, error)
                still.add(venue_order_id)
            else:
                if not fills or self._new(fills):
                    still.add(venue_order_id)
        self._drifts.only(DriftKind.FILL_MISSING, still)

    def _trades(self) -> Sequence[Fill]:
        """What the venue lists, also of markets in which nothing is left of what the books hold."""
        with self._store.read() as connection:
            held = symbols_held(connection, self._account.label)
        self._broker.expect_trades(held)
        return self._broker.get_fills_since(self._since())

    def _since(self) -> datetime:
        """Trades from before the account was first seen are nobody's business here."""
        with self._store.read() as connection:
            first = first_seen_at(connection, self._account.label)
        cursor = self._recorder.cursor()
        return first if cursor is None else max(first, cursor - HISTORY_OVERLAP)

    def _new(self, fills: Sequence[Fill]) -> list[OrderFills]:
        """What the ledger does not have, by order; orders by their first trade, and by the venue's list if at once."""
        unique = {(fill.symbol, fill.trade_id): fill for fill in fills}.values()
        with self._store.read() as connection:
            new = [fill for fill in unique if not fill_rows.is_booked(connection, self._account, fill)]
        groups: dict[str, list[Fill]] = {}
        for fill in sorted(new, key=lambda fill: fill.executed_at):
            groups.setdefault(fill.venue_order_id, []).append(fill)
        return [OrderFills(key, group) for key, group in groups.items()]

    def _book_or_set_aside(self, group: OrderFills) -> None:
        try:
            self._book(group)
        except UnreadableReply as error:
            now = self._clock.monotonic()
            tries, since = self._tries.get(group.venue_order_id, (0, now))
            self._tries[group.venue_order_id] = (tries + 1, since)
            if tries + 1 < TRIES_BEFORE_QUARANTINE or now - since < SECONDS_BEFORE_QUARANTINE:
                raise
            self._set_aside(group, str(error))
        self._tries.pop(group.venue_order_id, None)

    # -- whose trade it is ------------------------------------------------------------------------------------------
    def _book(self, group: OrderFills) -> None:
        with self._store.read() as connection:
            known = find_by_venue_order(connection, self._account.label, group.venue_order_id)
        if known is not None and known.state not in FINAL_STATES:
            # The executor asks about the order itself.
            self._booked(self._recorder.book_history(group.fills, move_cursor=not self._ahead))
            return
        order = self._order(group.venue_order_id)
        if known is not None:
            self._book_ours(group, known, order)
            return
        with self._store.read() as connection:
            origin = origin_of(connection, self._account, order, tag=self._tag)
        self._book_by_origin(group, order, origin)

    def _book_by_origin(self, group: OrderFills, order: VenueOrder, origin: OrderOrigin) -> None:
        if origin.intent is not None:
            self._book_ours(group, origin.intent, order)
        elif origin.origin is Origin.ORPHAN:
            self._note_orphan(group, order, origin.why)
        elif self._account.is_master:
            self._booked(self._recorder.book_history(group.fills, move_cursor=not self._ahead))
        else:
            self._note(group, f"traded by hand: {describe(group.fills)} at {group.fills[0].executed_at:%F %T} UTC")

    def _order(self, venue_order_id: str) -> VenueOrder:
        order = self._broker.get_order(venue_order_id)
        if order is None:
            raise UnreadableReply(f"the venue shows trades of order {venue_order_id}, and not the order")
        return order

    def _book_ours(self, group: OrderFills, intent: OrderIntent, order: VenueOrder) -> None:
        result = self._executor.adopt(intent, order)
        with self._store.read() as connection:
            left = [fill for fill in group.fills if not fill_rows.is_booked(connection, self._account, fill)]
        if not left:
            return
        if result.needs_person:
            why = f"{describe(left)} of order {group.venue_order_id} waits for a person: {result.needs_person}"
            self._drifts.note(DriftKind.FILL_MISSING, group.venue_order_id, why)
            return
        # Its end is seen before all of its trades, or it is another order than was written down.
        raise UnreadableReply(f"{in_words(order)} does not add up with its trades yet")

    # -- what is no lot of ours -------------------------------------------------------------------------------------
    def _note_orphan(self, group: OrderFills, order: VenueOrder, why: str) -> None:
        lost = self._is_lost(group)
        where = "was booked from the brokerage's word" if lost else "is in no position of ours"
        detail = f"{in_words(order)} has traded, and {why}; its {describe(group.fills)} {where}"
        self._drifts.note(DriftKind.ORPHAN_ORDER, order.venue_order_id, detail)
        why = f"an order with our tag that the books do not know: {describe(group.fills)}"
        if not lost:
            self._note(group, why)
            return
        if not self._account.is_master:
            self._store.write(partial(self._pause, new=group.fills, why=why))
        self._booked(self._recorder.book_lost(group.fills))

    def _is_lost(self, group: OrderFills) -> bool:
        """Whether these books are an older copy, and the trade is of what came after (decision 0008).

        Then it is one of ours, and lots that were sold already must not be sold again out of the owner's own coins.
        """
        with self._store.read() as connection:
            restored = process.restored_at(connection)
        return restored is not None and all(fill.executed_at < restored for fill in group.fills)

    def _note(self, group: OrderFills, why: str) -> None:
        together = None if self._account.is_master else partial(self._pause, why=why)
        self._recorder.note_foreign(group.fills, together=together)
        failpoint("foreign_noted")

    def _pause(self, connection: Connection, new: Sequence[Fill], *, why: str) -> None:
        """In the transaction that notes the trade: a pause can neither get lost nor come back once it was lifted."""
        symbols = {fill.symbol for fill in new}
        assets = {base_of(symbol) for symbol in symbols}
        held = positions_of(connection, self._account.label)
        # The same coins in another market: what was sold there is missing here.
        for symbol in sorted(symbols | {one.symbol for one in held if base_of(one.symbol) in assets}):
            if pause_symbol(connection, self._account.label, symbol, reason=why, now=self._clock.now()):
                log.warning(
                    "%s: %s is paused, no entries of it are copied until somebody resumes it: %s",
                    self._account.label,
                    symbol,
                    why,
                )

    def _set_aside(self, group: OrderFills, why: str) -> None:
        """One order that cannot be understood holds up neither the account nor the trades behind it."""
        detail = f"{describe(group.fills)} of order {group.venue_order_id} is not booked: {why}"
        self._drifts.note(DriftKind.FILL_MISSING, group.venue_order_id, detail)
        if not self._account.is_master:
            self._store.write(partial(self._pause, new=group.fills, why=detail))

    def _booked(self, new: Sequence[Fill]) -> None:
        if new:
            log.info("%s: %d fills found in the account's history", self._account.label, len(new))
