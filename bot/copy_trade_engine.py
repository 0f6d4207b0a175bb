"""From a signal to one planned copy for every user of that brokerage, in one transaction."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.errors import Fenced, NijaError
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.money import percent_to_fraction
from bot.domain.order import IntentState, OrderKind, OrderType
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.domain.symbol import quote_of
from bot.execution.entry_lane import EntryLane, NoLane
from bot.position_sizer import CopyRules, EntryToCopy, NoSize, PositionSizer, Size
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.seams.ids import client_order_id
from bot.storage import copies, intents, memberships, positions, signals, symbol_pauses
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

# The engine also looks by itself, so that a lost wake-up costs a second and not a signal.
IDLE_LOOK_SECONDS = 1.0
# A plan that nobody can read after this long was rolled back: no write to the store may take so long.
ROLLED_BACK_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Follower:
    """A user of a brokerage as the engine needs to see it. `leaving` is set for one that is switched off."""

    account: AccountRef
    name: str
    rules: CopyRules
    shadow: bool = False
    leaving: WhenDisabled | None = None


class Followers(Protocol):
    """What the engine may ask about users; answers come from memory, never from a venue."""

    def followers_of(self, broker: BrokerType) -> Sequence[Follower]:
        """Every user of the brokerage: the active ones, and those who left and are not done yet."""

    def balance_of(self, account: AccountRef) -> BalanceReading:
        """The user's last balance reading."""

    def not_ready_reason(self, account: AccountRef) -> str:
        """Why this account cannot trade now, or an empty text."""

    def instrument_of(self, broker: BrokerType, symbol: str) -> Instrument | None:
        """The market's rules, if they were read."""

    def copying_armed(self, broker: BrokerType) -> bool:
        """Whether the brokerage's users have all had their chance to connect."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan: its signal, the client order ids that the lane took, and whose they are (labels)."""

    signal: TradeSignal
    boarded: Sequence[str]
    aboard: frozenset[str]
    made_at: float


@dataclass(frozen=True, kw_only=True)
class CopyLimits:
    """Bounds of a copied entry; `reserve_percent` covers the taker fee. An account worth less does not trade."""

    max_copy_slippage_percent: Decimal
    reserve_percent: Decimal
    max_signal_age_seconds: float
    minimum_funded_quote: Decimal


class CopyTradeEngine:
    """Plans each signal once, for all users, then drops one note in each inbox. The user's own thread sends."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        install_id: str,
        sizer: PositionSizer,
        followers: Followers,
        limits: CopyLimits,
        wake_user: Callable[[AccountRef], None],
        on_planned: Callable[[TradeSignal], None],
        lane: EntryLane | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._install_id = install_id
        self._sizer = sizer
        self._followers = followers
        self._limits = limits
        self._wake_user = wake_user
        self._on_planned = on_planned
        self._lane = lane or NoLane()
        # By signal: a plan that was rolled back and made anew departs once.
        self._planned: dict[str, Planned] = {}
        self._planned_lock = threading.Lock()
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = KeptThread("CopyTradeEngine", self._run, clock=clock, watchdog=watchdog)

    def start(self) -> None:
        """Start the planning thread."""
        self._thread.start()
        log.info("Copy trade engine started - user trades will be replicated")

    def stop(self, timeout_seconds: float = 5.0) -> None:
        self._stop.set()
        self._due.set()
        self._thread.join(timeout_seconds)

    def notify(self, _broker: BrokerType | None = None) -> None:
        """Rows may be waiting."""
        self._due.set()

    def plan_in(self, connection: Connection, signal: TradeSignal) -> None:
        """Plan a signal inside the transaction that makes it: fills, signal and every user's intent are one commit.

        Nothing of it may keep the master's fills from being booked: what goes wrong here leaves the signal unplanned,
        and `step` plans it later. So does a brokerage whose users have not all had their chance to connect.
        """
        if not self._followers.copying_armed(signal.broker):
            return
        try:
            with connection.begin_nested():
                self._plan_all(connection, signal=signal)
        except Exception:
            log.exception("signal %s could not be planned with its fills", signal.signal_id)

    def step(self) -> int:
        """Plan everything that waits, and tell of all that was planned; returns how many signals that were."""
        for broker in BrokerType:
            if self._followers.copying_armed(broker):
                self._plan_brokerage(broker)
        told = self._take_committed()
        for planned in told:
            self._tell(planned)
        return len(told)

    def _take_committed(self) -> Sequence["Planned"]:
        """What was planned and can be read by now; the transaction of the others is under way, or was rolled back."""
        with self._planned_lock:
            waiting = list(self._planned.values())
        if not waiting:
            return ()
        with self._store.read() as connection:
            committed = signals.planned_among(connection, [planned.signal.signal_id for planned in waiting])
        old = self._clock.monotonic() - ROLLED_BACK_SECONDS
        with self._planned_lock:
            done = [each for each in waiting if each.signal.signal_id in committed or each.made_at < old]
            for each in done:
                if self._planned.get(each.signal.signal_id) is each:
                    del self._planned[each.signal.signal_id]
        return [each for each in done if each.signal.signal_id in committed]

    def _run(self) -> None:
        while not self._stop.is_set():
            beat("waiting")
            self._clock.wait(self._due, IDLE_LOOK_SECONDS)
            self._due.clear()
            try:
                self.step()
            except Fenced:
                raise
            except NijaError as error:
                log.error("copying waits: %s", error)
                self._clock.wait(self._stop, IDLE_LOOK_SECONDS)
            except Exception:
                log.exception("unexpected error while planning copies")
                self._clock.wait(self._stop, IDLE_LOOK_SECONDS)

    def _plan_brokerage(self, broker: BrokerType) -> None:
        with self._store.read() as connection:
            waiting = signals.unplanned(connection, broker)
        for signal in waiting:
            beat(f"planning signal {signal.signal_id[:8]}")
            self._plan(signal)

    def _plan(self, signal: TradeSignal) -> None:
        failpoint("plan_signal")
        self._store.write(partial(self._plan_all, signal=signal))
        failpoint("signal_planned")

    def _tell(self, planned: "Planned") -> None:
        """Send what has boarded, then count, and wake those whose copy is their own thread's to send."""
        signal = planned.signal
        self._lane.depart(planned.boarded)
        followers = self._followers.followers_of(signal.broker)
        log.info(
            "signal %s: %s %s %s by the %s master, planned for %d users",
            signal.signal_id[:8],
            signal.kind,
            signal.side,
            signal.symbol,
            signal.broker,
            sum(follower.leaving is None for follower in followers),
        )
        self._on_planned(signal)
        for follower in followers:
            if follower.account.label not in planned.aboard:
                self._wake_user(follower.account)

    def _plan_all(self, connection: Connection, *, signal: TradeSignal) -> bool:
        """One answer or intent for every user who is owed one: who is a member decides, not who is connected."""
        if not signals.claim_for_planning(connection, signal.signal_id, at=self._clock.now()):
            return False
        entries: list[OrderIntent] = []
        followers = {each.account.label: each for each in self._followers.followers_of(signal.broker)}
        sequence = signals.sequence_of(connection, signal.signal_id)
        for label in memberships.members_of(connection, signal.broker, sequence):
            follower = followers.get(label)
            if follower is None or follower.leaving is not None:
                # Of one whom no file names any more nobody knows the wish: what the master sells stays owed.
                left = follower.leaving if follower is not None else None
                self._plan_for_one_who_left(connection, signal, label, left or WhenDisabled.CLOSE_ONLY)
            else:
                entry = self._plan_guarded(connection, signal, follower)
                if entry is not None:
                    entries.append(entry)
        boarded = self._board(connection, entries)
        failpoint("plan_transaction")
        aboard = frozenset(entry.account_id for entry in entries if entry.client_order_id in boarded)
        planned = Planned(signal=signal, boarded=boarded, aboard=aboard, made_at=self._clock.monotonic())
        with self._planned_lock:
            self._planned[signal.signal_id] = planned
        return True

    def _board(self, connection: Connection, entries: Sequence[OrderIntent]) -> Sequence[str]:
        """The lane's trouble is nobody's: who does not board sends by its own thread."""
        if not entries:
            return ()
        try:
            with connection.begin_nested():
                return self._lane.board(connection, entries)
        except SQLAlchemyError:
            raise
        except Exception:
            log.exception("nobody boards")
            return ()

    def _plan_guarded(self, connection: Connection, signal: TradeSignal, follower: Follower) -> OrderIntent | None:
        """One user's trouble is that user's answer, and nobody else's."""
        try:
            with connection.begin_nested():
                return self._plan_one(connection, signal, follower)
        except SQLAlchemyError:
            raise
        except Exception as error:
            log.exception("%s: the copy of signal %s could not be planned", follower.account.label, signal.signal_id)
            why = NoSize(CopyReason.PLANNING_FAILED, f"{type(error).__name__}: {error}"[:300])
            self._answer(connection, signal, follower.account.label, why, status=CopyStatus.FAILED)
            return None

    def _plan_for_one_who_left(
        self, connection: Connection, signal: TradeSignal, label: str, left: WhenDisabled
    ) -> None:
        """No entries any more; what was copied is still sold when the master sells, unless the user keeps it."""
        if signal.kind is OrderKind.EXIT and left is not WhenDisabled.KEEP:
            self._plan_exit(connection, signal, label)
        else:
            why = NoSize(CopyReason.USER_LEFT, "the user does not copy any more")
            self._answer(connection, signal, label, why)

    def _plan_one(self, connection: Connection, signal: TradeSignal, follower: Follower) -> OrderIntent | None:
        if signal.kind is OrderKind.EXIT:
            self._plan_exit(connection, signal, follower.account.label)
            return None
        reading = self._followers.balance_of(follower.account)
        size = self._entry_size(connection, signal, follower, reading)
        cash = None if reading.holdings is None else reading.holdings.of(quote_of(signal.symbol)).total
        if isinstance(size, NoSize):
            self._answer(connection, signal, follower.account.label, size, user_balance=cash)
            return None
        if follower.shadow:
            shadow = NoSize(CopyReason.SHADOW, f"would have bought {size.quantity:f}", size.ratio)
            self._answer(connection, signal, follower.account.label, shadow, user_balance=cash)
            return None
        intent = self._entry_intent(signal, follower, size)
        new = intents.add_intent(connection, intent)
        copies.add_copy(
            connection,
            signal_id=signal.signal_id,
            account_id=follower.account.label,
            planned_at=self._clock.now(),
            status=str(CopyStatus.PLANNED),
            reason="",
            detail="",
            client_order_id=intent.client_order_id,
            user_balance=cash,
            ratio=size.ratio,
            planned_quantity=size.quantity,
        )
        return intent if new else None

    def _entry_size(
        self, connection: Connection, signal: TradeSignal, follower: Follower, reading: BalanceReading
    ) -> Size | NoSize:
        label = follower.account.label
        paused = symbol_pauses.pause_reason(connection, label, signal.symbol)
        if paused:
            return NoSize(CopyReason.SYMBOL_PAUSED, paused)
        if signal.symbol in intents.symbols_needing_a_person(connection, label):
            return NoSize(CopyReason.NEEDS_PERSON, "an earlier order's outcome is contradictory: python bot.py resolve")
        not_ready = self._followers.not_ready_reason(follower.account)
        if not_ready and not follower.shadow:
            return NoSize(CopyReason.ACCOUNT_NOT_READY, not_ready)
        if reading.holdings is None:
            return NoSize(CopyReason.BALANCE_UNKNOWN, reading.reason)
        if reading.status is not BalanceStatus.FRESH:
            return NoSize(CopyReason.BALANCE_STALE, f"{reading.age_seconds:.0f} s old: {reading.reason}")
        instrument = self._followers.instrument_of(signal.broker, signal.symbol)
        if instrument is None:
            return NoSize(CopyReason.SYMBOL_UNKNOWN, f"{signal.broker} lists no {signal.symbol}")
        cash = reading.holdings.of(quote_of(signal.symbol))
        held = positions.positions_of(connection, follower.account.label)
        value = cash.total + sum((position.cost_quote for position in held), Decimal(0))
        if value < self._limits.minimum_funded_quote:
            not_funded = f"not funded: {value:.2f} is below {self._limits.minimum_funded_quote:f}"
            return NoSize(CopyReason.ACCOUNT_NOT_READY, not_funded)
        entry = EntryToCopy(
            symbol=signal.symbol,
            quantity=signal.quantity,
            price=signal.reference_price,
            master_balance=signal.master_balance,
            user_balance=cash.total,
            user_available=cash.available,
            reserve_percent=self._limits.reserve_percent + self._limits.max_copy_slippage_percent,
            user_exposure_by_symbol={position.symbol: position.cost_quote for position in held},
        )
        return self._sizer.size_entry(entry, follower.rules, instrument)

    def _entry_intent(self, signal: TradeSignal, follower: Follower, size: Size) -> OrderIntent:
        instrument = self._followers.instrument_of(signal.broker, signal.symbol)
        assert instrument is not None
        slippage = percent_to_fraction(self._limits.max_copy_slippage_percent)
        return OrderIntent(
            client_order_id=self._client_order_id(signal, follower, "entry"),
            account_id=follower.account.label,
            signal_id=signal.signal_id,
            decision=f"copy of the {signal.broker} master's entry",
            symbol=signal.symbol,
            side=signal.side,
            kind=OrderKind.ENTRY,
            # The venue itself enforces the price bound, and nothing is left resting.
            order_type=OrderType.LIMIT_IOC,
            quantity=size.quantity,
            limit_price=instrument.buy_cap(signal.reference_price * (1 + slippage)),
            balance_before=None,
            reference_price=signal.reference_price,
            exit_plan=signal.exit_plan,
            created_at=self._clock.now(),
            state=IntentState.CREATED,
        )

    def _plan_exit(self, connection: Connection, signal: TradeSignal, label: str) -> None:
        """An exit is a debt: planned whatever the balance or connection; the user's thread sizes it when it runs."""
        held = positions.find_position(connection, label, signal.symbol)
        if held is None and not copies.has_planned_entry(connection, label, signal.symbol):
            nothing = NoSize(CopyReason.NOTHING_HELD, f"no copied {signal.symbol} is held")
            self._answer(connection, signal, label, nothing)
            return
        copies.add_copy(
            connection,
            signal_id=signal.signal_id,
            account_id=label,
            planned_at=self._clock.now(),
            status=str(CopyStatus.PLANNED),
            reason="",
            detail="",
            ratio=signal.size,
        )

    def _answer(
        self,
        connection: Connection,
        signal: TradeSignal,
        label: str,
        why: NoSize,
        *,
        status: CopyStatus = CopyStatus.SKIPPED,
        user_balance: Decimal | None = None,
    ) -> None:
        now = self._clock.now()
        copies.add_copy(
            connection,
            signal_id=signal.signal_id,
            account_id=label,
            planned_at=now,
            status=str(status),
            reason=str(why.reason),
            detail=why.detail,
            user_balance=user_balance,
            ratio=why.ratio,
            answered_at=now,
        )

    def _client_order_id(self, signal: TradeSignal, follower: Follower, leg: str) -> str:
        return client_order_id(
            install_id=self._install_id,
            decision_id=signal.signal_id,
            account_id=follower.account.label,
            leg=leg,
            attempt=0,
        )


def start_copy_engine(engine: CopyTradeEngine) -> CopyTradeEngine:
    """Start an engine and give it back."""
    engine.start()
    return engine
