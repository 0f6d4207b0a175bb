"""Wrong ways to send many users' entries in one batch, and to hear of them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from bot.brokers.socket_lane import LaneOutcome
from bot.domain.errors import OrderRefused, OutcomeUnknown, RetryLater
from bot.domain.order import IntentState
from bot.execution.departures import Departures
from bot.execution.lane_passenger import Passenger
from bot.execution.order_executor import OrderExecutor
from bot.execution.order_lane import OrderLane, Seat
from bot.storage import boardings
from bot.storage.intents import intents_in
from bot.storage.schema import order_intent
from tests.simulation.broker import SimulatedBroker
from tests.simulation.mutant import Mutant


def a_batch_leaves_unmarked() -> AbstractContextManager[Any]:
    """Nobody writes down that the orders are being sent, and nobody looks whether somebody did."""
    return _both(patch.object(boardings, "submit_all", lambda *_rest, **_named: True), a_batch_is_not_looked_at_again())


def a_batch_is_not_looked_at_again() -> AbstractContextManager[Any]:
    """What was marked leaves, whatever has happened since: a rolled-back plan, a fence."""

    def blind(_self: OrderLane, passengers: Sequence[Passenger]) -> Sequence[Passenger]:
        return passengers

    return _both(patch.object(OrderLane, "_last_look", blind), _never_closed())


def a_batch_leaves_after_the_fence() -> AbstractContextManager[Any]:
    """The last look leaves out whose account it is by now."""
    marked = boardings._COMMITTED.add_columns(order_intent.c.epoch)
    return _both(patch.object(boardings, "_MAY_LEAVE", marked), _never_closed())


def a_lost_acknowledgement_is_a_refusal() -> AbstractContextManager[Any]:
    """What has no answer in time counts as refused."""
    return _heard_as(lambda why: OrderRefused(why))


def a_lost_acknowledgement_is_not_sent() -> AbstractContextManager[Any]:
    """What has no answer in time counts as not sent, and is sent by the account's own thread."""
    return _heard_as(lambda why: RetryLater(why))


def a_batch_departs_again_after_a_crash() -> AbstractContextManager[Any]:
    """What is found marked by an earlier life of the process is handed over."""
    take_seat = OrderLane.take_seat

    def wrong(self: OrderLane, seat: Seat) -> None:
        take_seat(self, seat)
        lane = seat.broker.lane()
        with self._store.read() as connection:
            marked = intents_in(connection, seat.account.label, [IntentState.SUBMITTED])
        for intent in marked:
            frame = None if lane is None or intent.signal_id is None else lane.frame(intent.request())
            if frame is not None:
                self._hand_over(lambda frame=frame: frame.send(lambda _outcome: None))  # type: ignore[misc]

    return patch.object(OrderLane, "take_seat", wrong)


def a_batch_departs_twice() -> AbstractContextManager[Any]:
    """Nobody notes that it was handed over already."""
    depart = OrderLane.depart

    def wrong(self: OrderLane, client_order_ids: Sequence[str]) -> None:
        aboard = dict(self._aboard)
        depart(self, client_order_ids)
        self._aboard.update({one: aboard[one] for one in client_order_ids if one in aboard})
        with patch.object(self._departures, "leave", lambda ids: ids):
            depart(self, client_order_ids)

    return patch.object(OrderLane, "depart", wrong)


def an_outcome_of_another_order() -> AbstractContextManager[Any]:
    """The first acknowledgement that is there is taken for this order's."""
    outcome = Departures.outcome

    def wrong(self: Departures, client_order_id: str) -> LaneOutcome | None:
        own = outcome(self, client_order_id)
        heard = [trip.outcome for trip in self._trips.values() if trip.outcome is not None and trip.outcome.ack]
        return own and (heard[0] if heard else own)

    return patch.object(Departures, "outcome", wrong)


def the_last_outcome_counts() -> AbstractContextManager[Any]:
    """A second answer replaces the first one."""
    answer = Departures.answer

    def wrong(self: Departures, client_order_id: str, outcome: LaneOutcome) -> bool:
        trip = self._trips.get(client_order_id)
        if trip is not None and trip.outcome is not None:
            trip.outcome = outcome
        return answer(self, client_order_id, outcome)

    return patch.object(Departures, "answer", wrong)


def who_waits_asks() -> AbstractContextManager[Any]:
    """The venue is asked about an order whose acknowledgement is still awaited."""
    return patch.object(OrderExecutor, "awaited_seconds", lambda _self, _intent: 0.0)


def _heard_as(error: Any) -> AbstractContextManager[Any]:
    answer = Departures.answer

    def wrong(self: Departures, client_order_id: str, outcome: LaneOutcome) -> bool:
        if isinstance(outcome.error, OutcomeUnknown):
            outcome = LaneOutcome(error=error(str(outcome.error)))
        return answer(self, client_order_id, outcome)

    return patch.object(Departures, "answer", wrong)


def _never_closed() -> AbstractContextManager[Any]:
    return patch.object(SimulatedBroker, "close", lambda _self: None)


@contextmanager
def _both(*contexts: AbstractContextManager[Any]) -> Iterator[None]:
    with contexts[0], contexts[1]:
        yield


ALL: tuple[Mutant, ...] = (
    a_batch_leaves_unmarked,
    a_batch_is_not_looked_at_again,
    a_batch_leaves_after_the_fence,
    a_lost_acknowledgement_is_a_refusal,
    a_lost_acknowledgement_is_not_sent,
    a_batch_departs_again_after_a_crash,
    a_batch_departs_twice,
    an_outcome_of_another_order,
    the_last_outcome_counts,
    who_waits_asks,
)
