"""What people do meanwhile: the master's strategy and owner, the users themselves, and who is asked to decide."""

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.account import AccountRef
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side
from bot.execution.lots import lots_of
from bot.seams.ids import order_tag
from bot.storage import intents, positions
from tests.simulation.program import INSTALL_ID
from tests.simulation.venue import INSTRUMENTS

if TYPE_CHECKING:
    from tests.simulation.world import World


class People:
    """Each method is one deed."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice, self._venue = world.dice, world.venue
        self._hand_orders = 0

    # -- the master's strategy, through the bot ---------------------------------------------------------------------
    def master_enters(self, symbol: str) -> None:
        holdings = self._world.program.balance_of(self._world.master).holdings
        if holdings is None:
            return
        cash = holdings.of("USD")
        notional = cash.available * self._share(0.02, 0.3)
        quantity = INSTRUMENTS[symbol].floor_quantity(notional / self._venue.prices[symbol])
        self._master_order(symbol, Side.BUY, quantity, cash.total)

    def master_exits(self, symbol: str, share: Decimal) -> None:
        with self._world.store.read() as connection:
            position = positions.find_position(connection, self._world.master.label, symbol)
        if position is not None:
            lots = lots_of(position, self._world.program.brokers[self._world.master])
            quantity = INSTRUMENTS[symbol].floor_quantity(min(lots.free, position.quantity * share))
            self._master_order(symbol, Side.SELL, quantity, None)

    def master_crumbles(self, symbol: str) -> None:
        """Sells in crumbs, each too small for most users."""
        for _ in range(self._dice.pick([2, 3, 5])):
            self.master_exits(symbol, self._share(0.01, 0.06))

    def _master_order(self, symbol: str, side: Side, quantity: Decimal, balance_before: Decimal | None) -> None:
        strategy, desk = self._world.program.strategy, self._world.program.desks[self._world.master]
        too_small = INSTRUMENTS[symbol].below_minimum(quantity, self._venue.prices[symbol])
        if too_small or strategy.orders.busy(desk, symbol):
            return
        strategy.orders.place(
            desk,
            symbol=symbol,
            side=side,
            kind=OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT,
            quantity=quantity,
            decision="simulated",
            exit_plan=self._world.exit_plan,
            balance_before=balance_before,
        )

    # -- by hand, past the bot --------------------------------------------------------------------------------------
    def master_by_hand(self) -> None:
        """The master's owner buys something, or sells all that can be sold."""
        symbol = self._dice.pick(list(INSTRUMENTS))
        side = self._dice.pick([Side.BUY, Side.SELL])
        held = self._venue.available(self._world.master.label, symbol)
        bought = Decimal(300) / self._venue.prices[symbol]
        self._by_hand(self._world.master, symbol, side, held if side is Side.SELL else bought)

    def user_by_hand(self) -> None:
        """A user buys for itself, or sells of its own coins."""
        user, symbol = self._dice.pick(self._world.users), self._dice.pick(list(INSTRUMENTS))
        side = self._dice.pick([Side.BUY, Side.SELL])
        own = min(self._world.own_coins(user, symbol), self._venue.available(user.label, symbol))
        bought = Decimal(20) / self._venue.prices[symbol]
        self._by_hand(user, symbol, side, own * self._share(0.1, 0.9) if side is Side.SELL else bought)

    def _by_hand(self, account: AccountRef, symbol: str, side: Side, quantity: Decimal) -> None:
        quantity = INSTRUMENTS[symbol].floor_quantity(quantity)
        if quantity <= 0:
            return
        self._hand_orders += 1
        self._dice.faults["trade by hand"] += 1
        self._order(account, f"hand{self._hand_orders}", symbol, side, quantity)

    def stray_order(self) -> None:
        """An order with our mark that the store does not know, as after an older copy of it was put back."""
        user, symbol = self._dice.pick(self._world.users), self._dice.pick(list(INSTRUMENTS))
        self._hand_orders += 1
        self._dice.faults["order the store does not know"] += 1
        client_order_id = order_tag(INSTALL_ID) + f"{self._hand_orders:028x}"
        quantity = INSTRUMENTS[symbol].floor_quantity(Decimal(15) / self._venue.prices[symbol])
        self._order(user, client_order_id, symbol, Side.BUY, quantity, rests=self._dice.chance(0.5))

    def _order(
        self, account: AccountRef, client_order_id: str, symbol: str, side: Side, quantity: Decimal, rests: bool = False
    ) -> None:
        request = OrderRequest(
            client_order_id=client_order_id,
            symbol=symbol,
            side=side,
            kind=OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT,
            order_type=OrderType.LIMIT_GTC if rests else OrderType.MARKET,
            quantity=quantity,
            limit_price=Decimal(1) if rests else None,
        )
        self._world.foreign.add(client_order_id)
        self._venue.accept(account.label, request, sent_at=self._world.clock.seconds)

    # -- deciding ---------------------------------------------------------------------------------------------------
    def person_decides(self) -> None:
        """Somebody looks at the venue and says what became of the orders whose evidence contradicts itself."""
        with self._world.store.read() as connection:
            waiting = intents.needing_a_person(connection)
        for intent in waiting:
            found = [one for one in self._venue.orders if one.request.client_order_id == intent.client_order_id]
            resolution = f"accepted:{found[0].venue_order_id}" if found else "absent"
            self._world.store.write(
                lambda connection, intent=intent, resolution=resolution: intents.change(
                    connection,
                    intent.client_order_id,
                    resolution=resolution,
                    resolved_by="somebody",
                    resolved_at=self._world.clock.now(),
                )
            )

    def _share(self, low: float, high: float) -> Decimal:
        return Decimal(str(round(self._dice.between(low, high), 3)))
