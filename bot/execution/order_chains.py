"""Carries out what becomes of resting orders, in the account's own thread: cancel, confirm, and place what is left.

The rows are all there is: after a crash at any point the same rows lead to the same next step. An order of a chain is
placed only when the venue has stated the end of every one before it, so that one is live at a time, and it is of what
these have not filled, so that they never trade more than was ordered.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection

from bot.brokers.base import BaseBroker
from bot.domain.errors import Fenced, NijaError, StoreUnavailable, UnreadableReply
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.order import LIVE_STATES, UNRESOLVED_STATES, IntentState, OrderType
from bot.domain.quote import Quote
from bot.execution.chain_objections import ChainObjections
from bot.execution.chain_prices import ChainPrices
from bot.execution.chain_steps import Steps, chain_of, enters, filled_of, next_step, worth_of
from bot.execution.lots import lots_of
from bot.execution.order_executor import OrderExecutor, has_ended
from bot.execution.repositioner import Cancel, Escalate, GiveUp, Keep, OrderRules, Reprice, Verdict, judge
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage import order_chains, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)

# Halts and stops are seen this soon; it costs one reading of the store.
LOOK_SECONDS = 2.0
# The venue is asked about one live order of an account at most this often, and for the prices beside them all.
ASK_SECONDS = 5.0
CONFIRM_LOOK_SECONDS = 1.0
# After so many looks what is free is sold, however much stays tied up.
MOST_LOCKED_LOOKS = 5
# An exit that was not taken is tried again, later each time.
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


@dataclass
class _Notes:
    """What this process remembers of one chain; a restarted one needs none of it. Moments are monotonic seconds."""

    asked_at: float = float("-inf")
    not_before: float = float("-inf")
    refusals: int = 0
    locked_looks: int = 0
    hurried: bool = False


class OrderChains:
    """Of one account. `due_at` is when it wants to look again (monotonic seconds), None while nothing rests."""

    def __init__(
        self,
        *,
        broker: BaseBroker,
        store: Store,
        clock: Clock,
        executor: OrderExecutor,
        rules: OrderRules,
        install_id: str,
        announce: Callable[[], None],
        leaving: WhenDisabled | None = None,
    ) -> None:
        """`announce` tells of a master's trades. What rests at the venue since an earlier life is looked at first."""
        self.rules = rules
        self._broker = broker
        self._label = broker.account.label
        self._store = store
        self._clock = clock
        self._executor = executor
        self._install_id = install_id
        self._announce = announce
        self._notes: dict[str, _Notes] = {}
        self._prices = ChainPrices(broker, clock)
        self._objections = ChainObjections(broker=broker, store=store, executor=executor, leaving=leaving)
        self._ask_seconds = ASK_SECONDS
        self.due_at: float | None = clock.monotonic()

    # -- what others ask ----------------------------------------------------------------------------------------------
    def open_in(self, symbol: str) -> Sequence[Steps]:
        """The open chains of a market, each with its orders in turn."""
        return [steps for steps in self._open() if steps[0].symbol == symbol]

    def begun(self, intent: OrderIntent) -> None:
        """The first order of a chain was placed and stands like this."""
        assert intent.chain_id is not None
        if intent.filled_quantity >= intent.quantity and has_ended(intent):
            self._end(intent.chain_id, "all of it is traded")
        else:
            self._look_within(CONFIRM_LOOK_SECONDS if has_ended(intent) else LOOK_SECONDS)

    def hurry(self, symbol: str, why: str) -> None:
        """An exit of this market must not rest any more: it goes at the market as soon as its order is cancelled."""
        for steps in self.open_in(symbol):
            notes = self._notes_of(steps)
            if not enters(steps) and not notes.hurried and steps[-1].order_type is OrderType.LIMIT_GTC:
                log.warning("%s: the exit of %s rests no longer: %s", self._label, symbol, why)
                notes.hurried = True
                self._guarded(steps)

    def clear_entries(self, symbol: str, why: str) -> bool:
        """Give up what still enters this market; True when nothing of it can be filled any more."""
        entering = [steps for steps in self.open_in(symbol) if enters(steps)]
        for steps in entering:
            self._give_up(steps, why)
        return all(has_ended(self._executor.reload(step)) for steps in entering for step in steps)

    # -- the look -----------------------------------------------------------------------------------------------------
    def look(self) -> None:
        """Bring every open chain further, and say in `due_at` when to look again."""
        self.due_at = self._clock.monotonic() + ASK_SECONDS
        if self._executor.stopping:
            return
        chains = self._open()
        self._ask_seconds = ASK_SECONDS * max(1, len(chains))
        resting = {steps[0].symbol for steps in chains if enters(steps) and steps[-1].state in LIVE_STATES}
        self._prices.read(resting, max_age_seconds=ASK_SECONDS)
        waits = [wait for steps in chains if not self._executor.stopping and (wait := self._guarded(steps)) is not None]
        self._forget_all_but({str(steps[0].chain_id) for steps in chains})
        self.due_at = None
        if waits:
            self._look_within(min(waits))
        if chains:
            self._announce()

    def at_stop(self) -> None:
        """The process ends: resting entries are cancelled where that is wanted, and what cannot be, at the next start.

        Raises nothing that the venue does.
        """
        for steps in self._open() if self.rules.cancel_at_stop else ():
            if enters(steps) and steps[-1].state in LIVE_STATES:
                self._give_up(steps, "the bot stops")

    def _guarded(self, steps: Steps) -> float | None:
        """One chain's trouble does not keep the others from being looked after."""
        try:
            return self._bring_on(steps)
        except (Fenced, StoreUnavailable):
            raise
        except NijaError as error:
            log.info("%s: the orders of %s wait: %s", self._label, steps[0].symbol, error)
        except Exception:
            log.exception("%s: the orders of %s could not be looked after", self._label, steps[0].symbol)
        return ASK_SECONDS

    def _bring_on(self, steps: Steps) -> float | None:
        """Returns in how many seconds to look at it again, None when nothing is left to do."""
        steps = [self._as_it_stands(step, last=step is steps[-1]) for step in steps]
        last = steps[-1]
        if any(step.state in UNRESOLVED_STATES for step in steps):
            return ASK_SECONDS
        if any(not has_ended(step) for step in steps[:-1]):
            # One that was thought to have ended lives: nothing is placed beside it.
            self._cancel_all(steps[:-1])
            return CONFIRM_LOOK_SECONDS
        if last.chain_end is not None:
            self._cancel_all([last])
            return None if has_ended(self._executor.reload(last)) else CONFIRM_LOOK_SECONDS
        if has_ended(last):
            return self._after(steps)
        return self._while_live(steps)

    def _as_it_stands(self, step: OrderIntent, *, last: bool) -> OrderIntent:
        """The venue's word on an order without an end, if it is time to ask."""
        if has_ended(step):
            return step
        if step.state is IntentState.CREATED:
            self._executor.abandon(step, step.reason or "never sent")
            return self._executor.reload(step)
        notes, now = self._notes_of([step]), self._clock.monotonic()
        if last and step.state in LIVE_STATES and not self._has_news(step, since=now - notes.asked_at):
            return step
        notes.asked_at = now
        return self._executor.settle(step)

    def _has_news(self, live: OrderIntent, *, since: float) -> bool:
        """Whether to ask how it stands: a live stream says it, else it is time to ask (`since`: seconds ago)."""
        shown = None if live.venue_order_id is None else self._broker.streamed_order(live.venue_order_id)
        if shown is not None:
            return shown.status.ended or shown.filled_quantity != live.filled_quantity
        return since >= self._ask_seconds

    # -- a live order -------------------------------------------------------------------------------------------------
    def _while_live(self, steps: Steps) -> float | None:
        last = steps[-1]
        # A live exit goes by its time alone; an entry needs the spread.
        quote = self._prices.of(last.symbol, max_age_seconds=ASK_SECONDS) if enters(steps) else None
        against = self._objections.to_going_on(steps) or self._objections.to_its_size(steps)
        verdict = against or self._judge(steps, quote)
        if isinstance(verdict, Keep):
            left = (verdict.until - self._clock.now()).total_seconds()
            return min(LOOK_SECONDS, max(0.1, left))
        if isinstance(verdict, GiveUp):
            self._give_up(steps, verdict.why)
        else:
            assert isinstance(verdict, Cancel)
            log.info("%s: %s %s is cancelled: %s", self._label, last.side, last.symbol, verdict.why)
            self._cancel(last)
        steps = [*steps[:-1], self._executor.reload(last)]
        if not has_ended(steps[-1]):
            return CONFIRM_LOOK_SECONDS
        return None if isinstance(verdict, GiveUp) else self._after(steps)

    def _give_up(self, steps: Steps, why: str) -> None:
        """Written down first: who dies before the cancel is through cancels again, and places nothing."""
        first = steps[0]
        log.info("%s: %s %s goes no further: %s", self._label, first.side, first.symbol, why)
        self._end(str(first.chain_id), why)
        self._cancel_all(steps)

    def _cancel_all(self, steps: Steps) -> None:
        for step in steps:
            if step.state in LIVE_STATES:
                self._cancel(step)

    def _cancel(self, step: OrderIntent) -> None:
        """Ask for the end, or how a cancel stands that was asked for a moment ago."""
        asked = step.cancel_requested_at
        if asked is not None and (self._clock.now() - asked).total_seconds() < ASK_SECONDS:
            self._executor.settle(step)
        else:
            self._executor.cancel(step)

    # -- after an order -----------------------------------------------------------------------------------------------
    def _after(self, steps: Steps) -> float | None:
        """The venue has stated the end of every order: what is not filled is placed anew, or the chain ends."""
        failpoint("chain_confirmed")
        first, notes = steps[0], self._notes_of(steps)
        if filled_of(steps) >= first.quantity:
            self._end(str(first.chain_id), "all of it is traded")
            return None
        pause = notes.not_before - self._clock.monotonic()
        if pause > 0:
            return pause
        against = self._objections.to_going_on(steps)
        if against is None and self._objections.to_placing(steps) and self._may_wait(steps[-1]):
            return LOOK_SECONDS
        quote = None if notes.hurried else self._prices.of(first.symbol)
        verdict = against or self._judge(steps, quote)
        if isinstance(verdict, GiveUp):
            self._give_up(steps, verdict.why)
            return None
        assert isinstance(verdict, Reprice | Escalate)
        return self._place_rest(steps, verdict)

    def _may_wait(self, ended: OrderIntent) -> bool:
        """For as long as an order rests; then the veto ends the chain, and is written down."""
        since = ended.cancel_requested_at or ended.created_at
        return self._clock.now() < since + self.rules.ttl(ended.kind)

    def _place_rest(self, steps: Steps, verdict: Reprice | Escalate) -> float | None:
        first = steps[0]
        instrument = self._instrument(steps)
        awaited = self._broker.awaits(first.symbol, first.side)
        if awaited is not None and not enters(steps):
            return ASK_SECONDS
        quantity = self._rest(steps)
        if quantity is None:
            return CONFIRM_LOOK_SECONDS
        quantity = instrument.floor_quantity(quantity)
        too_small = instrument.below_minimum(quantity, worth_of(steps, verdict, self._prices.last(first.symbol)))
        if too_small:
            self._give_up(steps, f"what is left is not placed: {too_small}")
            return None
        intent = next_step(steps, verdict, quantity, now=self._clock.now(), install_id=self._install_id)
        log.info("%s: %s the rest of %s, step %d", self._label, first.side, first.symbol, intent.chain_step)
        return self._after_placing(self._executor.place(intent))

    def _after_placing(self, result: OrderIntent) -> float:
        notes = self._notes_of([result])
        notes.asked_at = self._clock.monotonic()
        taken = result.state not in (IntentState.CREATED, IntentState.REJECTED, IntentState.ABANDONED)
        if taken and (result.filled_quantity > 0 or not has_ended(result)):
            notes.refusals = 0
            return LOOK_SECONDS if not has_ended(result) else CONFIRM_LOOK_SECONDS
        pause: float = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(notes.refusals, 10))
        notes.refusals += 1
        notes.not_before = self._clock.monotonic() + pause
        return pause

    def _rest(self, steps: Steps) -> Decimal | None:
        """What may still be traded (base units); None while the coins of an exit are tied up."""
        first = steps[0]
        rest = first.quantity - filled_of(steps)
        if enters(steps):
            return rest
        with self._store.read() as connection:
            position = positions.find_position(connection, self._label, first.symbol)
        lots = lots_of(position, self._broker)
        notes, wanted = self._notes_of(steps), min(rest, lots.existing)
        if lots.free < wanted and notes.locked_looks < MOST_LOCKED_LOOKS:
            # The venue may free the coins of a cancelled order a moment later.
            notes.locked_looks += 1
            return None
        notes.locked_looks = 0
        return min(wanted, lots.free)

    # -- asking -------------------------------------------------------------------------------------------------------
    def _judge(self, steps: Steps, quote: Quote | None) -> Verdict:
        notes = self._notes_of(steps)
        notes.hurried = notes.hurried or self._objections.to_resting(steps)
        chain = chain_of(steps, hurried=notes.hurried)
        return judge(chain, quote, instrument=self._instrument(steps), rules=self.rules, now=self._clock.now())

    def _instrument(self, steps: Steps) -> Instrument:
        instrument = self._broker.get_trading_pairs().get(steps[0].symbol)
        if instrument is None:
            raise UnreadableReply(f"{steps[0].symbol} is not listed any more, or its rules are not known")
        return instrument

    # -- rows ---------------------------------------------------------------------------------------------------------
    def _open(self) -> Sequence[Steps]:
        with self._store.read() as connection:
            return order_chains.open_chains(connection, self._label)

    def _end(self, chain_id: str, why: str) -> None:
        def work(connection: Connection) -> None:
            self._executor.refuse_when_fenced(connection)
            order_chains.end_chain(connection, chain_id, why)

        self._store.write(work)
        failpoint("chain_ended")

    def _notes_of(self, steps: Steps) -> _Notes:
        return self._notes.setdefault(str(steps[0].chain_id), _Notes())

    def _forget_all_but(self, chain_ids: set[str]) -> None:
        self._notes = {name: notes for name, notes in self._notes.items() if name in chain_ids}
        if not chain_ids:
            self._prices.forget()

    def _look_within(self, seconds: float) -> None:
        at = self._clock.monotonic() + seconds
        self.due_at = at if self.due_at is None else min(self.due_at, at)
