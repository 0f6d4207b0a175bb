"""One run of the bot: lock, store, objects, threads, signals, exit code."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TypedDict

from sqlalchemy import URL, Connection

from bot import exit_codes
from bot.account_share import AccountShare, digest_of
from bot.alert_desk import AlertDesk
from bot.boot_record import BootRecord
from bot.brokers.paper_venue import PaperVenue
from bot.build import build_of
from bot.composition import Parts, World, compose
from bot.console_feed import ShownCandles
from bot.console_keeper import ConsoleKeeper
from bot.control_desk import ControlDesk
from bot.copy_trade_engine import start_copy_engine
from bot.diagnostics.figures import OpenMatters
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.domain.halt import HaltSource
from bot.instance import InstanceLease, LeaseConnection, ProcessLease, Transact, Turn
from bot.kill_switch import KillSwitch
from bot.news_desk import NewsDesk
from bot.observability.health_pages import serve
from bot.observability.logs import LOG_FILE, log_the_uncaught, set_up_logging
from bot.observability.metrics import Metrics
from bot.observability.pages import Pages
from bot.observability.readiness import CountedTick, Readiness, Tick
from bot.observability.redactor import Redactor
from bot.platform_port import PlatformPort
from bot.seams import failpoints
from bot.seams.clock import Clock, SystemClock
from bot.seams.failpoints import failpoint
from bot.seams.ids import IdSource, SystemIds
from bot.settings import Settings
from bot.settings.loading import config_directory, inherited_environment, process_environment
from bot.start_checks import (
    banner,
    check_disk,
    check_keys,
    check_mode,
    make_private_directory,
    shut_out_others,
    unusable,
)
from bot.storage import instance_lease, market_rows, process, processes, wakeups
from bot.storage.chain_sealing import ChainSealer
from bot.storage.installation import Installation, open_installation
from bot.storage.instance_lease import Holder
from bot.storage.place import DATABASE_FILE, database_url, is_a_file
from bot.storage.postgres_installation import PostgresOpening, Sharing
from bot.storage.retention import Retention, kept
from bot.storage.store import Store
from bot.storage.watch import StoreWatch
from bot.supervision.heart import Heart, beat
from bot.supervision.instance_lock import AlreadyRunning, InstanceLock
from bot.supervision.last_resort import WatchdogGuard, end_process
from bot.supervision.service_manager import ServiceManager
from bot.supervision.signals import SignalListener
from bot.supervision.watchdog import Ward, Watchdog

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
# Between two tries to start our paper exchange again.
REVIVE_SECONDS = 5.0
LOCK_CHECK_SECONDS = 60.0
# Kept for a trace of what hangs, when the time to stop is over.
LAST_WORDS_SECONDS = 1.5
# At the end, for sealing what is new in history.
SEAL_SECONDS = 2.0


class _Myself(TypedDict):
    """What the row of the lease says of this process."""

    owner: str
    pid: int
    lease_seconds: float
    now: datetime


class Run:
    """One run of the bot, from the lock to the exit code."""

    def __init__(self, settings: Settings, *, seconds: float | None) -> None:
        self._settings = settings
        self._seconds = seconds
        self._stop = threading.Event()
        self._stop_by = float("inf")
        self._reason = "asked to stop"
        self._revive_at = 0.0
        self._failure = exit_codes.OK
        self._clock: Clock = SystemClock(offset_seconds=settings.test_clock_offset_seconds)
        self._ids: IdSource = SystemIds()
        self._metrics = Metrics()
        self._redactor = Redactor()
        self._readiness = Readiness()
        self._boot: BootRecord | None = None
        self._service_manager = ServiceManager(inherited_environment())
        self._platform_port = PlatformPort(settings, process_environment(), self._readiness, self._clock)
        self._turn = Tick(self._clock)
        self._readiness.ages["the main loop"] = self._turn.age_seconds
        self._kill_switch: KillSwitch | None = None
        self._pages: Pages | None = None
        self._kill_asked = False
        self._signals = SignalListener(
            {
                signal.SIGTERM: self._on_stop_signal,
                signal.SIGINT: self._on_stop_signal,
                signal.SIGUSR1: self._on_kill_signal,
            }
        )

    def run(self) -> int:
        """Everything, in order; what was opened is closed in the reverse order."""
        # Before anything is opened: whoever stops the bot while it starts gets a clean end too.
        self._signals.start()
        directory = self._settings.state_dir
        make_private_directory(directory)
        self._lock = lock = InstanceLock(directory)
        try:
            lock.acquire()  # lint: refuses at once instead of waiting
        except AlreadyRunning as error:
            print(f"NIJA cannot start: {error}", file=sys.stderr)
            return exit_codes.ALREADY_RUNNING
        except OSError as error:
            raise unusable(directory, error) from error
        try:
            return self._with_lock()
        finally:
            # All is done and the exit code is known: a late signal must not make it look like a crash.
            self._signals.ignore()
            lock.release()

    def _with_lock(self) -> int:
        settings = self._settings
        try:
            set_up_logging(
                settings.state_dir, level=settings.log_level, as_json=settings.log_json, redactor=self._redactor
            )
        except OSError as error:
            raise unusable(settings.state_dir, error) from error
        log_the_uncaught()
        logging.getLogger().addHandler(self._metrics.count_lines())
        failpoints.install(settings.failpoints)
        try:
            return self._with_store()
        except ConfigurationError as error:
            for problem in error.problems:
                log.critical("NIJA cannot start: %s", problem)
            return exit_codes.WRONG_USE
        except StoreUnavailable as error:
            log.critical("NIJA ends, because nothing can be written down: %s", error)
            return exit_codes.SOMETHING_WRONG

    def _with_store(self) -> int:
        settings = self._settings
        build = build_of(settings)
        log.info("Build %s, configuration %s", build["build"], build["configuration"])
        self._readiness.build = build
        self._metrics.build_info.labels(**build).set(1.0)
        banner(settings)
        shut_out_others(settings.state_dir, config_directory().parent / ".env")
        if self._stop.is_set():
            log.info("Stopping: %s. Nothing was started yet", self._reason)
            return exit_codes.OK
        check_disk(settings)
        url = database_url(settings)
        self._redactor.add(str(url.password or ""))
        pages = self._pages = serve(
            settings.metrics_host,
            settings.metrics_port,
            metrics=self._metrics,
            readiness=self._readiness,
            clock=self._clock,
        )
        # Also while this process waits for its turn: the platform ends the other one only when this one lives.
        self._platform_port.open()
        try:
            return self._on_file() if is_a_file(url) else self._on_server(url)
        finally:
            self._platform_port.close()
            if pages is not None:
                pages.close()

    def _on_file(self) -> int:
        """SQLite: the lock on the state directory, which is ours, keeps other processes out."""
        installation = open_installation(
            self._settings.state_dir / DATABASE_FILE, now=self._clock.now(), fresh_id=self._ids.token
        )
        store = Store(installation.url)
        store.start()
        try:
            holder = store.write(
                lambda connection: instance_lease.take(connection, **self._myself(), owner_is_gone=True)
            )
            assert holder is not None
            lease = self._hold(holder, self._clock.monotonic(), transact=store.write, strict=False)
            lease.start()
            try:
                return self._with_lease(store, installation, lease)
            finally:
                # Not given back: who has the lock on the directory takes it at once.
                lease.end()
        finally:
            store.close(self._left_seconds())

    def _on_server(self, url: URL) -> int:
        """PostgreSQL: other processes may be there, and this one waits for its turn."""
        connection = LeaseConnection(url, in_turn=self._settings.scaling.mode == "one")
        turn = Turn(
            PostgresOpening(
                url,
                self._settings.state_dir,
                now=self._clock.now,
                fresh_id=self._ids.token,
                sharing=self._sharing(),
            ),
            clock=self._clock,
            stop=self._stop,
            owner=self._ids.token(),
            pid=os.getpid(),
            lease_seconds=self._settings.instance.lease_seconds,
            hold=lambda holder, asked_at: self._hold(holder, asked_at, transact=connection, strict=True),
            on_waiting=self._on_waiting,
        )
        try:
            installation = turn.wait()  # lint: looks at the stop event between its tries
            if installation is None or turn.lease is None:
                log.info("Stopping: %s. Nothing was started yet", self._reason)
                return exit_codes.OK
            store = Store(installation.url)
            store.start()
            try:
                return self._with_lease(store, installation, turn.lease)
            finally:
                store.close(self._left_seconds())
        finally:
            if turn.lease is not None:
                turn.lease.give_back()
            connection.close()

    def _myself(self) -> _Myself:
        return {
            "owner": self._ids.token(),
            "pid": os.getpid(),
            "lease_seconds": self._settings.instance.lease_seconds,
            "now": self._clock.now(),
        }

    def _sharing(self) -> Sharing | None:
        """What this process says of itself to others that share the accounts with it; None = it works alone."""
        settings = self._settings
        if settings.scaling.mode != "many":
            return None
        masters = [AccountRef.master(master.broker) for master in settings.masters if master.enabled]
        return Sharing(digest_of([*masters, *(user.account for user in settings.users)]), settings.scaling.share)

    def _hold(self, holder: Holder, asked_at: float, *, transact: Transact, strict: bool) -> InstanceLease:
        if self._settings.scaling.mode == "many":
            return ProcessLease(
                transact,
                clock=self._clock,
                process_id=holder.owner,
                epoch=holder.epoch,
                lease_seconds=self._settings.instance.lease_seconds,
                renewed_at=asked_at,
                on_lost=lambda why: self._end_when(why, exit_codes.LEASE_LOST),
            )
        return InstanceLease(
            transact,
            clock=self._clock,
            epoch=holder.epoch,
            lease_seconds=self._settings.instance.lease_seconds,
            renewed_at=asked_at,
            strict=strict,
            on_lost=lambda why: self._end_when(why, exit_codes.LEASE_LOST),
        )

    def _on_waiting(self, what: str) -> None:
        self._turn.turn()
        self._readiness.waiting = what
        self._service_manager.waiting(what)

    def _with_lease(self, store: Store, installation: Installation, lease: InstanceLease) -> int:
        self._boot = boot = BootRecord(store, self._clock, self._settings)
        boot.begin()
        try:
            code = self._as_this_boot(store, installation, lease)
        except ConfigurationError as error:
            boot.end(exit_codes.WRONG_USE, error.problems[0])
            raise
        except StoreUnavailable as error:
            # It may be back by now. If not, the next start takes this one for crashed.
            boot.end(exit_codes.SOMETHING_WRONG, str(error))
            raise
        boot.end(code, self._reason)
        return code

    def _as_this_boot(self, store: Store, installation: Installation, lease: InstanceLease) -> int:
        settings = self._settings
        check_mode(settings, store)
        check_keys(settings, store)
        paper = self._open_paper_exchange() if settings.trading_mode == "paper" else None
        try:
            # Only now: a start that was refused leaves the directory free for either mode.
            store.write(lambda connection: process.set_meta(connection, "mode", settings.trading_mode))
            world = World(
                settings=settings,
                environ=process_environment(),
                store=store,
                clock=self._clock,
                ids=self._ids,
                install_id=installation.install_id,
                metrics=self._metrics,
                redactor=self._redactor,
                stop=self._stop,
                paper=paper,
                on_fatal=self._end_at_once,
                instance=lease,
                process_id=lease.process_id if isinstance(lease, ProcessLease) else None,
            )
            return self._trade(world, compose(world), StoreWatch(store, installation, self._clock), lease)
        finally:
            if paper is not None:
                paper.close()

    def _trade(self, world: World, parts: Parts, watch: StoreWatch, lease: InstanceLease) -> int:
        world.store.write(self._write_start)
        self._show(world, parts, watch, lease)
        # What is halted is said before anybody trades, and a file that came while nothing ran is taken up.
        parts.kill_switch.look()
        start_copy_engine(parts.engine)
        parts.watchdog.start()
        if parts.market_watch is not None:
            parts.market_watch.start()
        listener = None if parts.share is None else self._start_sharing(world, parts, parts.share)
        console = self._open_console(world, parts)
        desk = ControlDesk(
            store=world.store,
            clock=self._clock,
            kill_switch=parts.kill_switch,
            wake_all=parts.trader.wake_all,
            watchdog=parts.watchdog,
        )
        desk.start()
        parts.strategy.start_independent_multi_broker_trading()
        news = NewsDesk(world, self._readiness, parts.watchdog)
        try:
            news.start()
            keeper = threading.Thread(
                target=self._keep_house, args=(world, parts, watch, news), name="Housekeeper", daemon=True
            )
            keeper.start()
            self._wait_for_the_end()
        finally:
            # First: nothing new leaves, and who is asked to end must not be replaced.
            parts.shared.ending.begin()
            parts.watchdog.stop()
            if self._boot is not None and not self._failure:
                self._boot.was_stopped()
            if listener is not None:
                listener.stop(BEAT_SECONDS)
            desk.stop(BEAT_SECONDS)
            left = self._shut_down(world, parts)
            news.stop(min(BEAT_SECONDS, self._left_seconds()))
            watch.mark()
            if console is not None:
                console.stop(self._left_seconds())
        return self._failure or (exit_codes.UNCLEAN_STOP if left else exit_codes.OK)

    def _open_console(self, world: World, parts: Parts) -> ConsoleKeeper | None:
        if not self._settings.console.enabled and "PORT" not in world.environ:
            return None
        watch = parts.market_watch
        console = ConsoleKeeper(
            self._settings,
            environ=world.environ,
            config_dir=str(config_directory()),
            clock=self._clock,
            readiness=self._readiness,
            metrics_url=self._metrics_url,
            markets=lambda: {} if watch is None else {watch.broker: watch.values},
            candles=lambda: _shown_candles(world, parts),
            watchdog=parts.watchdog,
            platform_port=self._platform_port,
        )
        console.start()
        return console

    def _metrics_url(self) -> str:
        return "" if self._pages is None else f"http://127.0.0.1:{self._pages.port}/metrics"

    def _write_start(self, connection: Connection) -> None:
        process.start_process(connection, pid=os.getpid(), mode=self._settings.trading_mode, now=self._clock.now())

    def _start_sharing(self, world: World, parts: Parts, share: AccountShare) -> wakeups.Listener:
        """From here on this process takes accounts, and hears of what others have written."""

        def heard(word: str) -> None:
            if word in ("", wakeups.SIGNAL):
                parts.engine.notify()
            if word in ("", wakeups.ACCOUNTS):
                share.wake()

        share.start()
        listener = wakeups.Listener(world.store.url, clock=self._clock, on_word=heard)
        listener.start()
        return listener

    def _show(self, world: World, parts: Parts, watch: StoreWatch, lease: InstanceLease) -> None:
        """From here on health checks and metrics speak of trading."""
        self._metrics.watch(
            store_queue=lambda: float(world.store.queue_depth),
            store_figures=OpenMatters(world.store, self._clock, self._settings).figures,
        )
        self._readiness.ages["the watchdog"] = CountedTick(self._clock, lambda: parts.watchdog.ticks).age_seconds
        self._readiness.problems += [watch.problem, lease.problem, self._stopping]
        self._readiness.accounts = parts.strategy.get_multi_broker_status
        self._readiness.waiting = ""
        self._service_manager.ready("Trading")
        self._kill_switch = parts.kill_switch
        if self._kill_asked:
            self._pull_kill_switch()

    def _stopping(self) -> str:
        return f"stopping: {self._reason}" if self._stop.is_set() else ""

    def _wait_for_the_end(self) -> None:
        """The main thread waits for nothing else, so that a stop is begun at once."""
        end = None if self._seconds is None else self._clock.monotonic() + self._seconds
        while not self._stop.is_set():
            left = BEAT_SECONDS if end is None else min(BEAT_SECONDS, end - self._clock.monotonic())
            if left <= 0:
                self._ask_to_stop(f"ran for the {self._seconds:g} s it was asked to")
            else:
                self._clock.wait(self._stop, left)

    def _keep_house(self, world: World, parts: Parts, watch: StoreWatch, news: NewsDesk) -> None:
        """Beat, watch the store, the lock and the exchange, write the summary: what may take a while."""
        try:
            with self._watched_itself(parts.watchdog):
                self._look_after(world, parts, watch, news)
        except Exception:
            log.exception("unexpected error while looking after the process")
            self._end_when("nothing looks after the process any more", exit_codes.SOMETHING_WRONG)

    def _look_after(self, world: World, parts: Parts, watch: StoreWatch, news: NewsDesk) -> None:
        every = self._settings.summary_every_cycles * self._settings.pace.cycle_seconds
        summary_at = self._clock.monotonic() + every
        lock_at = self._clock.monotonic() + LOCK_CHECK_SECONDS
        guard = WatchdogGuard(
            parts.watchdog,
            silence_seconds=self._settings.supervision.watchdog_silence_seconds,
            longest_turn_seconds=2 * BEAT_SECONDS,
        )
        sealer = ChainSealer(world.store, self._clock)
        alert_desk = AlertDesk(world.store, self._clock, self._settings, announcer=news.announcer, leads=news.leads)
        days = self._settings.storage
        retention = Retention(
            world.store,
            self._clock,
            kept(
                balance_readings_days=days.keep_balance_readings_days,
                health_changes_days=days.keep_health_changes_days,
                decisions_days=days.keep_decisions_days,
            ),
        )
        parts.garbage.start(self._clock.monotonic())
        while not self._stop.is_set():
            beat("looking after the process")
            failpoint("main_turn")
            self._turn.turn()
            now = self._clock.monotonic()
            if problem := guard.problem():
                self._end_at_once(problem)
            # Right after that look: systemd's word is worth what ours is.
            self._service_manager.alive()
            self._end_when(watch.beat(), exit_codes.SOMETHING_WRONG)
            if now >= lock_at:
                lock_at = now + LOCK_CHECK_SECONDS
                self._end_when(self._other_owner(), exit_codes.ALREADY_RUNNING)
            parts.kill_switch.look()
            sealer.turn()
            alert_desk.turn()
            retention.turn()
            if self._boot is not None:
                self._boot.turn()
            self._keep_exchange_alive(world)
            if now >= summary_at:
                summary_at = now + every
                _summarise(world, parts)
            parts.garbage.tidy(now)
            self._clock.wait(self._stop, BEAT_SECONDS)

    @contextmanager
    def _watched_itself(self, watchdog: Watchdog) -> Iterator[None]:
        """The watchdog watches this thread, which watches it."""
        heart = Heart(self._clock, step_seconds=self._settings.supervision.step_seconds)
        watchdog.watch(Ward(name="Housekeeper", thread=threading.current_thread(), heart=heart, vital=True))
        try:
            with heart.beating():
                yield
        finally:
            # Its end is a clean one, whatever the reason; a watchdog that still looks must not take it for a death.
            watchdog.forget("Housekeeper")

    def _end_at_once(self, reason: str) -> None:
        end_process(reason, log_file=self._settings.state_dir / LOG_FILE, code=exit_codes.WATCHDOG)

    def _end_when(self, problem: str, code: int) -> None:
        """A problem that going on would make worse ends the run; nothing more is sent."""
        if problem and not self._stop.is_set():
            log.critical("NIJA ends: %s. Nothing more is sent. docs/runbook.md says how to go on", problem)
            self._failure = code
            self._ask_to_stop(problem)

    # -- stopping ---------------------------------------------------------------------------------------------------
    def _on_stop_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            # The second signal: the operator does not want to wait. What is in flight is settled at the next start.
            os._exit(exit_codes.UNCLEAN_STOP)
        self._ask_to_stop(f"signal {number.name}")

    def _on_kill_signal(self, _number: signal.Signals) -> None:
        self._kill_asked = True
        # Writing it down can take a while; a signal to stop must be heard meanwhile.
        threading.Thread(target=self._pull_kill_switch, name="KillSignal", daemon=True).start()

    def _pull_kill_switch(self) -> None:
        if self._kill_switch is not None:
            self._kill_switch.pull(source=HaltSource.SIGNAL, reason="signal SIGUSR1", by="signal")

    def _ask_to_stop(self, reason: str) -> None:
        self._reason = reason
        self._stop_by = self._clock.monotonic() + self._settings.shutdown_seconds
        self._stop.set()
        threading.Thread(target=self._end_in_time, name="LastResort", daemon=True).start()
        self._service_manager.stopping(reason)

    def _end_in_time(self) -> None:
        """Whatever hangs, the process ends by its deadline; what was under way is settled at the next start."""
        self._clock.wait(threading.Event(), self._left_seconds(kept=LAST_WORDS_SECONDS))
        code = self._failure or exit_codes.UNCLEAN_STOP
        end_process("it did not stop in time", log_file=self._settings.state_dir / LOG_FILE, code=code)

    def _left_seconds(self, *, kept: float = 0.0) -> float:
        """Until the process must have ended, less what is kept for the steps that follow."""
        left = min(self._stop_by - self._clock.monotonic(), self._settings.shutdown_seconds)
        return max(0.1, left - kept)

    def _other_owner(self) -> str:
        """A sentence when the state directory belongs to another process by now."""
        try:
            if self._lock.confirm():
                log.error("The file %s was deleted; it is there again", self._settings.state_dir / "lock")
        except AlreadyRunning as error:
            return str(error)
        except OSError as error:
            log.error("The lock of %s cannot be confirmed: %s", self._settings.state_dir, error)
        return ""

    def _keep_exchange_alive(self, world: World) -> None:
        """Our paper exchange is started again when it ended; meanwhile its accounts wait and lose nothing."""
        if world.paper is None or not world.paper.ended():
            return
        now = self._clock.monotonic()
        if now < self._revive_at:
            return
        self._revive_at = now + REVIVE_SECONDS
        log.error("The paper exchange has ended; starting it again")
        try:
            world.paper.revive()
        except ConfigurationError as error:
            log.error("%s", error)
        else:
            log.info("The paper exchange is back")

    def _shut_down(self, world: World, parts: Parts) -> list[str]:
        """Orders in flight settled or recorded, one deadline."""
        log.info("Stopping: %s", self._reason)
        if parts.share is not None:
            parts.share.stop(BEAT_SECONDS)
        # A third for what comes after the threads: the last writes, and the exchange's end.
        kept = self._settings.shutdown_seconds / 3
        left = parts.strategy.stop_independent_trading(self._left_seconds(kept=kept))
        parts.engine.stop(self._left_seconds(kept=kept))
        if parts.market_watch is not None and not parts.market_watch.stop(self._left_seconds(kept=kept)):
            left.append("the market watch")
        for name in left:
            log.error("%s did not end in time; what it was doing is settled at the next start", name)
        _summarise(world, parts)
        if not left:
            parts.manager.close()
        parts.shared.close()
        if parts.share is not None and not left:
            _hand_over_nonces(parts)
        self._seal_history(world)
        now, reason, clean = self._clock.now(), self._reason, not left
        try:
            world.store.write(
                partial(_write_end, reason=reason, now=now, clean=clean, process_id=world.process_id),
                timeout_seconds=self._left_seconds(kept=kept / 2),
            )
        except StoreUnavailable as error:
            log.error("the end of this run was not written: %s", error)
        log.info("Stopped. State is in %s", self._settings.state_dir)
        return left

    def _seal_history(self, world: World) -> None:
        """What is not sealed now is sealed after the next start; the head is worth noting elsewhere."""
        if self._failure:
            return
        head = ChainSealer(world.store, self._clock).finish(within_seconds=min(SEAL_SECONDS, self._left_seconds() / 4))
        if head is not None:
            log.info("Fills and decisions are sealed up to link %d, head %s", head.sequence, head.link_sha256)

    def _open_paper_exchange(self) -> PaperVenue:
        paper = self._settings.paper
        if paper.exchange_control_url:
            token = paper.exchange_token.get_secret_value() if paper.exchange_token else ""
            self._redactor.add(token)
            return PaperVenue.attach(paper.exchange_control_url, token, self._clock)
        venue = PaperVenue.start(
            state_dir=self._settings.state_dir,
            clock=self._clock,
            seed=paper.seed,
            latency_milliseconds=paper.latency_milliseconds,
            stock_session=self._settings.alpaca.session,
        )
        self._redactor.add(venue.endpoint.token)
        log.info("Paper exchange started; its state is in %s", self._settings.state_dir / "paper")
        return venue


def _shown_candles(world: World, parts: Parts) -> list[ShownCandles]:
    """Of markets that are held or looked at closely."""
    shown = []
    for broker, cache in parts.strategy.candle_caches().items():
        with world.store.read() as connection:
            symbols = market_rows.held_symbols(connection, broker)
        if parts.market_watch is not None and parts.market_watch.broker == broker:
            symbols |= parts.market_watch.focus.keys()
        shown += [
            ShownCandles(str(broker), symbol, cache.interval_minutes, cache.known(symbol)) for symbol in sorted(symbols)
        ]
    return shown


def _hand_over_nonces(parts: Parts) -> None:
    try:
        parts.shared.kraken_keys.hand_over()
    except StoreUnavailable as error:
        log.warning("the next process skips some nonces: %s", error)


def _write_end(connection: Connection, *, reason: str, now: datetime, clean: bool, process_id: str | None) -> None:
    others = [each for each in processes.living(connection, now=now) if each.process_id != process_id]
    if not others:
        process.end_process(connection, reason=reason, now=now, clean=clean)


def _summarise(world: World, parts: Parts) -> None:
    """A store that cannot be read for a moment must not end the run: trading does not need the summary."""
    try:
        parts.strategy.log_multi_broker_status()
        for line in OpenMatters(world.store, world.clock, world.settings).lines():
            log.warning("LOOK AT THIS: %s", line)
    except Exception:
        log.exception("no summary")
