"""The simulated feed loop and the accounts' sockets on it: frames leave late or not at all, answers get lost."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.brokers.socket_lane import LaneOutcome
from bot.domain.errors import CredentialsRejected, OrderRefused, OutcomeUnknown, RetryLater, VenueError
from bot.domain.order import OrderAck, OrderRequest
from tests.simulation.clock import WorldClock
from tests.simulation.dice import Dice
from tests.simulation.venue import IdTaken

if TYPE_CHECKING:
    from tests.simulation.broker import SimulatedBroker

# After this a frame that was written counts as lost.
ANSWER_SECONDS = 5.0


class SimulatedLoop:
    """One thread's loop in a world without threads: what is due is done whenever time passes.

    It ends with its process. `working` is told around each piece of work.
    """

    def __init__(self, clock: WorldClock, dice: Dice, late_rate: Callable[[], float]) -> None:
        self._clock = clock
        self._dice = dice
        self._late_rate = late_rate
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._hangs_until = 0.0
        self._running = False

    def call(self, work: Callable[[], None]) -> None:
        """From any thread: soon."""
        if self._dice.fault("loop hangs", self._late_rate()):
            self._hangs_until = self._clock.seconds + self._dice.between(0, self._dice.pick([1.0, 10.0]))
        self.later(self._dice.pick([0.0, 0.0, 0.05]), work)
        self.run_due()

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        self._due.append((self._clock.seconds + seconds, work))

    def run_due(self) -> None:
        """A loop does one thing after the other."""
        if self._running:
            return
        self._running = True
        try:
            while work := self._next():
                work()
        finally:
            self._running = False

    def _next(self) -> Callable[[], None] | None:
        now = self._clock.seconds
        due = min(self._due, key=lambda one: one[0], default=None)
        if due is None or due[0] > now or now < self._hangs_until:
            return None
        self._due.remove(due)
        return due[1]


class SimulatedLane:
    """One account's way over its socket."""

    def __init__(self, broker: "SimulatedBroker", loop: SimulatedLoop) -> None:
        self.broker = broker
        self.loop = loop

    def ready(self, symbol: str) -> bool:
        return self.broker.connected and not self.broker.dice.fault("socket down", self.broker.rates.rate_limited)

    def frame(self, request: OrderRequest) -> "SimulatedFrame | None":
        """Here the last look at the lease is behind it."""
        if not self.ready(request.symbol):
            return None
        self.broker.around.order_handed_over(self.broker, request)
        return SimulatedFrame(self, request)


class SimulatedFrame:
    """One order on its way to the socket."""

    def __init__(self, lane: SimulatedLane, request: OrderRequest) -> None:
        self._lane = lane
        self._broker = lane.broker
        self._request = request
        self._expires_at: float | None = None

    def send(self, answered: Callable[[LaneOutcome], None]) -> None:
        broker = self._broker
        fault, rates = broker.dice.fault, broker.rates
        broker.around.crash_here("before a frame leaves")
        why = broker.too_late(self._request)
        if why or fault("socket closed before the write", rates.lost_request):
            self._answer(answered, RetryLater(why or "not sent: the socket is closed"))
            return
        if fault("refused", rates.refused):
            self._answer(answered, broker.dice.pick([OrderRefused("not now"), CredentialsRejected("no")]))
            return
        broker.around.order_leaves(broker, self._request, by_lane=True)
        if fault("lost request", rates.lost_request):
            self._unknown(answered, "the socket closed after the write")
        elif fault("late request", rates.late_request):
            broker.linger(self._request, broker.now)
            self._unknown(answered, "no answer in time")
        else:
            self._arrive(answered)

    def _arrive(self, answered: Callable[[LaneOutcome], None]) -> None:
        broker = self._broker
        try:
            order = broker.arrive(self._request)
        except OrderRefused as error:
            self._answer(answered, OutcomeUnknown(str(error)) if isinstance(error, IdTaken) else error)
            return
        except OutcomeUnknown as error:
            self._answer(answered, error)
            return
        broker.around.crash_here("after a frame arrived")
        if broker.dice.fault("lost reply", broker.rates.lost_reply):
            self._unknown(answered, "no acknowledgement in time")
            return
        ack = OrderAck(client_order_id=self._request.client_order_id, venue_order_id=order.venue_order_id)
        self._after(answered, LaneOutcome(ack=ack))

    def _unknown(self, answered: Callable[[LaneOutcome], None], why: str) -> None:
        """Either the socket tells at once that it is closed, or the order's deadline passes."""
        if self._broker.dice.chance(0.5):
            self._answer(answered, OutcomeUnknown(why))
        else:
            self._lane.loop.later(ANSWER_SECONDS, lambda: answered(LaneOutcome(error=OutcomeUnknown(why))))

    def _answer(self, answered: Callable[[LaneOutcome], None], error: VenueError) -> None:
        self._after(answered, LaneOutcome(error=error))

    def _after(self, answered: Callable[[LaneOutcome], None], outcome: LaneOutcome) -> None:
        """At once, soon, or at the last moment; and a second answer, if one comes, says something else."""
        dice, loop = self._broker.dice, self._lane.loop
        late = dice.fault("late answer", self._broker.rates.late_request)
        seconds = dice.between(0, ANSWER_SECONDS) if late else dice.pick([0.0, 0.05])
        loop.later(seconds, lambda: answered(outcome))
        if dice.fault("answered twice", self._broker.rates.listed_twice):
            again = LaneOutcome(error=RetryLater("a second answer"))
            loop.later(seconds + 0.01, lambda: answered(again))
