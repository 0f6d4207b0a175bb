"""No position without a live exit: what the last cycles have written down of each."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.domain.account import AccountRef
from bot.domain.decision import ExitStatus
from bot.storage import positions
from bot.storage.exit_states import ExitState, exit_states_of

if TYPE_CHECKING:
    from tests.simulation.world import World


def unguarded(world: "World") -> list[str]:
    """In words. The master's cycle comes before nothing that could change what it holds; a user's before a copy."""
    return [line for account in world.accounts for line in _unguarded(world, account)]


def _unguarded(world: "World", account: AccountRef) -> Iterator[str]:
    with world.store.read() as connection:
        held = {one.symbol for one in positions.positions_of(connection, account.label)}
        states = exit_states_of(connection, account.label)
    for symbol in sorted(held - states.keys()):
        if account == world.master:
            yield f"{account.label} holds {symbol}, and nobody looks at it"
    for symbol in sorted(states.keys() & held):
        if world.exit_plan.stop_loss_percent is not None and not _has_stop(states[symbol]):
            yield f"{account.label} holds {symbol}, {states[symbol].status}, without a stop"


def _has_stop(state: ExitState) -> bool:
    """While it waits for a price or an opening no level is known."""
    if state.status is ExitStatus.WAITING and not state.rules:
        return True
    return state.status is not ExitStatus.UNGUARDED and "hard_stop" in state.rules
