"""Books fills: ledger row, position, order state and, for a master, the signal, all in one transaction."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Connection

from bot.domain.account import AccountRef
from bot.domain.fill import Fill
from bot.domain.order import FINAL_STATES, IntentState, VenueOrder, VenueOrderStatus, may_move
from bot.domain.position import ExitPlan
from bot.execution.position_math import after_fill
from bot.execution.trips import add_trip
from bot.observability.correlation import working_on
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage import fills as fill_rows
from bot.storage import intents as intent_rows
from bot.storage import positions as position_rows
from bot.storage.exit_states import forget_exit_state
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)

_STATE_OF_VENUE = {
    VenueOrderStatus.PENDING: IntentState.ACKNOWLEDGED,
    VenueOrderStatus.OPEN: IntentState.ACKNOWLEDGED,
    VenueOrderStatus.FILLED: IntentState.FILLED,
    VenueOrderStatus.CANCELLED: IntentState.CANCELLED,
    VenueOrderStatus.EXPIRED: IntentState.EXPIRED,
    VenueOrderStatus.REJECTED: IntentState.REJECTED,
}


@dataclass(frozen=True, kw_only=True)
class MasterFills:
    """New fills of one order of a master, and what was true before them."""

    account: AccountRef
    venue_order_id: str
    fills: Sequence[Fill]
    position_before: Decimal
    balance_before: Decimal | None
    exit_plan: ExitPlan


SignalHook = Callable[[Connection, MasterFills], str]


class FillRecorder:
    """The only writer of fills and positions of one account.

    `emit` turns a master's fills into a signal inside the same transaction. Users have none: a copy cannot be copied,
    by wiring.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        account: AccountRef,
        default_exit_plan: ExitPlan,
        emit: SignalHook | None,
        on_booked: Callable[[Sequence[Fill]], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._account = account
        self._default_exit_plan = default_exit_plan
        self._emit = emit
        # The signal that the last fills have become: the store's thread says it to the one that waits for it.
        self._became = ""
        self._on_booked = on_booked

    def book_order(
        self,
        intent: OrderIntent,
        order: VenueOrder,
        fills: Sequence[Fill],
        *,
        along: Callable[[Connection, OrderIntent], None] | None = None,
    ) -> Sequence[Fill]:
        """Book what the venue says of one order of ours; returns the fills that were new.

        `along` becomes true in the same transaction; it is given the intent as it is then.
        """

        def work(connection: Connection) -> Sequence[Fill]:
            new = self._book_group(connection, order.venue_order_id, fills, intent)
            self._move_intent(connection, intent, order)
            present = None if along is None else intent_rows.find_intent(connection, intent.client_order_id)
            if along is not None and present is not None:
                along(connection, present)
            return new

        with working_on(account=intent.account_id, signal=intent.signal_id, order=intent.client_order_id):
            return self._write(work)

    def book_history(self, fills: Sequence[Fill], *, move_cursor: bool = True) -> Sequence[Fill]:
        """Book fills read from the account's history, whoever made the orders, and move the cursor past them.

        `move_cursor` is False for whoever books ahead of others that the history has from the same time.
        """

        def work(connection: Connection) -> Sequence[Fill]:
            new: list[Fill] = []
            by_order = sorted(fills, key=lambda fill: (fill.venue_order_id, fill.executed_at))
            groups = [(key, list(group)) for key, group in groupby(by_order, key=lambda fill: fill.venue_order_id)]
            for venue_order_id, group in sorted(groups, key=lambda item: item[1][0].executed_at):
                intent = intent_rows.find_by_venue_order(connection, self._account.label, venue_order_id)
                new += self._book_group(connection, venue_order_id, group, intent)
            if fills and move_cursor:
                self._move_cursor(connection, max(fill.executed_at for fill in fills))
            return new

        with working_on(account=self._account.label):
            return self._write(work) if fills else []

    def book_lost(self, fills: Sequence[Fill]) -> Sequence[Fill]:
        """Book one order of ours that an older copy of the books does not know; it is no signal a second time."""

        def work(connection: Connection) -> Sequence[Fill]:
            return self._book_group(connection, fills[0].venue_order_id, fills, None, copied_before=True)

        return self._write(work)

    def note_foreign(
        self, fills: Sequence[Fill], *, together: Callable[[Connection, Sequence[Fill]], None] | None = None
    ) -> Sequence[Fill]:
        """Keep a user's own trades in the ledger; they are no lots of ours. Returns those that were new.

        `together` is given the new ones, if there are any, within the same transaction.
        """

        def work(connection: Connection) -> Sequence[Fill]:
            now = self._clock.now()
            new = [
                fill
                for fill in fills
                if fill_rows.add_fill(connection, self._account, fill, client_order_id=None, now=now)
            ]
            if new and together is not None:
                together(connection, new)
            return new

        return self._store.write(work) if fills else []

    def advance_cursor(self, moment: datetime) -> None:
        """The account's history is handled up to this time."""
        self._store.write(lambda connection: self._move_cursor(connection, moment))

    def cursor(self) -> datetime | None:
        """The execution time of the newest fill read from history."""
        with self._store.read() as connection:
            return fill_rows.last_executed_at(connection, self._account.label)

    def _move_cursor(self, connection: Connection, moment: datetime) -> None:
        """Never past now: a trade that the venue dates in the future would hide all that come before that day."""
        fill_rows.advance_cursor(connection, self._account.label, min(moment, self._clock.now()))

    def _write(self, work: Callable[[Connection], Sequence[Fill]]) -> Sequence[Fill]:
        self._became = ""
        new = self._store.write(work)
        failpoint("fills_booked")
        if new:
            with working_on(signal=self._became):
                self._on_booked(new)
        return new

    def _book_group(
        self,
        connection: Connection,
        venue_order_id: str,
        fills: Sequence[Fill],
        intent: OrderIntent | None,
        *,
        copied_before: bool = False,
    ) -> list[Fill]:
        client_order_id = intent.client_order_id if intent else None
        now = self._clock.now()
        failpoint("fill_transaction")
        new = [
            fill
            for fill in sorted(fills, key=lambda fill: fill.executed_at)
            if fill_rows.add_fill(connection, self._account, fill, client_order_id=client_order_id, now=now)
        ]
        if new:
            if intent is not None:
                self._note_filled(connection, intent, venue_order_id)
            before = self._apply_to_position(connection, new, intent)
            if not copied_before:
                self._emit_signal(connection, venue_order_id, new, before, intent)
        return new

    def _note_filled(self, connection: Connection, intent: OrderIntent, venue_order_id: str) -> None:
        """What an order has filled is what is booked of it, also when a trade is listed after the order's end."""
        booked, notional = fill_rows.booked_of_order(connection, self._account.label, venue_order_id)
        intent_rows.change(connection, intent.client_order_id, filled_quantity=booked, average_price=notional / booked)

    def _apply_to_position(self, connection: Connection, new: Sequence[Fill], intent: OrderIntent | None) -> Decimal:
        """Returns the quantity held before."""
        label, symbol = self._account.label, new[0].symbol
        position = held = position_rows.find_position(connection, label, symbol)
        before = held.quantity if held else Decimal(0)
        exit_plan = intent.exit_plan if intent else self._default_exit_plan
        for fill in new:
            position = after_fill(
                position,
                fill,
                account_id=label,
                exit_plan=exit_plan,
                signal_id=intent.signal_id if intent else None,
            )
        if position is not None:
            position_rows.save_position(connection, position)
        if held is not None and before > 0 and position is not None and position.quantity == 0:
            add_trip(connection, held, new, intent)
            forget_exit_state(connection, label, symbol)
        return before

    def _emit_signal(
        self,
        connection: Connection,
        venue_order_id: str,
        new: Sequence[Fill],
        position_before: Decimal,
        intent: OrderIntent | None,
    ) -> None:
        if self._emit is None:
            return
        self._became = self._emit(
            connection,
            MasterFills(
                account=self._account,
                venue_order_id=venue_order_id,
                fills=new,
                position_before=position_before,
                balance_before=intent.balance_before if intent else None,
                exit_plan=intent.exit_plan if intent else self._default_exit_plan,
            ),
        )

    def _move_intent(self, connection: Connection, intent: OrderIntent, order: VenueOrder) -> None:
        booked, notional = fill_rows.booked_of_order(connection, self._account.label, order.venue_order_id)
        present = intent_rows.find_intent(connection, intent.client_order_id)
        assert present is not None, "an order is written down before it is sent"
        state = _STATE_OF_VENUE[order.status]
        if state is IntentState.ACKNOWLEDGED and booked > 0:
            state = IntentState.PARTLY_FILLED
        if present.state in FINAL_STATES and (state, booked) != (present.state, present.filled_quantity):
            # What the venue shows is what happened, however late it shows it.
            state = state if may_move(present.state, state) else present.state
            log.critical(
                "%s order %s was %s with %s filled; the venue now shows %s with %s",
                self._account.label,
                intent.client_order_id,
                present.state,
                present.filled_quantity,
                order.status,
                booked,
            )
        intent_rows.move(
            connection,
            intent.client_order_id,
            state,
            at=self._clock.now(),
            detail=order.reason,
            venue_order_id=order.venue_order_id,
            filled_quantity=booked,
            average_price=notional / booked if booked else None,
        )


def describe(fills: Sequence[Fill]) -> str:
    """`buy 0.5 BTC/USD at 30000` for the log: quantities added up, price averaged."""
    first = fills[0]
    quantity = sum((fill.quantity for fill in fills), Decimal(0))
    notional = sum((fill.notional for fill in fills), Decimal(0))
    return f"{first.side} {quantity:f} {first.symbol} at {notional / quantity:.8g}"
