"""Wrong ways to send an order and to judge what became of it."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from bot.domain.errors import VenueError
from bot.domain.order import IntentState, OrderRequest
from bot.execution import order_executor
from bot.execution.absence import AbsenceWatch
from bot.execution.order_executor import OrderExecutor
from bot.storage import leases
from bot.storage.intents import OrderIntent
from tests.simulation.broker import SimulatedBroker
from tests.simulation.mutant import Mutant


def resend_unknown() -> AbstractContextManager[Any]:
    """What has no known outcome is simply sent again, under the same id."""
    ask = OrderExecutor._resolve

    def wrong(self: OrderExecutor, intent: OrderIntent) -> None:
        self._broker.place_order(intent.request())
        ask(self, intent)

    return patch.object(OrderExecutor, "_resolve", wrong)


def new_id_for_each_try() -> AbstractContextManager[Any]:
    """What has no known outcome is sent again under a new id."""
    send = OrderExecutor.send

    def wrong(self: OrderExecutor, intent: OrderIntent, **named: Any) -> OrderIntent:
        result = send(self, intent, **named)
        if result.state is IntentState.UNKNOWN and intent.decision != "again":
            other = hashlib.sha256(intent.client_order_id.encode()).hexdigest()[:32]
            self.place(replace(intent, client_order_id=other, decision="again", state=IntentState.CREATED))
        return result

    return patch.object(OrderExecutor, "send", wrong)


def time_out_is_failure() -> AbstractContextManager[Any]:
    """No reply counts as a refusal."""
    move = OrderExecutor._move

    def wrong(self: OrderExecutor, intent: OrderIntent, state: IntentState, detail: str, **changes: Any) -> None:
        move(self, intent, IntentState.REJECTED if state is IntentState.UNKNOWN else state, detail, **changes)

    return patch.object(OrderExecutor, "_move", wrong)


def crashed_while_sending_is_never_sent() -> AbstractContextManager[Any]:
    """After a crash what was being sent counts as not sent; and reconciliation, which would see it, adopts nothing."""
    settle = OrderExecutor.settle

    def wrong(self: OrderExecutor, intent: OrderIntent) -> OrderIntent:
        if intent.state is not IntentState.SUBMITTED:
            return settle(self, intent)
        self._move(intent, IntentState.CREATED, "never sent")
        return self.reload(intent)

    return patch.multiple(OrderExecutor, settle=wrong, adopt=lambda _self, intent, _order: intent)


def written_down_after_sending() -> AbstractContextManager[Any]:
    """An order is marked as sent when the venue has answered."""
    mark = OrderExecutor._mark_submitted

    def send_now(self: OrderExecutor, intent: OrderIntent, _leave_before: float | None) -> None:
        try:
            ack = self._broker.place_order(intent.request())
        except VenueError:
            return
        mark(self, intent)
        self._move(intent, IntentState.ACKNOWLEDGED, "", venue_order_id=ack.venue_order_id)
        self._follow(self.reload(intent))

    return patch.multiple(OrderExecutor, _mark_submitted=lambda _self, _intent: None, _send_now=send_now)


def old_evidence_counts() -> AbstractContextManager[Any]:
    """An order that is sent again keeps the look-ups of the time before: nothing is re-armed."""
    sent = AbsenceWatch.sent

    def wrong(self: AbsenceWatch, client_order_id: str, *, now: float) -> None:
        if client_order_id not in self._watches:
            sent(self, client_order_id, now=now)

    return patch.multiple(AbsenceWatch, sent=wrong, forget=lambda _self, _id: None)


def not_found_is_final() -> AbstractContextManager[Any]:
    """One look-up that finds nothing proves that there is nothing."""

    def wrong(self: OrderExecutor, intent: OrderIntent, _asked_at: float) -> None:
        self._end_absent(intent)

    return patch.object(OrderExecutor, "_count_absence", wrong)


def wall_clock_judges_absence() -> AbstractContextManager[Any]:
    """The time since an order was sent is read from a clock that is set."""
    mark, count = OrderExecutor._mark_submitted, OrderExecutor._count_absence

    def wall(self: OrderExecutor) -> float:
        return self._clock.now().timestamp()

    def wrong_mark(self: OrderExecutor, intent: OrderIntent) -> float | None:
        leave_before = mark(self, intent)
        self._absence.sent(intent.client_order_id, now=wall(self))
        return leave_before

    def wrong_count(self: OrderExecutor, intent: OrderIntent, _asked_at: float) -> None:
        count(self, intent, wall(self))

    return patch.multiple(OrderExecutor, _mark_submitted=wrong_mark, _count_absence=wrong_count)


def no_request_expiry() -> AbstractContextManager[Any]:
    """Requests carry no deadline, so the venue takes them however late."""
    return patch.object(SimulatedBroker, "_expires_at", lambda _self, _request, _now: None)


def no_fence() -> AbstractContextManager[Any]:
    """A replaced thread sends on: nobody asks for the epoch, and its connection is left open."""
    mark = OrderExecutor._mark_submitted

    def any_epoch(self: OrderExecutor, intent: OrderIntent) -> float | None:
        with self._store.read() as connection:
            self._epoch = leases.epoch_of(connection, intent.account_id) or 0
        return mark(self, intent)

    return _both(
        patch.multiple(
            OrderExecutor,
            _mark_submitted=any_epoch,
            _check_lease=lambda _self: None,
            refuse_when_fenced=lambda _self, _connection: None,
        ),
        patch.object(SimulatedBroker, "close", lambda _self: None),
    )


def no_fence_and_no_expiry() -> AbstractContextManager[Any]:
    """Neither of the two."""
    return _both(no_fence(), no_request_expiry())


def no_last_look_at_the_lease() -> AbstractContextManager[Any]:
    """The epoch is asked for when the order is written down, and not again before the wire."""
    return _both(
        patch.object(OrderExecutor, "_check_lease", lambda _self: None),
        patch.object(SimulatedBroker, "close", lambda _self: None),
    )


def a_cancel_is_an_end() -> AbstractContextManager[Any]:
    """A cancel that was asked for counts as done."""
    request = OrderExecutor._request_cancel

    def wrong(self: OrderExecutor, intent: OrderIntent, venue_order_id: str) -> None:
        request(self, intent, venue_order_id)
        self._move(intent, IntentState.CANCELLED, "cancelled")

    return patch.object(OrderExecutor, "_request_cancel", wrong)


def another_order_is_written_down() -> AbstractContextManager[Any]:
    """What leaves is not what was written down."""
    place = SimulatedBroker.place_order

    def wrong(self: SimulatedBroker, request: OrderRequest) -> Any:
        return place(self, replace(request, quantity=request.quantity * 2))

    return patch.object(SimulatedBroker, "place_order", wrong)


def a_contradiction_is_no_order() -> AbstractContextManager[Any]:
    """An order that is found with another size is taken for somebody else's."""

    def wrong(self: OrderExecutor, intent: OrderIntent, _question: str) -> None:
        self._end_absent(intent)

    return patch.object(OrderExecutor, "_leave_to_a_person", wrong)


def end_before_fills() -> AbstractContextManager[Any]:
    """An order that has ended is booked as ended, though its trades are not all listed yet."""

    def wrong(self: OrderExecutor, intent: OrderIntent, order: Any) -> bool:
        fills = self._broker.get_order_fills(order.venue_order_id, since=intent.created_at)
        self._recorder.book_order(intent, order, fills)
        return bool(order.status.ended)

    return patch.object(order_executor.OrderExecutor, "_book", wrong)


@contextmanager
def _both(*contexts: AbstractContextManager[Any]) -> Iterator[None]:
    with contexts[0], contexts[1]:
        yield


ALL: tuple[Mutant, ...] = (
    resend_unknown,
    new_id_for_each_try,
    time_out_is_failure,
    crashed_while_sending_is_never_sent,
    written_down_after_sending,
    old_evidence_counts,
    not_found_is_final,
    wall_clock_judges_absence,
    no_request_expiry,
    no_fence,
    no_fence_and_no_expiry,
    no_last_look_at_the_lease,
    a_cancel_is_an_end,
    another_order_is_written_down,
    a_contradiction_is_no_order,
    end_before_fills,
)
