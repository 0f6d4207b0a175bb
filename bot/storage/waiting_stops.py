"""Stops that rest at the venue and have sold nothing: orders without an end that are no debt and change no balance."""

from bot.domain.order import IntentState, OrderType
from bot.storage.intents import OrderIntent
from bot.storage.schema import order_intent

# What one sells is seen in the account's trades like a sale by hand, and is booked from there or by its next look.
IS_WAITING_STOP = (order_intent.c.order_type == str(OrderType.STOP)) & (
    order_intent.c.state == str(IntentState.ACKNOWLEDGED)
)


def is_waiting_stop(intent: OrderIntent) -> bool:
    """The same of one that was read."""
    return intent.order_type is OrderType.STOP and intent.state is IntentState.ACKNOWLEDGED
