"""What a finished world left behind: the venue's journal, which is the truth, and the store, which is judged."""

from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from bot.storage.intents import OrderIntent, intent_of
from bot.storage.schema import copy_result, dust, fill, order_intent, position, signal
from tests.simulation.venue import Order, SeenFill, received

if TYPE_CHECKING:
    from tests.simulation.world import World


class Journal:
    """Read once. `own_orders` and `own_fills` leave out what people did past the bot, except on the master."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.orders = world.venue.orders
        self.fills = world.venue.fills
        self.users = {user.label: user for user in world.users}
        with world.store.read() as connection:
            signals = connection.execute(select(signal).order_by(signal.c.sequence)).all()
            self.signals = {row.signal_id: row for row in signals}
            self.copies = connection.execute(select(copy_result)).all()
            self.booked = connection.execute(select(fill)).all()
            self.positions = connection.execute(select(position)).all()
            self.dust = connection.execute(select(dust)).all()
            # What became a position again is counted there.
            self.still_dust = [row for row in self.dust if row.reopened_at is None]
            rows = connection.execute(select(order_intent).order_by(order_intent.c.sequence))
            self.intents: dict[str, OrderIntent] = {row.client_order_id: intent_of(row) for row in rows}

    def is_foreign(self, order: Order) -> bool:
        return order.request.client_order_id in self.world.foreign

    def user_orders(self) -> list[Order]:
        """The users' orders through the bot."""
        return [order for order in self.orders if order.account in self.users and not self.is_foreign(order)]

    def fills_of(self, label: str) -> list[SeenFill]:
        return [seen for seen in self.fills if seen.account == label]

    def signal_of(self, order: Order) -> str | None:
        intent = self.intents.get(order.request.client_order_id)
        return None if intent is None else intent.signal_id

    def traded_for(self, label: str, signal_id: str) -> Decimal:
        """Base units that this user's orders for this signal added (sales: negative)."""
        return sum(
            (received(seen) for seen in self.fills_of(label) if self.signal_of(seen.order) == signal_id), Decimal(0)
        )
