"""One thread per funded account. Nothing an account does, suffers or waits for reaches another."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Protocol

from bot.account_desk import AccountDesk
from bot.account_revival import AccountRevival
from bot.account_worker import AccountWorker, CycleTimes, Note
from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading
from bot.domain.errors import Fenced, StoreUnavailable
from bot.domain.health import AccountHealth, HealthState
from bot.execution.account_status import AccountStatus
from bot.multi_account_broker_manager import MultiAccountBrokerManager
from bot.seams.clock import Clock
from bot.seams.ids import IdSource
from bot.supervision.circuit import OPEN_SECONDS
from bot.supervision.heart import STEP_SECONDS, beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.probes import Probe, lock_probe
from bot.supervision.watchdog import Hang, Ward, Watchdog
from bot.trading_strategy import TradingStrategy

log = logging.getLogger(__name__)

CONNECTOR_STEP_SECONDS = 0.5
# An account without a thread is looked at once a cycle, and at least this often.
FUNDING_CHECK_SECONDS = 15.0
# A connector asks the venue about no further account once its pass has taken so long: those that need no answer of the
# venue come first, and who had to wait is the first the next time.
PASS_SECONDS = 10.0


class Share(Protocol):
    """Which accounts are this process's (bot/account_share.py)."""

    def holds(self, account: AccountRef) -> bool:
        """Whether it is this process's to connect and trade; not while it is being given back."""

    def leaving(self, broker: BrokerType) -> Sequence[AccountRef]:
        """Those that are to be given back as soon as their threads have ended."""

    def let_go(self, account: AccountRef) -> None:
        """Its thread has ended and its connection is closed. Raises `StoreUnavailable`; then it is asked for again."""


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """How the accounts' threads are watched. Without a `watchdog` the dead are replaced, but not those that hang.

    `fence` makes durable that nobody who has the account now may send or write any more; it may wait for 2 s and
    raises when that is not certain. `cut` shuts the sockets that a thread waits on. `on_restart` is told the account
    and why: `died`, `hung` or `probe`.
    """

    watchdog: Watchdog | None = None
    fence: Callable[[AccountRef], None] = lambda _account: None
    cut: Callable[[threading.Thread], None] = lambda _thread: None
    on_restart: Callable[[AccountRef, str], None] = lambda _account, _why: None
    step_seconds: float = STEP_SECONDS
    circuit_open_seconds: float = OPEN_SECONDS


class IndependentBrokerTrader:
    """Starts, watches and stops the accounts' threads. Each brokerage has a connector thread of its own.

    `broker_threads` holds the masters' threads by brokerage, `user_broker_threads` the users' by id and brokerage.
    """

    def __init__(
        self,
        *,
        manager: MultiAccountBrokerManager,
        strategy: TradingStrategy,
        times: CycleTimes,
        minimum_funded_usd: Decimal,
        at_par: AbstractSet[str] = frozenset({"USD"}),
        multi_broker: bool,
        clock: Clock,
        ids: IdSource,
        stop: threading.Event,
        open_desk: Callable[[BaseBroker], AccountDesk],
        has_duties: Callable[[AccountRef], bool],
        statuses: Mapping[AccountRef, AccountStatus],
        on_cycle: Callable[[AccountRef, str, float], None],
        on_left: Callable[[AccountRef], None] = lambda _account: None,
        supervision: Supervision | None = None,
        share: Share | None = None,
        on_handed_over: Callable[[AccountRef], None] = lambda _account: None,
    ) -> None:
        self.broker_threads: dict[BrokerType, threading.Thread] = {}
        self.user_broker_threads: dict[str, dict[BrokerType, threading.Thread]] = {}
        self._manager = manager
        self._strategy = strategy
        self._times = times
        self._minimum_funded_usd = minimum_funded_usd
        self._at_par = at_par
        self._multi_broker = multi_broker
        self._clock = clock
        self._ids = ids
        self._stop = stop
        self._open_desk = open_desk
        self._has_duties = has_duties
        self._statuses = statuses
        self._on_cycle = on_cycle
        self._on_left = on_left
        self._supervision = supervision or Supervision()
        self._share = share
        self._on_handed_over = on_handed_over
        self._revival = AccountRevival(
            manager=manager,
            statuses=statuses,
            clock=clock,
            ids=ids,
            open_seconds=self._supervision.circuit_open_seconds,
            on_restart=self._supervision.on_restart,
        )
        self._workers: dict[AccountRef, AccountWorker] = {}
        self._connectors: list[KeptThread] = []
        self._checked_at: dict[AccountRef, float] = {}
        self._banners: set[str] = set()
        self._only_master: BrokerType | None = None
        self._lock = threading.RLock()

    # -- health -----------------------------------------------------------------------------------------------------
    @property
    def broker_health(self) -> dict[BrokerType, AccountHealth]:
        """Health of the masters."""
        return {ref.broker: status.health for ref, status in self._statuses.items() if ref.is_master}

    @property
    def user_broker_health(self) -> dict[str, dict[BrokerType, AccountHealth]]:
        """Health of the users."""
        result: dict[str, dict[BrokerType, AccountHealth]] = {}
        for ref, status in self._statuses.items():
            if ref.user_id is not None:
                result.setdefault(ref.user_id, {})[ref.broker] = status.health
        return result

    def update_broker_health(self, account: AccountRef, state: HealthState, reason: str = "") -> None:
        """Set an account's health by hand; a change is logged and stored."""
        self._statuses[account].set_health(state, reason)
        self._statuses[account].publish()

    # -- starting and stopping --------------------------------------------------------------------------------------
    def start_independent_trading(self) -> None:
        """Start a connector per brokerage; funded accounts get their threads from it, now or later."""
        for broker in self._manager.brokerages():
            if self._share is not None:
                # Accounts come and go: the connector connects whatever it finds, and nobody waits for a first pass.
                self._manager.arm(broker)
                connector = self._kept(f"Connector-{broker}", partial(self._run_connector, broker, None))
                self._connectors.append(connector)
                connector.start()
                continue
            # The pass that connects users takes its time; the master must not wait for it to trade.
            first_pass = self._kept(f"Connect-{broker}", partial(self._manager.connect_brokerage, broker))
            connector = self._kept(f"Connector-{broker}", partial(self._run_connector, broker, first_pass))
            self._connectors.append(connector)
            first_pass.start()
            connector.start()

    def _kept(self, name: str, body: Callable[[], None]) -> KeptThread:
        care = self._supervision
        return KeptThread(
            name, body, clock=self._clock, watchdog=care.watchdog, cut=care.cut, step_seconds=care.step_seconds
        )

    def stop_independent_trading(self, timeout_seconds: float) -> list[str]:
        """Ask all threads to stop and wait for them together; returns the labels of those that did not end."""
        self._stop.set()
        with self._lock:
            workers = dict(self._workers)
        for worker in workers.values():
            worker.tell(Note.STOP)
        deadline = self._clock.monotonic() + timeout_seconds
        threads: list[KeptThread | threading.Thread] = [*self._connectors, *self.threads().values()]
        for thread in threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return [thread.name for thread in threads if thread.is_alive()]

    def threads(self) -> dict[AccountRef, threading.Thread]:
        """Every account's thread."""
        with self._lock:
            masters = {AccountRef.master(broker): thread for broker, thread in self.broker_threads.items()}
            users = {
                AccountRef.user(broker, user_id): thread
                for user_id, threads in self.user_broker_threads.items()
                for broker, thread in threads.items()
            }
            return masters | users

    def _thread_of(self, account: AccountRef) -> threading.Thread | None:
        with self._lock:
            if account.user_id is None:
                return self.broker_threads.get(account.broker)
            return self.user_broker_threads.get(account.user_id, {}).get(account.broker)

    def probes(self) -> Sequence[Probe]:
        """What shows whether a thread that hangs has kept what all of them need."""
        return [lock_probe("the registry of threads", self._lock), *self._revival.probes()]

    def heartbeat_age(self, account: AccountRef) -> float:
        """Seconds since the account's thread last began a step; NaN while it has none."""
        worker = self._workers.get(account)
        return float("nan") if worker is None else worker.heart.age_seconds()

    def wake(self, account: AccountRef) -> None:
        """Tell an account that copies may be waiting for it."""
        with self._lock:
            worker = self._workers.get(account)
        if worker is not None:
            worker.tell(Note.COPY)

    def notes_waiting(self) -> int:
        """In all accounts' inboxes together."""
        with self._lock:
            return sum(worker.inbox.qsize() for worker in self._workers.values())

    def wake_all(self) -> None:
        """Tell every account that it may have to sell what it holds."""
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.tell(Note.FLATTEN)

    def run_broker_trading_loop(self, broker_type: BrokerType, broker: BaseBroker) -> None:
        """The body of a master's thread."""
        self._run_worker(AccountRef.master(broker_type), broker)

    def run_user_broker_trading_loop(self, user_id: str, broker_type: BrokerType, broker: BaseBroker) -> None:
        """The body of a user's thread."""
        self._run_worker(AccountRef.user(broker_type, user_id), broker)

    # -- connector --------------------------------------------------------------------------------------------------
    def _run_connector(self, broker: BrokerType, first_pass: KeptThread | None) -> None:
        while not self._stop.is_set():
            beat("waiting")
            try:
                self.step(broker, connecting=first_pass is not None and first_pass.is_alive())
            except Fenced:
                raise
            except Exception:
                log.exception("%s connector: unexpected error", broker)
            self._clock.wait(self._stop, CONNECTOR_STEP_SECONDS)

    def step(self, broker: BrokerType, *, connecting: bool = False) -> None:
        """Look once after one brokerage: retry connections, start threads of funded accounts, replace lost ones."""
        end = self._clock.monotonic() + PASS_SECONDS
        self._let_go_of(broker)
        self._revival.step(broker)
        for connected in self._in_turn(broker):
            if self._stop.is_set() or self._clock.monotonic() > end:
                return
            self._look_after_guarded(connected)
        if not connecting:
            self._manager.retry_failed(broker, until=end)
        if self._share is not None:
            self._manager.connect_missing(broker, until=end)

    # -- giving back ------------------------------------------------------------------------------------------------
    def _let_go_of(self, broker: BrokerType) -> None:
        """Those that another process is to have: first the thread ends, then the connection, then the row is free."""
        for account in () if self._share is None else self._share.leaving(broker):
            try:
                self._let_go(account)
            except StoreUnavailable as error:
                log.error("%s is not given back yet: %s", account.label, error)

    def _let_go(self, account: AccountRef) -> None:
        beat(f"giving back {account.label}")
        thread = self._thread_of(account)
        if thread is not None and thread.is_alive():
            with self._lock:
                worker = self._workers.get(account)
            if worker is not None:
                worker.tell(Note.STOP)
            return
        self._forget_thread(account)
        self._revival.forget(account)
        self._manager.hand_over(account)
        self._on_handed_over(account)
        assert self._share is not None, "nobody else has asked for it"
        self._share.let_go(account)

    # -- looking after them -----------------------------------------------------------------------------------------
    def _in_turn(self, broker: BrokerType) -> Sequence[BaseBroker]:
        """The brokerage's connected accounts: first those with a thread, then by how long nobody looked at them."""
        running = self.threads()
        return sorted(
            (
                connected
                for connected in self._manager.connected()
                if connected.broker_type is broker and (self._share is None or self._share.holds(connected.account))
            ),
            key=lambda each: float("-inf") if each.account in running else self._checked_at.get(each.account, 0.0),
        )

    def _look_after_guarded(self, broker: BaseBroker) -> None:
        """One account's trouble does not cost the accounts behind it their turn."""
        beat(f"looking after {broker.account.label}")
        try:
            self._look_after(broker)
        except Fenced:
            raise
        except Exception as error:
            log.exception("%s: unexpected error while it was looked after", broker.account.label)
            status = self._statuses[broker.account]
            status.set_health(HealthState.DEGRADED, f"{type(error).__name__}: {error}", error=True)
            status.publish()

    def _look_after(self, broker: BaseBroker) -> None:
        account = broker.account
        thread = self._thread_of(account)
        if self._manager.is_leaving(account) and not self._has_duties(account):
            self._see_off(account, thread)
            return
        if thread is not None:
            if not thread.is_alive():
                self._see_to_death(broker)
            return
        if self._revival.is_out(account):
            return
        now = self._clock.monotonic()
        pause = min(FUNDING_CHECK_SECONDS, self._times.period_seconds)
        if now - self._checked_at.get(account, float("-inf")) < pause:
            return
        self._checked_at[account] = now
        reading = broker.refresh_balance()
        status = self._statuses[account]
        status.balance(reading)
        waiting = self._not_funded(account, broker, reading)
        status.fact("funded", true=not waiting)
        status.waiting(waiting)
        if waiting and reading.holdings is None:
            status.set_health(HealthState.DEGRADED, waiting, error=True)
        elif waiting:
            status.set_health(HealthState.STARTING, waiting)
        if not waiting and self._may_trade(account):
            self._start_thread(broker)
        elif not waiting:
            status.waiting("another master trades and MULTI_BROKER_INDEPENDENT is false")
        status.publish()

    def _see_off(self, account: AccountRef, thread: threading.Thread | None) -> None:
        """Nothing is left to do for a user who left: first its thread ends, then its connection."""
        if thread is not None and thread.is_alive():
            with self._lock:
                self._workers[account].tell(Note.STOP)
            return
        self._forget_thread(account)
        self._manager.release(account)
        self._on_left(account)

    def _not_funded(self, account: AccountRef, broker: BaseBroker, reading: BalanceReading) -> str:
        """Why the account gets no thread yet, in the operator's words, or an empty text."""
        if self._has_duties(account):
            return ""
        if reading.holdings is None:
            return f"balance unknown: {reading.reason}"
        value, currency = broker.value_holdings(reading.holdings), broker.quote_currency
        if currency not in self._at_par and self._minimum_funded_usd > 0:
            return (
                f"not known to be funded: it has {value:.2f} {currency}, and what that is in USD is not known; "
                f"name {currency} in risk.at_par_with_usd to count it one to one, or set minimum_funded_usd to 0"
            )
        if value < self._minimum_funded_usd:
            return f"not funded: {value:.2f} is below {self._minimum_funded_usd:f} {currency}"
        return ""

    def _may_trade(self, account: AccountRef) -> bool:
        """With MULTI_BROKER_INDEPENDENT=false only the first funded master trades."""
        if self._multi_broker or not account.is_master:
            return True
        with self._lock:
            # Claimed here, at once: two brokerages' connectors ask at the same time.
            if self._only_master is None:
                self._only_master = account.broker
            return self._only_master is account.broker

    def _see_to_death(self, broker: BaseBroker) -> None:
        account = broker.account
        if self._revival.may_restart(account):
            log.error("%s: its thread died; starting it again", account.label)
            self._start_thread(broker)
        elif self._revival.is_out(account):
            self._forget_thread(account)

    def _forget_thread(self, account: AccountRef) -> None:
        with self._lock:
            self._workers.pop(account, None)
            self._checked_at.pop(account, None)
            if account.user_id is None:
                self.broker_threads.pop(account.broker, None)
            else:
                self.user_broker_threads.get(account.user_id, {}).pop(account.broker, None)

    def _given_up(self, account: AccountRef, thread: threading.Thread, hang: Hang) -> None:
        """In the watchdog's thread: it is shut out. Its connector finds it without a thread and brings it back."""
        self._revival.give_up(account, str(hang), thread)
        self._forget_thread(account)

    def _start_thread(self, broker: BaseBroker) -> None:
        account = broker.account
        if account.user_id is None:
            self._banner("STARTING MASTER BROKER THREADS")
            thread = threading.Thread(target=self.run_broker_trading_loop, args=(account.broker, broker))
        else:
            self._banner("STARTING USER BROKER THREADS")
            thread = threading.Thread(
                target=self.run_user_broker_trading_loop, args=(account.user_id, account.broker, broker)
            )
        thread.name, thread.daemon = f"Trader-{account.label}", True
        worker = self._make_worker(broker)
        with self._lock:
            beat(f"starting {account.label}")  # not for a connector that was replaced while it hung
            self._workers[account] = worker
            if account.user_id is None:
                self.broker_threads[account.broker] = thread
            else:
                self.user_broker_threads.setdefault(account.user_id, {})[account.broker] = thread
        thread.start()
        self._watch(broker, worker, thread)
        log.info("Started independent trading thread for %s (%s)", account.label, account.account_type.upper())

    def _watch(self, broker: BaseBroker, worker: AccountWorker, thread: threading.Thread) -> None:
        care, account = self._supervision, broker.account
        if care.watchdog is None:
            return
        care.watchdog.watch(
            Ward(
                name=account.label,
                thread=thread,
                heart=worker.heart,
                cut=lambda: care.cut(thread),
                fence=lambda: care.fence(account),
                revoke=broker.close,
                on_hang=lambda hang: self._given_up(account, thread, hang),
            )
        )

    def _banner(self, text: str) -> None:
        with self._lock:
            new = text not in self._banners
            self._banners.add(text)
        if new:
            log.info("%s", text)

    def _make_worker(self, broker: BaseBroker) -> AccountWorker:
        return AccountWorker(
            desk=self._open_desk(broker),
            strategy=self._strategy,
            times=self._times,
            clock=self._clock,
            ids=self._ids,
            stop=self._stop,
            on_cycle=self._on_cycle,
            step_seconds=self._supervision.step_seconds,
        )

    def _run_worker(self, account: AccountRef, broker: BaseBroker) -> None:
        with self._lock:
            worker = self._workers.get(account) or self._workers.setdefault(account, self._make_worker(broker))
        status = self._statuses[account]
        status.fact("armed", true=True)
        try:
            worker.run()
        except Exception as error:
            log.exception("%s: its thread ends: %s", account.label, error)
            status.set_health(HealthState.FAILED, f"its thread ended: {type(error).__name__}: {error}", error=True)
            status.publish()
