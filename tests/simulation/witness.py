"""Looks at each order in the moment in which it leaves: what is promised of that moment cannot be seen later."""

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.order import IntentState, OrderKind, OrderRequest
from bot.storage import intents, leases
from tests.simulation.broker import SimulatedBroker
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

# An order may wait for its turn, and for other threads, after its gates were asked.
WAIT_SECONDS = 15.0
OLDEST_BALANCE_SECONDS = 60.0
REPLACED = "I14 nothing is sent by a replaced thread"


class Witness:
    """`seen` are the promises broken so far."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.seen: list[Violation] = []
        self.by_lane = 0

    def handed_over(self, broker: SimulatedBroker, request: OrderRequest) -> None:
        """The feed loop is given an order: from here on it is in flight, as one that a thread gave to its broker."""
        with self._world.store.read() as connection:
            epoch = leases.epoch_of(connection, broker.account.label)
        order = f"{broker.account.label} {request.side} {request.symbol} {request.client_order_id[:8]}"
        if epoch != broker.epoch:
            self._saw(REPLACED, f"{order} was handed over under epoch {broker.epoch}, it is {epoch}")
        if request.kind is not OrderKind.ENTRY:
            self._saw("only entries leave in a batch", order)

    def asked_about(self, broker: SimulatedBroker, client_order_id: str) -> None:
        """The bot asks the venue for an order."""
        if self._world.program.departures.awaited_seconds(client_order_id) > 0:
            self._saw("who waits for an answer does not ask", f"{broker.account.label} {client_order_id[:8]}")

    def order_leaves(self, broker: SimulatedBroker, request: OrderRequest, *, by_lane: bool = False) -> None:
        account = broker.account
        self.by_lane += by_lane
        with self._world.store.read() as connection:
            intent = intents.find_intent(connection, request.client_order_id)
            epoch = leases.epoch_of(connection, account.label)
            asking = intents.needing_a_person(connection)
        order = f"{account.label} {request.side} {request.symbol} {request.client_order_id[:8]}"
        if intent is None or intent.state is not IntentState.SUBMITTED:
            self._saw("I12 written down before it is sent", f"{order} is {intent.state if intent else 'not written'}")
        elif intent.payload_sha256 != payload_sha256(request):
            self._saw("I12 written down before it is sent", f"{order} was written down as another order")
        if not by_lane and not self._world.in_flight(broker):
            if epoch != broker.epoch:
                self._saw(REPLACED, f"{order}: epoch {broker.epoch}, it is {epoch}")
            elif broker is not self._world.program.brokers[account]:
                self._saw(REPLACED, f"{order}: another thread works for the account")
        if any((one.account_id, one.symbol) == (account.label, request.symbol) for one in asking):
            self._saw("a contradiction blocks its symbol", f"{order} left while a person had to decide")
        if request.kind is OrderKind.ENTRY and not account.is_master:
            self._balance_known(broker, order)

    def touched(self, venue_order_id: str) -> None:
        """The bot asked to cancel an order."""
        if self._world.venue.find(venue_order_id).request.client_order_id in self._world.foreign:
            self._saw("I3 orders not ours are never touched", f"{venue_order_id} was to be cancelled")

    def _balance_known(self, broker: SimulatedBroker, order: str) -> None:
        reading = broker.balance_book.reading()
        age = reading.age_seconds
        if reading.holdings is None or age is None or age > OLDEST_BALANCE_SECONDS + WAIT_SECONDS:
            self._saw("I16 no entry without a balance", f"{order} left with a balance {age} s old")

    def _saw(self, rule: str, detail: str) -> None:
        self.seen.append(Violation(rule, detail))


def payload_sha256(request: OrderRequest) -> str:
    """What the bot must have written down, worked out here anew."""

    def shortest(number: Decimal | None) -> str:
        return "" if number is None else format(number.normalize(), "f")

    parts = [request.client_order_id, request.symbol, str(request.side), str(request.order_type)]
    text = "|".join([*parts, shortest(request.quantity), shortest(request.limit_price)])
    return hashlib.sha256(text.encode()).hexdigest()
