"""Worlds in which an account's thread hangs: it is shut out, replaced, and wakes at some later moment.

It wakes where it stood, with the objects it had, and goes on as if nothing had been. In between its account was opened
anew by others. The supervisor's steps are taken one by one, and the thread may wake between any two of them.

When an order still counts as in flight: its thread had handed it to the broker (the last look at the lease was behind
it) before the fence was committed, and the broker's connection is not revoked yet. No other order may leave from a
thread that was shut out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from bot.domain.account import AccountRef
from bot.domain.order import OrderRequest
from tests.simulation.broker import SimulatedBroker
from tests.simulation.dice import Crash
from tests.simulation.strand import Strand
from tests.simulation.world import World

HANG = "thread hung"
WOKE = "zombie woke"
# Where an order stands that the executor has handed to the broker.
BEFORE_THE_WIRE = "before an order leaves"
# An order passes these once, while it asks a dozen times: here a hang comes so many times as often.
SENDING = ("at intent_committed", "at submitted_committed", BEFORE_THE_WIRE, "after an order arrived")
ANSWERED = ("at ack_received", "at ack_committed", "at fills_booked", "at answer_committed", "at exit_planned")
ONCE_PER_ORDER = frozenset({*SENDING, *ANSWERED})
ONCE_FACTOR = 6
RATES = (0.01, 0.03, 0.08)
# Chances at each step of the world.
WAKES = 0.08
SUPERVISED = 0.5


class Stage(Enum):
    """How far the supervisor is with a thread that hangs. The values are for people."""

    FROZEN = "before anybody had noticed"
    FENCED = "after the fence"
    REVOKED = "after its connection was revoked"
    REPLACED = "after it was replaced"


@dataclass(eq=False)
class Hung:
    """A thread that stands still. `broker` is the connection its account had when it began."""

    strand: Strand
    broker: SimulatedBroker
    stage: Stage = Stage.FROZEN
    sending_at_the_fence: bool = False

    @property
    def account(self) -> AccountRef:
        return self.strand.account

    @property
    def over(self) -> bool:
        """One that goes on before anybody has noticed did not hang; one that was shut out is replaced in any case."""
        return self.strand.done and self.stage in (Stage.FROZEN, Stage.REPLACED)


class HangingWorld(World):
    """Every step of an account's work is a strand, which may hang at each of its named steps, calls and commits."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._strand: Strand | None = None
        self._hung: list[Hung] = []
        self._waking: Hung | None = None
        super().__init__(*arguments, **named)
        self._hang_rate = self.dice.pick(RATES)

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._kill_all()

    def boot(self) -> None:
        """All threads end with their process."""
        self._kill_all()
        super().boot()

    def hold_up(self, where: str) -> None:
        """Threads hang instead; to be replaced at once, on the same stack, is the other worlds' matter."""

    def _heal(self) -> None:
        self._hang_rate = 0.0
        while any(one.stage is not Stage.REPLACED for one in self._hung):
            self.survive(self._supervise)
        super()._heal()
        # The last ones wake when everything has long been settled without them.
        for one in self._hung:
            while not one.strand.done:
                self._wake(one)
        self.clock.advance(1)

    # -- an account's work ------------------------------------------------------------------------------------------
    def guarded(self, what: str, account: AccountRef | None, work: Callable[[], object]) -> None:
        if self._strand is not None or account is None:
            if account not in self._frozen():
                super().guarded(what, account, work)
            return
        self._supervise()
        if account not in self._frozen():
            strand = Strand(account, partial(super().guarded, what, account, work))
            one = Hung(strand, self.program.brokers[account])
            self._give_turn(strand, strand.go_on)
            if not strand.done:
                self._hung.append(one)

    def _frozen(self) -> set[AccountRef | None]:
        """Accounts whose only thread stands still."""
        return {one.account for one in self._hung if one.stage is not Stage.REPLACED}

    def _give_turn(self, strand: Strand, turn: Callable[[], None]) -> None:
        self._strand, self._running = strand, strand.account
        try:
            turn()
        finally:
            self._strand, self._running, self._depth = None, None, 0

    # -- hanging ----------------------------------------------------------------------------------------------------
    def crash_here(self, where: str) -> None:
        """Wherever the process may end its thread may also hang; what is nested stands on another's stack."""
        strand = self._strand
        if strand is not None and strand.killed:
            raise Crash
        super().crash_here(where)
        if strand is None or self._depth or self.store.writing:
            return
        often = ONCE_FACTOR if where in ONCE_PER_ORDER else 1
        if self.dice.fault(f"{HANG} {where}", self._hang_rate * often):
            strand.stand_still(where)

    # -- supervision ------------------------------------------------------------------------------------------------
    def _supervise(self) -> None:
        """One look at everything that hangs."""
        for one in list(self._hung):
            if not one.strand.done and self.dice.chance(WAKES):
                self._wake(one)
            elif one.stage is not Stage.REPLACED and self.dice.chance(SUPERVISED):
                self.next_stage(one)
            if one.over:
                self._hung.remove(one)

    def next_stage(self, one: Hung) -> None:
        """The supervisor's steps, in the order in which it takes them."""
        program, account = self.program, one.account
        if one.stage is Stage.FROZEN:
            self.clock.advance(self.dice.between(*self.dice.pick([(0.1, 3.0), (5.0, 25.0)])))
            one.stage, one.sending_at_the_fence = Stage.FENCED, one.strand.place == BEFORE_THE_WIRE
            program.take_lease(account)
        elif one.stage is Stage.FENCED:
            one.stage = Stage.REVOKED
            one.broker.close()
        else:
            one.stage = Stage.REPLACED
            program.open_desk(account)

    def in_flight(self, broker: SimulatedBroker) -> bool:
        one = self._waking
        return one is not None and one.stage is Stage.FENCED and one.sending_at_the_fence

    def order_leaves(self, broker: SimulatedBroker, request: OrderRequest, *, by_lane: bool = False) -> None:
        super().order_leaves(broker, request, by_lane=by_lane)
        if self._waking is not None and not by_lane:
            # Whatever it sends after this one was not on its way.
            self._waking.sending_at_the_fence = False

    def _wake(self, one: Hung) -> None:
        self.dice.faults[f"{WOKE} {one.stage.value}"] += 1
        self._waking = one
        try:
            self._give_turn(one.strand, one.strand.go_on)
        finally:
            self._waking = None

    def _kill_all(self) -> None:
        for one in self._hung:
            self._give_turn(one.strand, one.strand.kill)
        self._hung.clear()
