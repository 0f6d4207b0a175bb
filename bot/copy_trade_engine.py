"""From a signal to one planned copy for every user of that brokerage, in one transaction."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from bot.books.fan_out_order import fan_out_order, ranks_of
from bot.copy_planner import CopyPlan, CopyPlanner, nobody_looks
from bot.copy_portion import CopyPortion
from bot.copy_rows import planning_failed
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import Fenced, NijaError
from bot.domain.quote import Quote
from bot.domain.signal import TradeSignal
from bot.execution.entry_lane import EntryLane, NoLane
from bot.followers import CopyLimits, Follower, Followers
from bot.observability.correlation import working_on
from bot.position_sizer import PositionSizer
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.storage import accumulations, copies, intents, memberships, portions, signals
from bot.storage.copies import PlannedCopy
from bot.storage.intents import OrderIntent
from bot.storage.portions import Missing
from bot.storage.store import Store
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog
from bot.user_means import MarkOf, no_marks

__all__ = ["CopyLimits", "CopyTradeEngine", "Follower", "Followers", "start_copy_engine"]

log = logging.getLogger(__name__)

# The engine also looks by itself, so that a lost wake-up costs a second and not a signal.
IDLE_LOOK_SECONDS = 1.0
# A plan that nobody can read after this long was rolled back: no write to the store may take so long.
ROLLED_BACK_SECONDS = 60.0
# A batch that is told of later than this may have been left behind: then every account looks for itself.
LATE_SECONDS = 2.0
# One row is wrong in itself; the store is well.
_REFUSED_ROWS = (IntegrityError, DataError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan: its signal, the client order ids that the lane took, whose they are (labels), and each user's rank.

    `witness`: the user whose row shows that a plan for some of the users was committed; "" = it was for all of them.
    """

    signal: TradeSignal
    boarded: Sequence[str]
    aboard: frozenset[str]
    made_at: float
    ranks: Mapping[str, int]
    witness: str = ""

    @property
    def key(self) -> Missing:
        """Of a plan that was rolled back and made anew the same."""
        return Missing(self.signal.signal_id, self.witness)


class CopyTradeEngine:
    """Plans each signal once, for all users, then drops one note in each inbox. The user's own thread sends.

    With a `rotation_seed` the users are served in another order at each signal (`bot.books.fan_out_order`), in the
    batch and in the notes alike; without one, in the order of their labels.
    """

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
        rotation_seed: str | None = None,
        portion: CopyPortion | None = None,
        quote_of: Callable[[BrokerType, str], Quote | None] = nobody_looks,
        mark_of: MarkOf = no_marks,
        brokers: Sequence[BrokerType] = tuple(BrokerType),
    ) -> None:
        self._store = store
        self._brokers = brokers
        self._rotation_seed = rotation_seed
        self._portion = portion
        self._clock = clock
        self._followers = followers
        self.planner = CopyPlanner(
            install_id=install_id, sizer=sizer, followers=followers, limits=limits, quote_of=quote_of, mark_of=mark_of
        )
        self._wake_user = wake_user
        self._on_planned = on_planned
        self._lane = lane or NoLane()
        # By key: a plan that was rolled back and made anew departs once.
        self._planned: dict[Missing, Planned] = {}
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
                self._plan_here(connection, signal=signal)
        except Exception:
            log.exception("signal %s could not be planned with its fills", signal.signal_id)

    def step(self) -> int:
        """Plan everything that waits, and tell of all that was planned; returns how many signals that were."""
        for broker in self._brokers:
            if self._followers.copying_armed(broker):
                self._plan_brokerage(broker)
        told = self._take_committed()
        for planned in told:
            with working_on(signal=planned.signal.signal_id):
                self._tell(planned)
        self._lane.tend()
        return len(told)

    def _take_committed(self) -> Sequence["Planned"]:
        """What was planned and can be read by now; the transaction of the others is under way, or was rolled back."""
        with self._planned_lock:
            waiting = list(self._planned.values())
        if not waiting:
            return ()
        committed = self._committed_among(waiting)
        old = self._clock.monotonic() - ROLLED_BACK_SECONDS
        with self._planned_lock:
            done = [each for each in waiting if each.key in committed or each.made_at < old]
            for each in done:
                if self._planned.get(each.key) is each:
                    del self._planned[each.key]
        return [each for each in done if each.key in committed]

    def _committed_among(self, waiting: Sequence["Planned"]) -> frozenset[Missing]:
        whole = [each.signal.signal_id for each in waiting if not each.witness]
        parts = [each.key for each in waiting if each.witness]
        with self._store.read() as connection:
            planned = signals.planned_among(connection, whole) if whole else ()
            return portions.with_row(connection, parts) | {Missing(signal_id, "") for signal_id in planned}

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
            if self._portion is None:
                waiting = signals.unplanned(connection, broker)
            else:
                waiting = self._portion.waiting(connection, broker)
        for signal in waiting:
            beat(f"planning signal {signal.signal_id[:8]}")
            with working_on(signal=signal.signal_id):
                self._plan(signal)

    def _plan(self, signal: TradeSignal) -> None:
        failpoint("plan_signal")
        self._store.write(partial(self._plan_here, signal=signal))
        failpoint("signal_planned")

    def _tell(self, planned: "Planned") -> None:
        """Send what has boarded, then count, and wake those whose copy is their own thread's to send."""
        signal, left = planned.signal, self._departed(planned)
        followers = self._followers.followers_of(signal.broker)
        log.info(
            "signal %s: %s %s %s by the %s master, planned for %d users",
            signal.signal_id[:8],
            signal.kind,
            signal.side,
            signal.symbol,
            signal.broker,
            sum(follower.leaving is None for follower in followers) if not planned.witness else len(planned.ranks),
        )
        self._on_planned(signal)
        # Whoever is not a member is woken last: there is nothing for it, as far as this plan knows.
        for follower in sorted(followers, key=lambda each: planned.ranks.get(each.account.label, len(planned.ranks))):
            if follower.account.label not in left:
                self._wake_user(follower.account)

    def _departed(self, planned: "Planned") -> frozenset[str]:
        """Sends what has boarded; returns the accounts that will hear of their orders from the lane itself."""
        if not planned.boarded:
            return frozenset()
        try:
            self._lane.depart(planned.boarded)
        except Fenced:
            raise
        except Exception:
            log.exception("a batch of %d orders did not leave", len(planned.boarded))
            return frozenset()
        late = self._clock.monotonic() - planned.made_at > LATE_SECONDS
        return frozenset() if late else planned.aboard

    def _plan_here(self, connection: Connection, *, signal: TradeSignal) -> bool:
        """For all users, or for those that are this process's to plan for; False when there is nothing to plan."""
        if self._portion is None:
            return self._plan_all(connection, signal)
        return self._plan_portion(connection, signal, self._portion)

    def _plan_all(self, connection: Connection, signal: TradeSignal) -> bool:
        """All users' orders and answers, written as a few statements; False when somebody has planned it before."""
        now = self._clock.now()
        if not signals.claim_for_planning(connection, signal.signal_id, at=now):
            return False
        members = self._in_order(connection, signal, memberships.members_of(connection, signal.signal_id))
        plan = self.planner.plan(connection, signal, members, now)
        self._write_and_board(connection, signal, plan, ranks_of(members))
        return True

    def _plan_portion(self, connection: Connection, signal: TradeSignal, portion: CopyPortion) -> bool:
        """The same for some of the users; who plans for the last of them marks the signal as planned."""
        now = self._clock.now()
        mine = portion.of(connection, signal)
        if mine:
            ordered = self._in_order(connection, signal, memberships.members_of(connection, signal.signal_id))
            ranks = ranks_of(ordered)
            members = [label for label in ordered if label in mine]
            plan = self.planner.plan(connection, signal, members, now, ranks=ranks)
            own = {label: ranks[label] for label in members}
            self._write_and_board(connection, signal, plan, own, witness=members[0])
        portions.claim_if_complete(connection, signal.signal_id, at=now)
        return bool(mine)

    def _write_and_board(
        self,
        connection: Connection,
        signal: TradeSignal,
        plan: CopyPlan,
        ranks: Mapping[str, int],
        *,
        witness: str = "",
    ) -> None:
        entries = self._write_down(connection, signal, plan)
        accumulations.keep(connection, plan.kept)
        boarded = self._lane.board(connection, entries) if entries else ()
        failpoint("plan_transaction")
        ids = frozenset(boarded)
        planned = Planned(
            signal=signal,
            boarded=boarded,
            aboard=frozenset(entry.account_id for entry in entries if entry.client_order_id in ids),
            made_at=self._clock.monotonic(),
            ranks=ranks,
            witness=witness,
        )
        with self._planned_lock:
            self._planned[planned.key] = planned

    def _in_order(self, connection: Connection, signal: TradeSignal, members: Sequence[str]) -> Sequence[str]:
        if self._rotation_seed is None:
            return members
        sequence = signals.sequence_of(connection, signal.signal_id)
        return fan_out_order(members, seed=self._rotation_seed, sequence=sequence)

    def _write_down(self, connection: Connection, signal: TradeSignal, plan: CopyPlan) -> Sequence[OrderIntent]:
        """Returns the entries that are new: every one, unless older books were put back or a row is refused."""
        try:
            with connection.begin_nested():
                new = intents.add_intents(connection, plan.entries)
                copies.add_copies(connection, plan.copies)
        except _REFUSED_ROWS as error:
            log.warning("signal %s is written down user by user: %s", signal.signal_id, error)
        else:
            return plan.entries if new else ()
        entries = {entry.client_order_id: entry for entry in plan.entries}
        for copy in plan.copies:
            self._write_one(connection, signal, copy, entries.get(copy.client_order_id or ""))
        return ()

    def _write_one(
        self, connection: Connection, signal: TradeSignal, copy: PlannedCopy, entry: OrderIntent | None
    ) -> None:
        """One user's row that the database does not take is that user's trouble."""
        try:
            with connection.begin_nested():
                intents.add_intents(connection, [] if entry is None else [entry])
                copies.add_copies(connection, [copy])
        except _REFUSED_ROWS as error:
            log.exception("%s: the copy of signal %s could not be written", copy.account_id, signal.signal_id)
            failed = planning_failed(signal, copy.account_id, copy.planned_at, error)
            copies.add_copies(connection, [failed._replace(rank=copy.rank)])


def start_copy_engine(engine: CopyTradeEngine) -> CopyTradeEngine:
    """Start an engine and give it back."""
    engine.start()
    return engine
