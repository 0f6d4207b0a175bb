"""After the faults: no more of them, and everybody works until nothing is left to do."""

from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from bot.domain.order import IntentState
from bot.storage import copies, intents, positions, signals
from bot.storage.schema import fill
from tests.simulation.guarded_positions import unguarded
from tests.simulation.semantics import LONGEST_DELAY_SECONDS
from tests.simulation.venue import INSTRUMENTS

if TYPE_CHECKING:
    from tests.simulation.world import World

ROUNDS = 80
# A look-up counts ten seconds after the last one.
STEP_SECONDS = (2.0, 4.0, 4.0, 6.0, 11.0)


def heal(world: "World") -> None:
    """First all that is open comes to its end; then the master goes flat, and the users after it."""
    world.clock.set_wall(0)
    started = world.clock.seconds
    _work_until_quiet(world, flatten=False)
    world.heal_seconds = world.clock.seconds - started
    world.unfinished_after_healing = unfinished(world)
    world.unguarded_after_healing = unguarded(world)
    _work_until_quiet(world, flatten=True)
    # Whatever still lingers in the network arrives now, or never.
    world.clock.advance(LONGEST_DELAY_SECONDS + 1)


def _work_until_quiet(world: "World", *, flatten: bool) -> None:
    for number in range(ROUNDS):
        if number:
            world.clock.advance(STEP_SECONDS[min(number, len(STEP_SECONDS)) - 1])
        _round(world, flatten=flatten)
        if not unfinished(world) and not (flatten and still_held(world)):
            return


def _round(world: "World", *, flatten: bool) -> None:
    world.guarded("person", None, world.people.person_decides)
    world.cycle(world.master)
    if flatten:
        for symbol in INSTRUMENTS:
            world.guarded("trade", world.master, lambda symbol=symbol: world.people.master_exits(symbol, Decimal(1)))
    world.plan()
    for user in world.users:
        world.cycle(user)
        world.copy(user)


def unfinished(world: "World") -> list[str]:
    """What has no end yet, in words."""
    with world.store.read() as connection:
        waiting = [f"signal {one.signal_id} has no plan" for one in signals.unplanned(connection, world.broker_type)]
        rows = [
            f"{row.kind} {row.signal_id} of {user.label} has no answer"
            for user in world.users
            for row in copies.planned_copies(connection, user.label)
        ]
        orders = [
            f"order {intent.client_order_id} of {account.label} is {intent.state}"
            for account in world.accounts
            for intent in intents.unfinished(connection, account.label)
            if not (intent.state is IntentState.CREATED and intent.signal_id is None)
        ]
    labels = {user.label for user in world.users}
    working = [
        f"the venue works on {one.venue_order_id}"
        for one in world.venue.orders
        if not one.status.ended and not (one.account in labels and one.request.client_order_id in world.foreign)
    ]
    return [*waiting, *rows, *orders, *working, *_unbooked(world)]


def _unbooked(world: "World") -> list[str]:
    """Trades of the master that its books do not have yet: they are still to be copied."""
    with world.store.read() as connection:
        query = select(fill.c.trade_id).where(fill.c.account_id == world.master.label)
        booked = set(connection.execute(query).scalars())
    seen = (one.fill.trade_id for one in world.venue.fills if one.account == world.master.label)
    return [f"trade {trade_id} of the master is not booked" for trade_id in seen if trade_id not in booked]


def still_held(world: "World") -> list[str]:
    """What the master could still sell."""
    with world.store.read() as connection:
        held = positions.positions_of(connection, world.master.label)
    return [
        f"the master holds {one.symbol}"
        for one in held
        if INSTRUMENTS[one.symbol].below_minimum(
            min(one.quantity, world.venue.coins[world.master.label, one.symbol]), world.venue.prices[one.symbol]
        )
        is None
    ]
