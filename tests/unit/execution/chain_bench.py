"""One account that places resting orders at a small venue, with lives that may end at any failpoint."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from bot.account_desk import AccountDesk
from bot.brokers.capabilities import Capabilities
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import Holdings
from bot.domain.errors import InsufficientFunds, UnreadableReply
from bot.domain.leaving import WhenDisabled
from bot.domain.order import IntentState, OrderKind, OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus
from bot.domain.position import ExitPlan
from bot.domain.quote import Quote
from bot.execution.account_status import AccountStatus
from bot.execution.entry_gate import EntryGate
from bot.execution.fill_recorder import FillRecorder
from bot.execution.order_chains import OrderChains
from bot.execution.order_executor import OrderExecutor
from bot.execution.reconciliation import Reconciler
from bot.execution.repositioner import OrderRules
from bot.own_orders import OwnOrders
from bot.seams import failpoints
from bot.seams.ids import SeededIds
from bot.storage import accounts, intents, leases, order_chains, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from tests.memory_broker import BTC, MemoryBroker, TestClock

SYMBOL = "BTC/USD"


class Crash(BaseException):
    """The process is gone."""


class RestingVenue(MemoryBroker):
    """Has a bid and an ask. What rests there is filled when a test says so, or when the prices cross it.

    `cancel_faults` are, in turn, what becomes of the next cancels: "request lost", "reply lost", or the part of the
    order that is filled before the cancel is there. `cancel_seconds` is how long a cancel takes to have its effect.
    """

    def __init__(self, account: AccountRef, clock: TestClock) -> None:
        super().__init__(account, clock, cash="100000000")
        self.bid, self.ask = Decimal(50_000), Decimal(50_200)
        self.cancel_faults: list[str | Decimal] = []
        self.cancel_seconds = 0.0
        self.price_error = False
        self._cancels: list[tuple[float, str]] = []

    # -- the market ---------------------------------------------------------------------------------------------------
    def moves_to(self, bid: str | Decimal, ask: str | Decimal) -> None:
        self.bid, self.ask = Decimal(bid), Decimal(ask)
        for order in self.live():
            limit = self._limit(order)
            if limit is not None and self._crosses(order.side, limit):
                self.fill(order, order.quantity - order.filled_quantity)

    def fill(self, order: VenueOrder, quantity: Decimal) -> None:
        if quantity <= 0:
            return
        self.price = self.ask if order.side is Side.BUY else self.bid
        self._fill(order, quantity)
        filled = order.filled_quantity + quantity
        status = VenueOrderStatus.FILLED if filled == order.quantity else order.status
        self.orders[order.venue_order_id] = replace(order, filled_quantity=filled, status=status)

    def fill_part(self, part: Decimal) -> None:
        """Of what is still open."""
        for order in self.live():
            self.fill(order, BTC.floor_quantity((order.quantity - order.filled_quantity) * part))

    def live(self) -> list[VenueOrder]:
        return [order for order in self.orders.values() if not order.status.ended]

    def limits(self) -> list[Decimal | None]:
        """Of every order that the venue took, in turn."""
        return [self._limit(order) for order in self.orders.values()]

    def _limit(self, order: VenueOrder) -> Decimal | None:
        return next(one.limit_price for one in self.received if one.client_order_id == order.client_order_id)

    def _crosses(self, side: Side, limit: Decimal) -> bool:
        return limit >= self.ask if side is Side.BUY else limit <= self.bid

    # -- a broker's calls ---------------------------------------------------------------------------------------------
    def get_best_bid_ask_batch(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        if self.price_error:
            raise UnreadableReply("no prices")
        return {symbol: Quote(symbol, self.bid, self.ask, self.clock.now()) for symbol in symbols}

    def fetch_holdings(self) -> Holdings:
        self.held_coins = self._locked()
        return super().fetch_holdings()

    def cancel_order(self, venue_order_id: str) -> bool:
        fault = self.cancel_faults.pop(0) if self.cancel_faults else None
        if fault == "request lost":
            raise UnreadableReply("the connection broke")
        order = self.orders[venue_order_id]
        if isinstance(fault, Decimal) and not order.status.ended:
            self.fill(order, BTC.floor_quantity((order.quantity - order.filled_quantity) * fault))
        gone = self.orders[venue_order_id].status.ended
        if not gone:
            self._cancels.append((self.clock.seconds + self.cancel_seconds, venue_order_id))
            self.arrive()
        if fault == "reply lost":
            raise UnreadableReply("no answer")
        return not gone

    def arrive(self) -> None:
        """Cancels that are under way have their effect when their time has come."""
        for at, venue_order_id in self._cancels:
            order = self.orders[venue_order_id]
            if at <= self.clock.seconds and not order.status.ended:
                self.orders[venue_order_id] = replace(order, status=VenueOrderStatus.CANCELLED)

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        self.arrive()
        return super().get_order(venue_order_id)

    def _accept(self, request: OrderRequest) -> VenueOrder:
        if request.side is Side.SELL and self.coins - self._locked() < request.quantity:
            raise InsufficientFunds("not so many coins")
        self.price = self.ask if request.side is Side.BUY else self.bid
        self.stays_open = request.order_type is OrderType.LIMIT_GTC
        return super()._accept(request)

    def _fill_quantity(self, request: OrderRequest) -> Decimal:
        limit = request.limit_price
        if limit is not None and not self._crosses(request.side, limit):
            return Decimal(0)
        return super()._fill_quantity(request)

    def _locked(self) -> Decimal:
        return sum((one.quantity - one.filled_quantity for one in self.live() if one.side is Side.SELL), Decimal(0))


class ChainBench:
    """`look()` lets time pass and looks after what rests; `restart()` begins a new life over the same rows."""

    def __init__(
        self,
        store: Store,
        rules: OrderRules,
        *,
        account: AccountRef | None = None,
        gate: EntryGate | None = None,
        capabilities: Capabilities | None = None,
        leaving: WhenDisabled | None = None,
    ) -> None:
        self.store, self.rules, self.gate, self.leaving = store, rules, gate, leaving
        self.account = account or AccountRef.user(BrokerType.KRAKEN, "ann")
        self.clock, self.ids = TestClock(), SeededIds(1)
        self.venue = RestingVenue(self.account, self.clock)
        if capabilities is not None:
            self.venue.capabilities = capabilities
        now, label = self.clock.now(), self.account.label
        store.write(
            lambda connection: accounts.remember_account(connection, self.account, name=label, enabled=True, now=now)
        )
        self.restart()

    # -- lives --------------------------------------------------------------------------------------------------------
    def restart(self) -> None:
        now, label = self.clock.now(), self.account.label
        epoch = self.store.write(lambda connection: leases.take_lease(connection, label, owner="test", now=now))
        self.stop = threading.Event()
        recorder = FillRecorder(
            store=self.store,
            clock=self.clock,
            account=self.account,
            default_exit_plan=ExitPlan(),
            emit=None,
            on_booked=lambda _fills: None,
        )
        self.executor = OrderExecutor(
            broker=self.venue,
            store=self.store,
            clock=self.clock,
            recorder=recorder,
            stop=self.stop,
            confirm_seconds=0.0,
            gather_milliseconds=0,
            on_order=lambda _intent: None,
            epoch=epoch,
            entry_gate=self.gate,
        )
        self.chains = OrderChains(
            broker=self.venue,
            store=self.store,
            clock=self.clock,
            executor=self.executor,
            rules=self.rules,
            install_id="test",
            announce=lambda: None,
            leaving=self.leaving,
        )
        self.orders = OwnOrders(
            store=self.store, clock=self.clock, ids=self.ids, install_id="test", announce=lambda _broker: None
        )
        status = AccountStatus(store=self.store, clock=self.clock, account=self.account, mode="paper")
        self.desk = AccountDesk(
            broker=self.venue,
            status=status,
            recorder=recorder,
            executor=self.executor,
            reconciler=Reconciler(
                broker=self.venue,
                store=self.store,
                clock=self.clock,
                ids=self.ids,
                status=status,
                recorder=recorder,
                executor=self.executor,
                install_id="test",
            ),
            copier=None,
            candles=None,
            chains=self.chains,
        )

    @contextmanager
    def dying_at(self, name: str) -> Iterator[None]:
        """The process dies when it comes to this place, and a new one begins."""

        def die() -> None:
            raise Crash

        failpoints._plan[name] = die
        try:
            yield
        except Crash:
            failpoints.install("")
            self.restart()
        finally:
            failpoints.install("")

    # -- what is done -------------------------------------------------------------------------------------------------
    def enter(self, quantity: str = "1") -> OrderIntent:
        return self._place(Side.BUY, OrderKind.ENTRY, quantity, "")

    def exit(self, quantity: str, rule: str = "target") -> OrderIntent:
        return self._place(Side.SELL, OrderKind.EXIT, quantity, rule)

    def holds(self, quantity: str) -> None:
        """Buy so much at the market, whatever the rules say."""
        chains, self.desk = self.desk, replace(self.desk, chains=None)
        self.enter(quantity)
        self.desk = chains

    def _place(self, side: Side, kind: OrderKind, quantity: str, rule: str) -> OrderIntent:
        return self.orders.place(
            self.desk,
            symbol=SYMBOL,
            side=side,
            kind=kind,
            quantity=Decimal(quantity),
            decision="test",
            exit_plan=ExitPlan(),
            quote=Quote(SYMBOL, self.venue.bid, self.venue.ask, self.clock.now()),
            balance_before=Decimal(1000),
            reference_price=self.venue.ask,
            exit_rule=rule,
        )

    def look(self, after: float = 0.0) -> None:
        self.clock.seconds += after
        self.venue.arrive()
        self.chains.look()

    def until_quiet(self, *, most_looks: int = 400) -> None:
        """Look whenever it wants to, until nothing is left to be looked after."""
        for _ in range(most_looks):
            if self.chains.due_at is None:
                return
            self.look(max(0.0, self.chains.due_at - self.clock.monotonic()))
        raise AssertionError(f"still looking: {self.steps()[-1]}")

    # -- what is seen -------------------------------------------------------------------------------------------------
    def steps(self) -> Sequence[OrderIntent]:
        """The orders of the last chain."""
        with self.store.read() as connection:
            rows = intents.intents_in(connection, self.account.label, list(IntentState))
            names = [row.client_order_id for row in rows if row.chain_id == row.client_order_id]
            found = order_chains.steps_of(connection, names)
        return found[-1] if found else []

    def lots(self) -> Decimal:
        with self.store.read() as connection:
            position = positions.find_position(connection, self.account.label, SYMBOL)
        return Decimal(0) if position is None else position.quantity
