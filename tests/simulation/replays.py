"""Reports of fills that come again, several times and out of order, as a reconnected stream sends them."""

from typing import TYPE_CHECKING

from bot.domain.account import AccountRef
from bot.domain.fill import Fill
from bot.storage import intents

if TYPE_CHECKING:
    from tests.simulation.world import World


def replay(world: "World") -> None:
    """One account hears its fills again."""
    account = world.dice.pick(world.accounts)
    world.dice.faults["fills reported again"] += 1
    if account.is_master:
        world.guarded("replay", account, lambda: _replay_history(world, account))
    else:
        world.guarded("replay", account, lambda: _replay_orders(world, account))


def _replay_history(world: "World", account: AccountRef) -> None:
    """From the beginning up to some moment: late as it is, a stream leaves nothing out."""
    seen = world.venue.visible_fills(account.label)
    known = seen[: int(world.dice.between(0, len(seen) + 1))]
    recorder = world.program.desks[account].recorder
    recorder.book_history(_confused(world, known))


def _replay_orders(world: "World", account: AccountRef) -> None:
    recorder = world.program.desks[account].recorder
    for order in world.venue.visible_orders(account.label):
        with world.store.read() as connection:
            intent = intents.find_intent(connection, order.request.client_order_id)
        fills = [one for one in world.venue.visible_fills(account.label) if one.venue_order_id == order.venue_order_id]
        complete = sum(one.quantity for one in fills) == order.filled
        if intent is not None and intent.venue_order_id == order.venue_order_id and complete:
            recorder.book_order(intent, world.venue.view(order), _confused(world, fills))


def _confused(world: "World", fills: list[Fill]) -> list[Fill]:
    again = [one for one in fills if world.dice.chance(0.3)]
    return world.dice.shuffled([*fills, *again])
