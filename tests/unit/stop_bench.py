"""One account whose positions have stops resting at a small venue, with lives that may end at any failpoint."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection

from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side, VenueOrder, VenueOrderStatus
from bot.domain.position import ExitPlan
from bot.dust_keeping import DustKeeping
from bot.execution.lots import lots_of
from bot.execution.repositioner import OrderRules
from bot.flattening import Flattening
from bot.observability.last_said import LastSaid
from bot.position_keeping import PositionKeeping
from bot.position_sizer import PositionSizer
from bot.protective_stops import ProtectiveStops
from bot.stop_levels import ProtectiveStopRules
from bot.storage import halts, intents, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from tests.memory_broker import BTC
from tests.unit.execution.chain_bench import SYMBOL, ChainBench, RestingVenue

ON = ProtectiveStopRules(enabled=True, distance_percent=Decimal(1), default_stop_percent=Decimal(2))
# Coins of the account's owner, which nobody of the bot may ever sell.
OWNED = Decimal(5)


class StopVenue(RestingVenue):
    """Stops wait until the bid is at them; with `stops_hold` they tie up what they would sell.

    `part` of a stop is filled when it triggers, and the rest when the next price comes.
    """

    stops_hold = True
    part = Decimal(1)

    def stops(self) -> list[VenueOrder]:
        return [order for order in self.live() if self._stop_price(order) is not None]

    def stop_prices(self) -> list[Decimal | None]:
        return [self._stop_price(order) for order in self.stops()]

    def moves_to(self, bid: str | Decimal, ask: str | Decimal) -> None:
        super().moves_to(bid, ask)
        for order in self.stops():
            level = self._stop_price(order)
            if order.filled_quantity > 0 or (level is not None and self.bid <= level):
                left = order.quantity - order.filled_quantity
                first = order.filled_quantity == 0
                self.fill(order, min(self.coins, BTC.floor_quantity(left * self.part) if first else left))

    def _stop_price(self, order: VenueOrder) -> Decimal | None:
        return next((one.stop_price for one in self.received if one.client_order_id == order.client_order_id), None)

    def _accept(self, request: OrderRequest) -> VenueOrder:
        order = super()._accept(request)
        if request.order_type is OrderType.STOP:
            assert request.stop_price is not None
            at_once = self.bid <= request.stop_price
            status = VenueOrderStatus.CANCELLED if at_once else VenueOrderStatus.OPEN
            order = self.orders[order.venue_order_id] = replace(order, status=status)
        return order

    def _fill_quantity(self, request: OrderRequest) -> Decimal:
        return Decimal(0) if request.order_type is OrderType.STOP else super()._fill_quantity(request)

    def _locked(self) -> Decimal:
        sales = [one for one in self.live() if one.side is Side.SELL]
        holding = [one for one in sales if self.stops_hold or self._stop_price(one) is None]
        return sum((one.quantity - one.filled_quantity for one in holding), Decimal(0))


class StopBench(ChainBench):
    """`cycle()` is one of the account's: orders are settled, what is due is sold, stops are looked after."""

    venue: StopVenue

    def __init__(self, store: Store, rules: ProtectiveStopRules = ON, *, stops_hold: bool = True) -> None:
        self.stop_rules = rules
        self.stops_hold = stops_hold
        super().__init__(store, OrderRules())
        self.venue.coins = OWNED

    def restart(self) -> None:
        if not isinstance(self.venue, StopVenue):
            self.venue = StopVenue(self.account, self.clock)
            self.venue.stops_hold = self.stops_hold
        super().restart()
        self.stops = ProtectiveStops(
            broker=self.venue,
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            stop=self.stop,
            executor=self.executor,
            rules=self.stop_rules,
            install_id="test",
            announce=lambda: None,
        )
        self.desk = replace(self.desk, stops=self.stops)
        self.keeping = PositionKeeping(
            strategies={},
            sizer=PositionSizer(),
            store=self.store,
            clock=self.clock,
            orders=self.orders,
            said=LastSaid(),
            dust=DustKeeping(store=self.store, clock=self.clock, plan=ExitPlan(), retry_minutes=60),
            default_stop_percent=self.stop_rules.default_stop_percent,
            max_positions=8,
        )

    # -- what is done -------------------------------------------------------------------------------------------------
    def buys(self, quantity: str) -> OrderIntent:
        return self.enter(quantity)

    def cycle(self, after: float = 10.0) -> None:
        self.clock.seconds += after
        self.venue.arrive()
        for intent in self.unfinished():
            if intent.state == "created":
                self.executor.abandon(intent, "never sent")
            else:
                self.executor.settle(intent)
        self.keeping.manage(self.desk)
        self.stops.look()

    def sells(self, part: str) -> OrderIntent | None:
        """Sell a part of the lots, as an exit does; None when nothing may be sold now, or there is nothing."""
        if not self.orders.may_sell(self.desk, SYMBOL, "target"):
            return None
        with self.store.read() as connection:
            position = positions.find_position(connection, self.account.label, SYMBOL)
        quantity = BTC.floor_quantity(lots_of(position, self.venue).free * Decimal(part))
        if BTC.below_minimum(quantity, self.venue.bid):
            return None
        return self._place(Side.SELL, OrderKind.EXIT, str(quantity), "target")

    def plans(self, plan: ExitPlan) -> None:
        """Give the position another plan."""

        def work(connection: Connection) -> None:
            held = positions.find_position(connection, self.account.label, SYMBOL)
            assert held is not None
            positions.save_position(connection, replace(held, exit_plan=plan))

        self.store.write(work)

    def presses_flatten(self) -> None:
        """Everything is to be sold, and goes on to be."""
        self.store.write(
            lambda connection: halts.set_halt(
                connection,
                scope=HaltScope.ALL,
                target="",
                strength=HaltStrength.FLATTEN,
                reason="news",
                set_by="anna",
                source=HaltSource.COMMAND,
                now=self.clock.now(),
            )
        )

    def flattening(self) -> Flattening:
        return Flattening(
            broker=self.venue,
            store=self.store,
            clock=self.clock,
            install_id="test",
            executor=self.executor,
            sizer=PositionSizer(),
        )

    # -- what is seen -------------------------------------------------------------------------------------------------
    def unfinished(self) -> Sequence[OrderIntent]:
        with self.store.read() as connection:
            return intents.unfinished(connection, self.account.label)

    def bought(self) -> Decimal:
        return self._traded(Side.BUY)

    def sold(self) -> Decimal:
        return self._traded(Side.SELL)

    def _traded(self, side: Side) -> Decimal:
        return sum((fill.quantity for fill in self.venue.fills if fill.side is side), Decimal(0))

    def levels(self) -> list[Decimal | None]:
        return self.venue.stop_prices()

    def resting(self) -> list[Decimal]:
        return [order.quantity - order.filled_quantity for order in self.venue.stops()]
