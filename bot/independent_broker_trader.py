"""One thread per funded account. Nothing an account does, suffers or waits for reaches another."""

import logging
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal

from bot.account_desk import AccountDesk
from bot.account_worker import AccountWorker, CycleTimes, Note
from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading
from bot.domain.health import AccountHealth, HealthState
from bot.execution.account_status import AccountStatus
from bot.multi_account_broker_manager import MultiAccountBrokerManager
from bot.seams.clock import Clock
from bot.seams.ids import IdSource
from bot.supervision.restarts import RestartPolicy
from bot.trading_strategy import TradingStrategy

log = logging.getLogger(__name__)

CONNECTOR_STEP_SECONDS = 0.5
# An account without a thread is looked at once a cycle, and at least this often.
FUNDING_CHECK_SECONDS = 15.0
DIED_TOO_OFTEN = "its thread died too often; a person must look"


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
        multi_broker: bool,
        clock: Clock,
        ids: IdSource,
        stop: threading.Event,
        open_desk: Callable[[BaseBroker], AccountDesk],
        has_duties: Callable[[AccountRef], bool],
        statuses: Mapping[AccountRef, AccountStatus],
        on_cycle: Callable[[AccountRef, str, float], None],
        on_left: Callable[[AccountRef], None] = lambda _account: None,
    ) -> None:
        self.broker_threads: dict[BrokerType, threading.Thread] = {}
        self.user_broker_threads: dict[str, dict[BrokerType, threading.Thread]] = {}
        self._manager = manager
        self._strategy = strategy
        self._times = times
        self._minimum_funded_usd = minimum_funded_usd
        self._multi_broker = multi_broker
        self._clock = clock
        self._ids = ids
        self._stop = stop
        self._open_desk = open_desk
        self._has_duties = has_duties
        self._statuses = statuses
        self._on_cycle = on_cycle
        self._on_left = on_left
        self._workers: dict[AccountRef, AccountWorker] = {}
        self._restarts: dict[AccountRef, RestartPolicy] = {}
        self._connectors: list[threading.Thread] = []
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
            thread = threading.Thread(
                target=self._run_connector, args=(broker,), name=f"Connector-{broker}", daemon=True
            )
            self._connectors.append(thread)
            thread.start()

    def stop_independent_trading(self, timeout_seconds: float) -> list[str]:
        """Ask all threads to stop and wait for them together; returns the labels of those that did not end."""
        self._stop.set()
        with self._lock:
            workers = dict(self._workers)
        for worker in workers.values():
            worker.tell(Note.STOP)
        deadline = self._clock.monotonic() + timeout_seconds
        threads = [*self._connectors, *self.threads().values()]
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

    def wake(self, account: AccountRef) -> None:
        """Tell an account that copies may be waiting for it."""
        with self._lock:
            worker = self._workers.get(account)
        if worker is not None:
            worker.tell(Note.COPY)

    def run_broker_trading_loop(self, broker_type: BrokerType, broker: BaseBroker) -> None:
        """The body of a master's thread."""
        self._run_worker(AccountRef.master(broker_type), broker)

    def run_user_broker_trading_loop(self, user_id: str, broker_type: BrokerType, broker: BaseBroker) -> None:
        """The body of a user's thread."""
        self._run_worker(AccountRef.user(broker_type, user_id), broker)

    # -- connector --------------------------------------------------------------------------------------------------
    def _run_connector(self, broker: BrokerType) -> None:
        # The pass that connects users takes its time; the master must not wait for it to trade.
        first_pass = threading.Thread(
            target=self._manager.connect_brokerage, args=(broker,), name=f"Connect-{broker}", daemon=True
        )
        first_pass.start()
        while not self._stop.is_set():
            try:
                self.step(broker, connecting=first_pass.is_alive())
            except Exception:
                log.exception("%s connector: unexpected error", broker)
            self._clock.wait(self._stop, CONNECTOR_STEP_SECONDS)

    def step(self, broker: BrokerType, *, connecting: bool = False) -> None:
        """Look once after one brokerage: retry connections, start threads of funded accounts, restart dead ones."""
        if not connecting:
            self._manager.retry_failed(broker)
        for connected in self._manager.connected():
            if connected.broker_type is broker and not self._stop.is_set():
                self._look_after_guarded(connected)

    def _look_after_guarded(self, broker: BaseBroker) -> None:
        """One account's trouble does not cost the accounts behind it their turn."""
        try:
            self._look_after(broker)
        except Exception as error:
            log.exception("%s: unexpected error while it was looked after", broker.account.label)
            status = self._statuses[broker.account]
            status.set_health(HealthState.DEGRADED, f"{type(error).__name__}: {error}", error=True)
            status.publish()

    def _look_after(self, broker: BaseBroker) -> None:
        account = broker.account
        thread = self.threads().get(account)
        if self._manager.is_leaving(account) and not self._has_duties(account):
            self._see_off(account, thread)
            return
        if thread is not None:
            if not thread.is_alive():
                self._restart(broker)
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
        with self._lock:
            self._workers.pop(account, None)
            self.user_broker_threads.get(account.user_id or "", {}).pop(account.broker, None)
        self._manager.release(account)
        self._on_left(account)

    def _not_funded(self, account: AccountRef, broker: BaseBroker, reading: BalanceReading) -> str:
        """Why the account gets no thread yet, in the operator's words, or an empty text."""
        if self._has_duties(account):
            return ""
        if reading.holdings is None:
            return f"balance unknown: {reading.reason}"
        value = broker.value_holdings(reading.holdings)
        if value < self._minimum_funded_usd:
            return f"not funded: {value:.2f} is below {self._minimum_funded_usd:f} {broker.quote_currency}"
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

    def _restart(self, broker: BaseBroker) -> None:
        account = broker.account
        policy = self._restarts.setdefault(account, RestartPolicy(clock=self._clock, ids=self._ids))
        wait = policy.next_wait_seconds()
        status = self._statuses[account]
        if wait is None:
            if status.health.reason != DIED_TOO_OFTEN:
                status.set_health(HealthState.FAILED, DIED_TOO_OFTEN)
                status.publish()
        elif wait == 0:
            policy.restarted()
            log.error("%s: its thread died; starting it again", account.label)
            self._start_thread(broker)

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
            self._workers[account] = worker
            if account.user_id is None:
                self.broker_threads[account.broker] = thread
            else:
                self.user_broker_threads.setdefault(account.user_id, {})[account.broker] = thread
        thread.start()
        log.info("Started independent trading thread for %s (%s)", account.label, account.account_type.upper())

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
