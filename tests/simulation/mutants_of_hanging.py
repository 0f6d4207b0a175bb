"""Wrong ways to shut a hung thread out."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from bot.execution.order_executor import OrderExecutor
from bot.storage.intents import OrderIntent
from tests.simulation.broker import SimulatedBroker
from tests.simulation.hangs import HangingWorld, Hung, Stage
from tests.simulation.mutant import Mutant
from tests.simulation.mutants_of_sending import no_fence


def no_lease_check_before_the_wire() -> AbstractContextManager[Any]:
    """The lease is looked at when an order is written down, and not again."""
    send = OrderExecutor._send_now

    def wrong(self: OrderExecutor, intent: OrderIntent, leave_before: float | None) -> None:
        with patch.object(self, "_check_lease", lambda: None):
            send(self, intent, leave_before)

    return patch.object(OrderExecutor, "_send_now", wrong)


def the_connection_is_not_revoked() -> AbstractContextManager[Any]:
    """A thread that stood right before the wire still finds it open, however late it wakes."""
    return patch.object(SimulatedBroker, "close", lambda _self: None)


def fenced_after_the_replacement() -> AbstractContextManager[Any]:
    """The new thread begins first, under the epoch in force; the old one is shut out at some later look."""
    orderly = HangingWorld.next_stage

    def wrong(self: HangingWorld, one: Hung) -> None:
        if one.stage is not Stage.FROZEN:
            orderly(self, one)
            return
        one.stage = Stage.FENCED
        self.program.open_under(one.account, one.broker.epoch)

    return patch.object(HangingWorld, "next_stage", wrong)


def nothing_stops_a_zombie() -> AbstractContextManager[Any]:
    """No epoch is compared, and its connection is left open."""
    return no_fence()


ALL: tuple[Mutant, ...] = (
    no_lease_check_before_the_wire,
    the_connection_is_not_revoked,
    fenced_after_the_replacement,
    nothing_stops_a_zombie,
)
