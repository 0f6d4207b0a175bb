"""Sends an order once: written down first, sent once, then asked about until the venue has said how it ended."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.brokers.base import BaseBroker, Urgency
from bot.domain.errors import (
    CredentialsRejected,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
)
from bot.domain.order import (
    FINAL_STATES,
    UNRESOLVED_STATES,
    IntentState,
    OrderKind,
    OrderType,
    VenueOrder,
)
from bot.execution.fill_recorder import FillRecorder
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage import intents as intent_rows
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)

# A look-up that finds nothing counts only if the last one was at least this long ago.
LOOKUP_SPACING_SECONDS = 10.0
EMPTY_LOOKUPS_NEEDED = 2
CONFIRM_POLL_SECONDS = 0.25
# An immediate-or-cancel order that the venue still shows open after this is cancelled, not waited for.
STUCK_IOC_SECONDS = 30.0

_CALM_ERRORS = (UnreadableReply, RetryLater, CredentialsRejected, OutcomeUnknown)


class OrderExecutor:
    """Places and follows the orders of one account, in that account's thread."""

    def __init__(
        self,
        *,
        broker: BaseBroker,
        store: Store,
        clock: Clock,
        recorder: FillRecorder,
        stop: threading.Event,
        confirm_seconds: float,
        gather_milliseconds: int,
        on_order: Callable[[OrderIntent], None],
    ) -> None:
        self._broker = broker
        self._store = store
        self._clock = clock
        self._recorder = recorder
        self._stop = stop
        self._confirm_seconds = confirm_seconds
        self._gather = timedelta(milliseconds=gather_milliseconds)
        self._on_order = on_order

    def place(self, intent: OrderIntent) -> OrderIntent:
        """Write the intent down, send it, and follow it for a while. Returns it as it is now known.

        A result in state CREATED means that the venue certainly did not take it and it may be sent again.
        """
        self._store.write(lambda connection: intent_rows.add_intent(connection, intent))
        failpoint("intent_committed")
        return self.send(intent)

    def send(self, intent: OrderIntent) -> OrderIntent:
        """Send an intent that is written down and in state CREATED, once."""
        if self._stop.is_set():
            return intent
        self._mark_submitted(intent)
        failpoint("submitted_committed")
        try:
            with self._broker.urgent(_urgency(intent)):
                ack = self._broker.place_order(intent.request())
        except RetryLater as error:
            self._move(intent, IntentState.CREATED, str(error))
        except (OrderRefused, CredentialsRejected) as error:
            self._move(intent, IntentState.REJECTED, f"{type(error).__name__}: {error}")
        except OutcomeUnknown as error:
            log.warning("%s order %s outcome unknown: %s", intent.account_id, intent.client_order_id, error)
            self._move(intent, IntentState.UNKNOWN, str(error))
        else:
            failpoint("ack_received")
            self._move(intent, IntentState.ACKNOWLEDGED, "", venue_order_id=ack.venue_order_id)
            self._follow(self.reload(intent))
        result = self.reload(intent)
        self._on_order(result)
        return result

    def settle(self, intent: OrderIntent) -> OrderIntent:
        """Ask the venue how an unfinished intent stands; never sends it again. Errors leave it as it is."""
        try:
            with self._broker.urgent(Urgency.RESOLVE):
                if intent.state in UNRESOLVED_STATES:
                    self._resolve(intent)
                elif intent.venue_order_id is not None:
                    self._follow_once(intent)
        except _CALM_ERRORS as error:
            log.info("%s order %s not settled yet: %s", intent.account_id, intent.client_order_id, error)
        return self.reload(intent)

    def abandon(self, intent: OrderIntent, reason: str) -> None:
        """Give up an intent that was never sent."""
        self._move(intent, IntentState.ABANDONED, reason)

    def reload(self, intent: OrderIntent) -> OrderIntent:
        """The intent as the store has it."""
        with self._store.read() as connection:
            return intent_rows.find_intent(connection, intent.client_order_id) or intent

    def _mark_submitted(self, intent: OrderIntent) -> None:
        now = self._clock.now()
        self._move(
            intent,
            IntentState.SUBMITTED,
            "",
            sent_at=now,
            settle_at=now + timedelta(seconds=self._broker.settle_seconds),
            empty_lookups=0,
            last_lookup_at=None,
            quantity=intent.quantity,
            limit_price=intent.limit_price,
        )

    def _follow(self, intent: OrderIntent) -> None:
        """Poll until the order has ended and its fills are all there, or the time is over."""
        deadline = self._clock.monotonic() + self._confirm_seconds
        while True:
            try:
                with self._broker.urgent(_urgency(intent)):
                    if self._follow_once(intent):
                        return
            except _CALM_ERRORS as error:
                log.info("%s order %s not confirmed yet: %s", intent.account_id, intent.client_order_id, error)
            if self._clock.monotonic() >= deadline or self._stop.is_set():
                return
            self._clock.wait(self._stop, CONFIRM_POLL_SECONDS)

    def _follow_once(self, intent: OrderIntent) -> bool:
        """Book what the venue shows of an accepted order; True when nothing more can come."""
        assert intent.venue_order_id is not None
        order = self._broker.get_order(intent.venue_order_id)
        return order is not None and self._book(intent, order)

    def _book(self, intent: OrderIntent, order: VenueOrder) -> bool:
        fills = []
        if order.filled_quantity > 0:
            since = (intent.sent_at or intent.created_at) - timedelta(minutes=1)
            fills = list(self._broker.get_order_fills(order.venue_order_id, since=since))
        if not order.status.ended and self._clock.now() < (intent.sent_at or intent.created_at) + self._gather:
            # Parts of one order are gathered for a moment, so that users get one signal and not a dozen crumbs.
            return False
        complete = sum(fill.quantity for fill in fills) >= order.filled_quantity
        if order.status.ended and not complete:
            # The order's end is seen before its trades: booking the end now would freeze a wrong total.
            return False
        self._recorder.book_order(intent, order, fills)
        if not order.status.ended:
            self._cancel_if_stuck(intent, order)
        return order.status.ended

    def _cancel_if_stuck(self, intent: OrderIntent, order: VenueOrder) -> None:
        stuck_at = (intent.sent_at or intent.created_at) + timedelta(seconds=STUCK_IOC_SECONDS)
        if intent.order_type is not OrderType.LIMIT_GTC and self._clock.now() > stuck_at:
            self._broker.cancel_order(order.venue_order_id)

    def _resolve(self, intent: OrderIntent) -> None:
        order = self._broker.find_order(
            intent.client_order_id, symbol=intent.symbol, sent_at=intent.sent_at or intent.created_at
        )
        if order is None:
            self._count_absence(intent)
        elif _contradicts(intent, order):
            log.critical(
                "%s order %s: the venue's order %s differs from ours; a person must look",
                intent.account_id,
                intent.client_order_id,
                order.venue_order_id,
            )
            self._move(intent, IntentState.UNKNOWN, "the venue's order differs in side, symbol or size")
        else:
            self._book(replace(intent, venue_order_id=order.venue_order_id), order)

    def _count_absence(self, intent: OrderIntent) -> None:
        """Not found: proof only after two empty look-ups apart, the last one past the settle time."""
        now = self._clock.now()
        spacing = timedelta(seconds=LOOKUP_SPACING_SECONDS)
        if intent.last_lookup_at is not None and now - intent.last_lookup_at < spacing:
            return
        count = self._store.write(
            lambda connection: intent_rows.note_empty_lookup(connection, intent.client_order_id, at=now)
        )
        if count >= EMPTY_LOOKUPS_NEEDED and intent.settle_at is not None and now > intent.settle_at:
            log.warning("%s order %s proven absent", intent.account_id, intent.client_order_id)
            self._move(intent, IntentState.ABANDONED, "proven absent at the venue")

    def _move(self, intent: OrderIntent, state: IntentState, detail: str, **changes: Any) -> None:
        now = self._clock.now()
        self._store.write(
            lambda connection: intent_rows.move(
                connection, intent.client_order_id, state, at=now, detail=detail, **changes
            )
        )


def _urgency(intent: OrderIntent) -> Urgency:
    return Urgency.EXIT if intent.kind is OrderKind.EXIT else Urgency.ENTRY


def _contradicts(intent: OrderIntent, order: VenueOrder) -> bool:
    return (order.symbol, order.side, order.quantity) != (intent.symbol, intent.side, intent.quantity)


def has_ended(intent: OrderIntent) -> bool:
    """Whether nothing more can come of it."""
    return intent.state in FINAL_STATES
