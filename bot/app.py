"""`python bot.py`: settings, objects, threads, signals, exit code."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bot import exit_codes
from bot.brokers.paper_venue import PaperVenue
from bot.composition import Parts, World, compose
from bot.copy_trade_engine import start_copy_engine
from bot.diagnostics.commands import parser
from bot.diagnostics.figures import OpenMatters
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.environment import ALREADY_TRIED
from bot.live_keys import check_live_keys, report_unknown_variables
from bot.observability.logs import LOG_FILE, Redactor, set_up_logging
from bot.observability.metrics import Metrics
from bot.roster import Roster
from bot.seams import failpoints
from bot.seams.clock import Clock, SystemClock
from bot.seams.ids import IdSource, SystemIds
from bot.settings import Settings, load_settings
from bot.settings.env_source import KNOWN_VARIABLES, PREFIX
from bot.settings.loading import process_environment
from bot.storage import process
from bot.storage.ephemeral import throws_away
from bot.storage.installation import Installation, open_installation
from bot.storage.place import DATABASE_FILE
from bot.storage.store import Store
from bot.storage.watch import StoreWatch
from bot.supervision.heart import Heart, beat
from bot.supervision.instance_lock import AlreadyRunning, InstanceLock
from bot.supervision.last_resort import WatchdogGuard, end_process
from bot.supervision.watchdog import Ward, Watchdog

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
# Between two tries to start our paper exchange again.
REVIVE_SECONDS = 5.0
LOCK_CHECK_SECONDS = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the process's exit code."""
    arguments = parser().parse_args(argv)
    try:
        settings = load_settings()
        if arguments.run is not None:
            code: int = arguments.run(settings, arguments)
            return code
        return _Run(settings, seconds=arguments.seconds).run()
    except ConfigurationError as error:
        for problem in error.problems:
            print(f"NIJA cannot start: {problem}", file=sys.stderr)
        return exit_codes.WRONG_USE


class _Run:
    """One run of the bot, from the lock to the exit code."""

    def __init__(self, settings: Settings, *, seconds: float | None) -> None:
        self._settings = settings
        self._seconds = seconds
        self._stop = threading.Event()
        self._reason = "asked to stop"
        self._revive_at = 0.0
        self._failure = exit_codes.OK
        self._clock: Clock = SystemClock(offset_seconds=settings.test_clock_offset_seconds)
        self._ids: IdSource = SystemIds()
        self._metrics = Metrics()
        self._redactor = Redactor()

    def run(self) -> int:
        """Everything, in order; what was opened is closed in the reverse order."""
        # Before anything is opened: whoever stops the bot while it starts gets a clean end too.
        self._listen_to_signals()
        directory = self._settings.state_dir
        _make_private_directory(directory)
        self._lock = lock = InstanceLock(directory)
        try:
            lock.acquire()  # lint: refuses at once instead of waiting
        except AlreadyRunning as error:
            print(f"NIJA cannot start: {error}", file=sys.stderr)
            return exit_codes.ALREADY_RUNNING
        except OSError as error:
            raise _unusable(directory, error) from error
        try:
            return self._with_lock()
        finally:
            # All is done and the exit code is known: a late signal must not make it look like a crash.
            _ignore_signals()
            lock.release()

    def _with_lock(self) -> int:
        settings = self._settings
        try:
            set_up_logging(
                settings.state_dir, level=settings.log_level, as_json=settings.log_json, redactor=self._redactor
            )
        except OSError as error:
            raise _unusable(settings.state_dir, error) from error
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
        _banner(self._settings)
        if self._stop.is_set():
            log.info("Stopping: %s. Nothing was started yet", self._reason)
            return exit_codes.OK
        self._check_disk()
        installation = open_installation(
            self._settings.state_dir / DATABASE_FILE, now=self._clock.now(), fresh_id=self._ids.token
        )
        store = Store(installation.url)
        store.start()
        try:
            return self._with_exchange(store, installation)
        finally:
            store.close()

    def _with_exchange(self, store: Store, installation: Installation) -> int:
        self._check_state(store)
        self._check_keys(store)
        paper = self._open_paper_exchange() if self._settings.trading_mode == "paper" else None
        try:
            # Only now: a start that was refused leaves the directory free for either mode.
            store.write(lambda connection: process.set_meta(connection, "mode", self._settings.trading_mode))
            world = World(
                settings=self._settings,
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
            )
            return self._trade(world, compose(world), StoreWatch(store, installation, self._clock))
        finally:
            if paper is not None:
                paper.close()

    def _trade(self, world: World, parts: Parts, watch: StoreWatch) -> int:
        stop_metrics = self._serve_metrics(world)
        now = self._clock.now()
        world.store.write(
            lambda connection: process.start_process(
                connection, pid=os.getpid(), mode=self._settings.trading_mode, now=now
            )
        )
        start_copy_engine(parts.engine)
        parts.watchdog.start()
        parts.strategy.start_independent_multi_broker_trading()
        try:
            with self._watched_itself(parts.watchdog):
                self._watch(world, parts, watch)
        finally:
            # First: who is asked to end must not be replaced.
            parts.watchdog.stop()
            left = self._shut_down(world, parts)
            watch.mark()
            stop_metrics()
        return self._failure or (exit_codes.UNCLEAN_STOP if left else exit_codes.OK)

    def _watch(self, world: World, parts: Parts, watch: StoreWatch) -> None:
        """The main thread's loop: beat, watch the store, the lock and the exchange, write the summary."""
        end = None if self._seconds is None else self._clock.monotonic() + self._seconds
        every = self._settings.summary_every_cycles * self._settings.pace.cycle_seconds
        summary_at = self._clock.monotonic() + every
        lock_at = self._clock.monotonic() + LOCK_CHECK_SECONDS
        guard = WatchdogGuard(parts.watchdog, longest_turn_seconds=2 * BEAT_SECONDS)
        while not self._stop.is_set():
            beat("looking after the process")
            now = self._clock.monotonic()
            if problem := guard.problem():
                self._end_at_once(problem)
            if end is not None and now >= end:
                self._reason = f"ran for the {self._seconds:g} s it was asked to"
                return
            self._end_when(watch.beat(), exit_codes.SOMETHING_WRONG)
            if now >= lock_at:
                lock_at = now + LOCK_CHECK_SECONDS
                self._end_when(self._other_owner(), exit_codes.ALREADY_RUNNING)
            parts.kill_switch.look()
            self._keep_exchange_alive(world)
            if now >= summary_at:
                summary_at = now + every
                _summarise(world, parts)
            self._clock.wait(self._stop, BEAT_SECONDS if end is None else min(BEAT_SECONDS, end - now))

    @contextmanager
    def _watched_itself(self, watchdog: Watchdog) -> Iterator[None]:
        """The watchdog watches the main thread, which watches it."""
        heart = Heart(self._clock)
        watchdog.watch(Ward(name="Main", thread=threading.current_thread(), heart=heart, vital=True))
        with heart.beating():
            yield

    def _end_at_once(self, reason: str) -> None:
        end_process(reason, log_file=self._settings.state_dir / LOG_FILE, code=exit_codes.WATCHDOG)

    def _end_when(self, problem: str, code: int) -> None:
        """A problem that going on would make worse ends the run; nothing more is sent."""
        if problem:
            log.critical("NIJA ends: %s. Nothing more is sent. docs/runbook.md says how to go on", problem)
            self._reason, self._failure = problem, code
            self._stop.set()

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
        """No new orders, orders in flight settled or recorded, one deadline."""
        log.info("Stopping: %s", self._reason)
        deadline = self._clock.monotonic() + self._settings.shutdown_seconds
        left = parts.strategy.stop_independent_trading(self._settings.shutdown_seconds)
        parts.engine.stop(max(0.1, deadline - self._clock.monotonic()))
        for name in left:
            log.error("%s did not end in time; what it was doing is settled at the next start", name)
        _summarise(world, parts)
        if not left:
            parts.manager.close()
        parts.shared.close()
        now, reason, clean = self._clock.now(), self._reason, not left
        try:
            world.store.write(lambda connection: process.end_process(connection, reason=reason, now=now, clean=clean))
        except StoreUnavailable as error:
            log.error("the end of this run was not written: %s", error)
        log.info("Stopped. State is in %s", self._settings.state_dir)
        return left

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
        )
        self._redactor.add(venue.endpoint.token)
        log.info("Paper exchange started; its state is in %s", self._settings.state_dir / "paper")
        return venue

    def _check_disk(self) -> None:
        """Orders and positions must outlive a deploy; the operator may say that they need not."""
        directory = self._settings.state_dir
        platform = throws_away(directory, process_environment())
        if not platform:
            return
        if not self._settings.allow_ephemeral:
            raise ConfigurationError(
                f"{platform} throws {directory} away at every restart, and with it every open order and position. "
                "Set STATE_DIR to a mounted volume, or ALLOW_EPHEMERAL=1 to accept that."
            )
        log.warning(
            "ALLOW_EPHEMERAL: %s throws %s away at every restart. Open orders and positions will be forgotten, and the "
            "next run is a first one",
            platform,
            directory,
        )

    def _check_state(self, store: Store) -> None:
        """One state directory is for one mode: paper positions must never be sold for real."""
        mode = self._settings.trading_mode
        with store.read() as connection:
            known = process.get_meta(connection, "mode")
        if known not in (None, mode):
            raise ConfigurationError(
                f"{self._settings.state_dir} holds the state of {known} trading. Give {mode} trading a directory of "
                f"its own, for example STATE_DIR={self._settings.state_dir}_{mode}"
            )

    def _check_keys(self, store: Store) -> None:
        settings, environ = self._settings, process_environment()
        user_ids = {user.user_id for user in settings.users}
        # Names of settings by path were judged when they were read.
        others = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
        report_unknown_variables(others, user_ids, {*KNOWN_VARIABLES, ALREADY_TRIED})
        if settings.trading_mode == "live":
            masters = [AccountRef.master(item.broker) for item in settings.masters if item.enabled]
            # Who left and is not done is connected too.
            users = [follower.account for follower in Roster(store, settings.users).followers]
            check_live_keys([*masters, *users], user_ids, environ)

    def _serve_metrics(self, world: World) -> Callable[[], None]:
        settings = self._settings

        self._metrics.watch(
            store_queue=lambda: float(world.store.queue_depth),
            store_figures=OpenMatters(world.store, self._clock, settings).figures,
        )
        try:
            return self._metrics.serve(settings.metrics_host, settings.metrics_port)
        except OSError as error:
            log.error(
                "No metrics: %s port %d cannot be used (%s). Trading goes on; set METRICS_PORT to a free port, "
                "or to 0 for any.",
                settings.metrics_host,
                settings.metrics_port,
                error.strerror,
            )
            return lambda: None

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            # The second signal: the operator does not want to wait. What is in flight is settled at the next start.
            os._exit(exit_codes.UNCLEAN_STOP)
        self._reason = f"signal {signal.Signals(number).name}"
        self._stop.set()


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _summarise(world: World, parts: Parts) -> None:
    """A store that cannot be read for a moment must not end the run: trading does not need the summary."""
    try:
        parts.strategy.log_multi_broker_status()
        for line in OpenMatters(world.store, world.clock, world.settings).lines():
            log.warning("LOOK AT THIS: %s", line)
    except Exception:
        log.exception("no summary")


def _make_private_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unusable(path, error) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigurationError(f"STATE_DIR {path} cannot be written to. Name another, or change its owner.")


def _unusable(directory: Path, error: OSError) -> ConfigurationError:
    what = error.filename or directory
    return ConfigurationError(
        f"STATE_DIR {directory} cannot be used ({what}: {error.strerror}). Name a directory that can be written to."
    )


def _banner(settings: Settings) -> None:
    if settings.trading_mode == "paper":
        log.info("MODE: PAPER - no real money can move; prices are made up, and so is any profit")
    else:
        log.warning("MODE: LIVE - real orders with real money")
    masters = ", ".join(str(master.broker) for master in settings.masters if master.enabled) or "none"
    users = [f"{user.user_id} ({user.broker})" for user in settings.users if user.enabled]
    log.info("Masters: %s. Users: %s", masters, ", ".join(users) or "none")
    if not settings.multi_broker_independent:
        log.warning("MULTI_BROKER_INDEPENDENT=false: only the first funded master trades")
    log.info("State: %s. Log: %s", settings.state_dir, settings.state_dir / LOG_FILE)
    log.info("Stop with Ctrl-C or SIGTERM. In a second terminal try: python3 check_broker_status.py")
