"""One resting sell stop at the venue for each position, for the time in which no process of ours watches.

It lies below the level at which the bot itself sells, so that the bot's own exits come first while it runs. The rows
are all there is: a stop is an order like any other, written down before it is sent, and after a crash it is found in
them. Whoever sells for another reason first asks `clear`, and sells only what is left when the venue has stated the
stop's end: so the same lots are never offered twice.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.domain.errors import CredentialsRejected, Fenced, NijaError, StoreUnavailable
from bot.domain.halt import HaltScope
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.money import plain
from bot.domain.order import LIVE_STATES, IntentState, OrderKind, OrderType, Side
from bot.domain.position import Position
from bot.domain.symbol import base_of
from bot.execution.order_executor import OrderExecutor, has_ended
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.seams.ids import IdSource, client_order_id
from bot.stop_levels import ProtectiveStopRules, stop_level_of, too_far_apart
from bot.storage import halts, intents, positions
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)

# How long an exit waits for the venue's word that the stop has ended; after that it is the next look's.
CONFIRM_SECONDS = 3.0
CONFIRM_POLL_SECONDS = 0.25
# Where no exit waits for it, the account's thread has other things to do.
LOOK_PATIENCE_SECONDS = 1.0
LOOK_SOON_SECONDS = 0.2
LOOK_AGAIN_SECONDS = 5.0
# A market that an exit was about to sell gets no new stop for so long: the exit is tried again before that.
HELD_OFF_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0


@dataclass(frozen=True)
class _Wish:
    """The stop that a position should have: base units and quote per base."""

    position: Position
    quantity: Decimal
    level: Decimal


@dataclass
class _Notes:
    """What this process remembers of one market; a restarted one needs none of it. Moments are monotonic seconds."""

    not_before: float = float("-inf")
    refusals: int = 0


class ProtectiveStops:
    """Of one account, in its own thread. `due_at` is when it wants to look (monotonic seconds), None = at no time.

    Switched off, or where the venue has no stop orders, it only takes back what an earlier life has left there.
    """

    def __init__(
        self,
        *,
        broker: BaseBroker,
        store: Store,
        clock: Clock,
        ids: IdSource,
        stop: threading.Event,
        executor: OrderExecutor,
        rules: ProtectiveStopRules,
        install_id: str,
        announce: Callable[[], None],
        leaving: WhenDisabled | None = None,
    ) -> None:
        """`announce` tells of a master's trades. `stop` is set when the bot ends: nothing is waited for then."""
        self._broker = broker
        self._label = broker.account.label
        self._store = store
        self._clock = clock
        self._ids = ids
        self._stop = stop
        self._executor = executor
        self._rules = rules
        self._install_id = install_id
        self._announce = announce
        self._notes: dict[str, _Notes] = {}
        self._on = (
            rules.enabled and leaving is not WhenDisabled.KEEP and OrderType.STOP in broker.capabilities.order_types
        )
        # Rows of an earlier life are looked for once; while it is off nobody is asked again.
        self._may_rest = True
        self.due_at: float | None = clock.monotonic()

    def look_soon(self) -> None:
        """Something may have changed what is held."""
        if self._on:
            self._look_within(LOOK_SOON_SECONDS)

    # -- what sales ask ---------------------------------------------------------------------------------------------
    def clear(self, symbol: str, why: str) -> bool:
        """Take back the stop of this market; True when nothing of one can be filled any more, whatever was filled.

        The lots that are left are then in the books. False: its end is not known yet, and nothing may be sold.
        """
        resting = self._stops_of(symbol) if self._may_rest else ()
        if not resting:
            return True
        log.info("%s: the protective stop of %s is taken back: %s", self._label, symbol, why)
        self._notes_of(symbol).not_before = self._clock.monotonic() + HELD_OFF_SECONDS
        ended = self._end_all(resting)
        self._look_within(HELD_OFF_SECONDS)
        return ended

    # -- the look ---------------------------------------------------------------------------------------------------
    def look(self) -> None:
        """Bring the stop of every market in line with what is held, and say in `due_at` when to look again."""
        self.due_at = None
        if self._executor.stopping:
            return
        stops: dict[str, list[OrderIntent]] = {}
        for intent in self._unfinished():
            if _is_stop(intent):
                stops.setdefault(intent.symbol, []).append(intent)
        self._may_rest = self._on or bool(stops)
        for symbol in sorted({*stops, *(self._held() if self._on else ())}):
            self._guarded(symbol, stops.get(symbol, []))

    def _guarded(self, symbol: str, stops: Sequence[OrderIntent]) -> None:
        """One market's trouble does not keep the others from being guarded."""
        try:
            self._tend(symbol, stops)
        except (Fenced, StoreUnavailable, CredentialsRejected):
            raise
        except NijaError as error:
            log.warning("%s: the protective stop of %s waits: %s", self._label, symbol, error)
            self._look_within(LOOK_AGAIN_SECONDS)
        except Exception:
            log.exception("%s: the protective stop of %s could not be looked after", self._label, symbol)
            self._look_within(LOOK_AGAIN_SECONDS)

    def _tend(self, symbol: str, stops: Sequence[OrderIntent]) -> None:
        wish = self._wish(symbol)
        if stops and self._fits(stops, wish):
            return
        if stops:
            failpoint("stop_replacing")
            if not self._end_all(stops, patience_seconds=LOOK_PATIENCE_SECONDS):
                self._look_within(LOOK_AGAIN_SECONDS)
                return
            # What it has sold meanwhile is in the books now.
            wish = self._wish(symbol)
        if wish is not None:
            self._place(wish)

    def _fits(self, stops: Sequence[OrderIntent], wish: _Wish | None) -> bool:
        """Whether the one stop there is will do. Of one whose fate is not known nobody can say: that is found out."""
        if wish is None or len(stops) != 1 or stops[0].state not in LIVE_STATES:
            return False
        left = stops[0].quantity - stops[0].filled_quantity
        level = stops[0].stop_price
        return level is not None and left == wish.quantity and not too_far_apart(level, wish.level)

    # -- what should be there ---------------------------------------------------------------------------------------
    def _wish(self, symbol: str) -> _Wish | None:
        """None = no stop should rest here, or none can."""
        if not self._on or self._is_sold_otherwise(symbol):
            return None
        position = self._held().get(symbol)
        instrument = self._broker.known_trading_pairs().get(symbol)
        if position is None or instrument is None:
            return None
        fee = self._broker.known_taker_fee_percent(symbol)
        level = stop_level_of(position, self._rules, instrument, now=self._clock.now(), taker_fee_percent=fee)
        if level is None:
            return None
        quantity = instrument.floor_quantity(self._existing(position))
        return None if instrument.below_minimum(quantity, level) else _Wish(position, quantity, level)

    def _existing(self, position: Position) -> Decimal:
        """Booked lots that the account has, in orders or not: a stop that rests may hold them."""
        asset, reading = base_of(position.symbol), self._broker.balance_book.reading()
        if reading.holdings is None or reading.holdings.of(asset).total < position.quantity:
            reading = self._broker.refresh_balance(max_age_seconds=0)
        if reading.holdings is None or reading.reason:
            return position.quantity
        return min(position.quantity, reading.holdings.of(asset).total)

    def _is_sold_otherwise(self, symbol: str) -> bool:
        """An exit that is under way, or a flatten in force, sells these lots; a stop would only be in its way."""
        with self._store.read() as connection:
            covering = halts.flattens_of(connection, self._label)
        if any(halt.scope is not HaltScope.SYMBOL or halt.target == symbol for halt in covering):
            return True
        return any(
            one.symbol == symbol
            and one.side is Side.SELL
            and not _is_stop(one)
            and one.state is not IntentState.CREATED
            for one in self._unfinished()
        )

    # -- placing ----------------------------------------------------------------------------------------------------
    def _place(self, wish: _Wish) -> None:
        symbol, notes, now = wish.position.symbol, self._notes_of(wish.position.symbol), self._clock.monotonic()
        if now < notes.not_before:
            self._look_within(notes.not_before - now)
            return
        if self._broker.trading_session().is_open is False or self._broker.awaits(symbol, Side.SELL) is not None:
            return  # the cycle after the opening looks again
        made = self._executor.place(self._intent(wish))
        failpoint("stop_placed")
        if made.state is IntentState.CREATED:
            # The next try is an order of its own, of what is held by then.
            self._executor.abandon(made, f"not sent: {made.reason}"[:500])
        if made.filled_quantity > 0:
            self._announce()
        self._remember(made, notes)

    def _remember(self, made: OrderIntent, notes: _Notes) -> None:
        """What the venue would not keep is not placed again at once, for its answer would be the same."""
        if has_ended(made) or made.state is IntentState.CREATED:
            pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(notes.refusals, 10))
            notes.refusals += 1
            notes.not_before = self._clock.monotonic() + pause
            self._look_within(pause)
            log.warning(
                "%s: %s has no protective stop: %s %s; tried again after %g s",
                self._label,
                made.symbol,
                made.state,
                made.reason,
                pause,
            )
            return
        self._notes.pop(made.symbol, None)
        if made.state not in LIVE_STATES:
            self._look_within(LOOK_AGAIN_SECONDS)

    def _intent(self, wish: _Wish) -> OrderIntent:
        level, limited = wish.level, self._broker.capabilities.stops_have_limits
        return OrderIntent(
            client_order_id=client_order_id(
                install_id=self._install_id,
                decision_id=self._ids.token(),
                account_id=self._label,
                leg="stop",
                attempt=0,
            ),
            account_id=self._label,
            signal_id=None,
            decision=f"protective_stop: sell {plain(wish.quantity)} if the market trades at {plain(level)}",
            symbol=wish.position.symbol,
            side=Side.SELL,
            kind=OrderKind.EXIT,
            order_type=OrderType.STOP,
            quantity=wish.quantity,
            limit_price=self._rules.limit_of(level, self._instrument(wish)) if limited else None,
            stop_price=level,
            balance_before=None,
            exit_plan=wish.position.exit_plan,
            created_at=self._clock.now(),
        )

    def _instrument(self, wish: _Wish) -> Instrument:
        return self._broker.known_trading_pairs()[wish.position.symbol]

    # -- ending -----------------------------------------------------------------------------------------------------
    def _end_all(self, stops: Sequence[OrderIntent], *, patience_seconds: float = CONFIRM_SECONDS) -> bool:
        """Each is asked to end, and waited for as far as that is wise; True when the venue has said it of all."""
        ended = [self._end(intent, patience_seconds) for intent in stops]
        if any(intent.filled_quantity > 0 for intent in ended):
            self._announce()
        return all(has_ended(intent) for intent in ended)

    def _end(self, intent: OrderIntent, patience_seconds: float) -> OrderIntent:
        """Cancelled once, then asked about: a cancel is a request, and of an order nobody knows of, none is sent."""
        intent = self._executor.reload(intent)
        deadline = self._clock.monotonic() + patience_seconds
        asked = False
        while not has_ended(intent):
            if intent.state is IntentState.CREATED:
                self._executor.abandon(intent, "proven absent, or never sent")
                return self._executor.reload(intent)
            if intent.state in LIVE_STATES and not asked:
                asked, intent = True, self._executor.cancel(intent)
            else:
                intent = self._executor.settle(intent)
            if has_ended(intent):
                break
            if intent.needs_person or self._stop.is_set() or self._clock.monotonic() >= deadline:
                break
            self._clock.wait(self._stop, CONFIRM_POLL_SECONDS)
        return intent

    # -- rows -------------------------------------------------------------------------------------------------------
    def _held(self) -> Mapping[str, Position]:
        with self._store.read() as connection:
            held, _unreadable = positions.readable_positions_of(connection, self._label)
        return {position.symbol: position for position in held}

    def _unfinished(self) -> Sequence[OrderIntent]:
        with self._store.read() as connection:
            return intents.unfinished(connection, self._label)

    def _stops_of(self, symbol: str) -> Sequence[OrderIntent]:
        return [one for one in self._unfinished() if one.symbol == symbol and _is_stop(one)]

    def _notes_of(self, symbol: str) -> _Notes:
        return self._notes.setdefault(symbol, _Notes())

    def _look_within(self, seconds: float) -> None:
        moment = self._clock.monotonic() + seconds
        self.due_at = moment if self.due_at is None else min(self.due_at, moment)


def _is_stop(intent: OrderIntent) -> bool:
    return intent.order_type is OrderType.STOP
