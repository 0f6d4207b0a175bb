"""Users in memory whose entries leave in batches, over sockets and a loop that are stepped by hand."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import event, select

from bot.brokers.capabilities import PrivateStream
from bot.brokers.socket_lane import LaneOutcome
from bot.domain.account import AccountRef
from bot.domain.errors import RetryLater, VenueError
from bot.domain.order import OrderRequest, VenueOrder
from bot.execution.instance_guard import InstanceGuard, NoOtherInstance
from bot.execution.lane_passenger import Feed
from bot.execution.order_lane import OrderLane, Seat
from bot.storage import intents, leases
from bot.storage.intents import OrderIntent
from bot.storage.schema import order_intent
from bot.storage.store import Store
from tests.memory_broker import MemoryBroker
from tests.unit.copy_bench import KRAKEN, Bench

Answered = Callable[[LaneOutcome], None]


class MemoryLane:
    """One account's socket. `silent`: the venue takes the order and nobody hears of it, until `answer` is called."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.up = True
        self.fails: Exception | None = None
        self.silent = False
        self.shown = True
        # Whether the stream is ahead of the acknowledgement.
        self.shown_early = False
        self.written: list[OrderRequest] = []
        self.waiting: list[tuple[Answered, LaneOutcome]] = []

    def ready(self, symbol: str) -> bool:
        return self.up

    def frame(self, request: OrderRequest) -> "MemoryFrame | None":
        if self.fails is not None:
            raise self.fails
        return MemoryFrame(self, request) if self.up else None

    def answer(self) -> None:
        """What was kept back is heard now."""
        for answered, outcome in self.waiting:
            answered(outcome)
        self.waiting.clear()

    def streamed_order(self, venue_order_id: str) -> VenueOrder | None:
        return self.broker.orders.get(venue_order_id) if self.shown else None

    def streamed_order_of(self, client_order_id: str) -> VenueOrder | None:
        found = [one for one in self.broker.orders.values() if one.client_order_id == client_order_id]
        return found[0] if found and self.shown and self.shown_early else None


class MemoryFrame:
    """Looks at its time, as the real one does, and hands the order to the broker in memory."""

    def __init__(self, lane: MemoryLane, request: OrderRequest) -> None:
        self._lane = lane
        self._request = request

    def send(self, answered: Answered) -> None:
        lane, request = self._lane, self._request
        if request.leave_before is not None and lane.broker.clock.monotonic() > request.leave_before:
            answered(LaneOutcome(error=RetryLater("too late")))
            return
        lane.written.append(request)
        try:
            outcome = LaneOutcome(ack=lane.broker.place_order(request))
        except VenueError as error:
            outcome = LaneOutcome(error=error)
        if lane.silent:
            lane.waiting.append((answered, outcome))
        else:
            answered(outcome)


class MemoryFeed:
    """A venue's loop (`bot.execution.lane_passenger.Feed`)."""

    def __init__(
        self, call: Callable[[Callable[[], None]], None], after: Callable[[float, Callable[[], None]], None]
    ) -> None:
        self.call = call
        self.after = after


class LaneBench(Bench):
    """`calls` are what was handed to the loop; with `prompt` they are done at once. `depart()` steps the engine."""

    def __init__(self, store: Store, users: dict[str, str], *, instance: InstanceGuard | None = None) -> None:
        super().__init__(store, users)
        self.calls: list[Callable[[], None]] = []
        self.prompt = True
        self.handing_over_fails: Exception | None = None
        self.later: Callable[[float, Callable[[], None]], None] | None = None
        self.feed: Feed | None = None
        self.sockets = {account: MemoryLane(broker) for account, broker in self.brokers.items()}
        for account, broker in self.brokers.items():
            broker.capabilities = replace(broker.capabilities, private_stream=PrivateStream.ACCOUNT)
            broker.lane = lambda account=account: self.sockets[account]  # type: ignore[method-assign,misc]
            broker.streamed_order = self.sockets[account].streamed_order  # type: ignore[method-assign]
            broker.streamed_order_of = self.sockets[account].streamed_order_of  # type: ignore[method-assign]
        self.instance = instance or NoOtherInstance()
        self.lane = self.make_lane()
        self.engine = self.make_engine(self.lane)

    def with_timers(self) -> list[tuple[float, Callable[[], None]]]:
        """From here on acknowledgements wait for the stream; returns what the loop would do later."""
        timers: list[tuple[float, Callable[[], None]]] = []
        self.later = lambda seconds, work: timers.append((seconds, work))
        self.lane = self.make_lane()
        self.engine = self.make_engine(self.lane)
        return timers

    def where_orders_are_requests(self) -> list[tuple[float, Callable[[], None]]]:
        """From here on no stream shows orders, and they leave on the loop of their venue; returns what it does later.

        That of the lane itself does nothing.
        """
        timers, wrong = self.with_timers(), list[Callable[[], None]]()
        self.feed = MemoryFeed(self._hand_over, lambda seconds, work: timers.append((seconds, work)))
        for account, broker in self.brokers.items():
            broker.capabilities = replace(broker.capabilities, private_stream=PrivateStream.NONE)
            self.sockets[account].shown = False
            if not account.is_master:
                self.lane.take_seat(self.seat(account))
        self.lane._hand_over = wrong.append
        return timers

    def make_lane(self, *, restored_at: datetime | None = None) -> OrderLane:
        """Of a new process, with everybody in their seats."""
        lane = OrderLane(
            store=self.store,
            clock=self.clock,
            gate=self.gate,
            instance=self.instance,
            departures=self.departures,
            hand_over=self._hand_over,
            wake=self.woken.append,
            stop=self.stop,
            later=self.later,
            restored_at=restored_at,
        )
        for follower in self.followers:
            lane.take_seat(self.seat(follower.account))
        return lane

    def seat(self, account: AccountRef) -> Seat:
        assert account.user_id is not None
        return Seat(
            account=account,
            epoch=self.epoch(account),
            broker=self.brokers[account],
            fit=self.copier(account.user_id).may_board,
            feed=self.feed,
        )

    def epoch(self, account: AccountRef) -> int:
        with self.store.read() as connection:
            return leases.epoch_of(connection, account.label) or 0

    def fence(self, name: str) -> None:
        """Somebody opens the account anew."""
        account = AccountRef.user(KRAKEN, name)
        self.store.write(
            lambda connection: leases.take_lease(connection, account.label, owner="another", now=self.clock.now())
        )

    def socket(self, name: str) -> MemoryLane:
        return self.sockets[AccountRef.user(KRAKEN, name)]

    def written(self) -> list[str]:
        """Whose orders were written to sockets, in that order of users."""
        return [str(account.user_id) for account, lane in self.sockets.items() for _ in lane.written]

    def run_loop(self) -> None:
        """What was handed over is done."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()

    def entry(self, name: str, number: int = 0) -> OrderIntent:
        """The user's order for the signal with this number, as it is stored."""
        label = AccountRef.user(KRAKEN, name).label
        with self.store.read() as connection:
            query = select(order_intent).where(order_intent.c.account_id == label).order_by(order_intent.c.sequence)
            return intents.intent_of(connection.execute(query).all()[number])

    def _hand_over(self, work: Callable[[], None]) -> None:
        if self.handing_over_fails is not None:
            raise self.handing_over_fails
        self.calls.append(work)
        if self.prompt:
            self.run_loop()


class WriteCount:
    """How many transactions the store's writer has committed since this was made."""

    def __init__(self, store: Store) -> None:
        self.commits = 0
        event.listen(store._writer, "commit", self._count)

    def _count(self, _connection: object) -> None:
        self.commits += 1


def states(bench: LaneBench, names: Sequence[str]) -> list[str]:
    return [str(bench.entry(name).state) for name in names]
