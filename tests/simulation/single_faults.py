"""One fault at a time, all of them: each crash point with each outcome of the network, at each brokerage."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.order import OrderRequest
from tests.simulation.broker import SimulatedBroker
from tests.simulation.dice import Dice, FaultRates
from tests.simulation.healing import heal
from tests.simulation.journal import Journal
from tests.simulation.judge import verdict
from tests.simulation.run import memory_store
from tests.simulation.semantics import Semantics
from tests.simulation.violation import Violation
from tests.simulation.world import World

SYMBOL = "BTC/USD"
SEED = 10
PHASES = ("entry", "partial", "exit")
# What becomes of the first order that a user sends in the phase. The last ones are the venue's own slowness.
OUTCOMES = (
    "",
    "lost request",
    "late request",
    "lost reply",
    "malformed reply",
    "refused",
    "rate limited",
    "order of other size",
    "slow fill",
)
# The same where entries leave in batches.
LANE_OUTCOMES = (
    "",
    "lost request",
    "late request",
    "lost reply",
    "refused",
    "order of other size",
    "slow fill",
    "socket closed before the write",
    "late answer",
    "answered twice",
    "loop hangs",
)
# The store's own names for what is tried as "before a commit" and "after a commit".
SAME_PLACES = ("crash at store_commit", "crash at store_committed")
POSSIBLE = FaultRates(**dict.fromkeys(FaultRates.__dataclass_fields__, 1.0))


@dataclass(frozen=True)
class Case:
    """`place` is where the process ends (or the thread is held up), the `occurrence`-th time it comes there."""

    phase: str
    outcome: str
    place: str
    occurrence: int


class ScriptedDice(Dice):
    """Lets happen what the case says, and nothing else. `reached` counts how often each place was come to."""

    def __init__(self, case: Case) -> None:
        super().__init__(SEED)
        self.case = case
        self.phase = ""
        self.user_sends = False
        self.reached: Counter[str] = Counter()
        self.struck = False

    def chance(self, probability: float) -> bool:
        return False

    def fault(self, kind: str, rate: float) -> bool:
        if rate <= 0 or self.phase != self.case.phase:
            return False
        if kind in OUTCOMES or kind in LANE_OUTCOMES:
            return self._outcome(kind)
        self.reached[kind] += 1
        return kind == self.case.place and self.reached[kind] == self.case.occurrence

    def _outcome(self, kind: str) -> bool:
        if kind != self.case.outcome or self.struck or not self.user_sends:
            return False
        self.struck = True
        return True


class ScriptedWorld(World):
    """Tells its dice when it is a user whose order is on its way."""

    def order_queued(self) -> None:
        dice = self.dice
        assert isinstance(dice, ScriptedDice)
        dice.user_sends = self._running is not None and not self._running.is_master

    def order_handed_over(self, broker: SimulatedBroker, request: OrderRequest) -> None:
        super().order_handed_over(broker, request)
        assert isinstance(self.dice, ScriptedDice)
        self.dice.user_sends = True


def cases(semantics: Semantics, phase: str, *, lane: bool = False) -> Iterator[Case]:
    """Every case of one phase: what it can come to is found by going through it once without any fault."""
    undisturbed = Case(phase, "", "", 0)
    dice, _ = play(undisturbed, semantics, lane=lane)
    for outcome in LANE_OUTCOMES if lane else OUTCOMES:
        yield Case(phase, outcome, "", 0)
        for place, count in sorted(dice.reached.items()):
            if place.startswith(("crash", "thread held up")) and place not in SAME_PLACES:
                for occurrence in range(1, count + 1):
                    yield Case(phase, outcome, place, occurrence)


def play(case: Case, semantics: Semantics, *, lane: bool = False) -> tuple[ScriptedDice, list[Violation]]:
    """Buy, sell a part, sell all; the case's fault strikes in its phase. `lane`: entries leave in batches."""
    dice = ScriptedDice(case)
    world = ScriptedWorld(dice, memory_store(), semantics=semantics, lane=lane)
    world.venue.rates = POSSIBLE
    with world.failpoints():
        _everyone(world)
        dice.phase = "entry"
        world.survive(lambda: world.as_master(lambda: world.people.master_enters(SYMBOL)))
        _everyone(world)
        dice.phase = "partial"
        world.survive(lambda: world.as_master(lambda: world.people.master_exits(SYMBOL, Decimal("0.4"))))
        _everyone(world)
        dice.phase = "exit"
        world.survive(lambda: world.as_master(lambda: world.people.master_exits(SYMBOL, Decimal(1))))
        _everyone(world)
        dice.phase = ""
        heal(world)
    return dice, verdict(world, Journal(world))


def _everyone(world: World) -> None:
    """What all threads do in a moment."""
    world.survive(lambda: world.cycle(world.master))
    world.survive(world.plan)
    for user in world.users:
        world.survive(lambda user=user: world.copy(user))
        world.survive(lambda user=user: world.cycle(user))
    world.clock.advance(1)
