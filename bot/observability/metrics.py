"""Figures for Prometheus. Labels are account labels and words from closed lists, never amounts or keys."""

import logging
import math
import threading
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from bot.domain.drift import DriftKind
from bot.domain.halt import Halt, HaltScope
from bot.domain.health import Phase
from bot.observability.market_figures import MarketFigures
from bot.observability.pages import Page
from bot.observability.socket_figures import SocketFigures
from bot.observability.store_figures import StoreFigures, StoreFiguresCollector

log = logging.getLogger(__name__)

HEALTH_WORDS = ("starting", "healthy", "degraded", "failed", "quarantined", "stopped")
BREAKER_WORDS = ("closed", "open", "probing")
_LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """All series of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.health = self._gauge("nija_account_health", "1 for the state the account is in", "account", "state")
        self.phase = self._gauge("nija_account_phase", "1 for the phase the account is in", "account", "phase")
        self.cycles = self._counter("nija_cycles", "Cycles run", "account", "result")
        self.cycle_seconds = self._histogram("nija_cycle_seconds", "Length of a cycle", "account")
        self.cycle_lateness_seconds = self._histogram(
            "nija_cycle_lateness_seconds", "Beyond its period after the cycle before", "account"
        )
        self.private_calls = self._counter("nija_private_calls", "Signed calls", "account", "endpoint", "outcome")
        self.call_seconds = self._histogram("nija_private_call_seconds", "Length of a signed call", "account")
        self.lock_wait_seconds = self._histogram(
            "nija_kraken_lock_wait_seconds", "Wait for the private-call lock", "urgency"
        )
        self.lock_hold_seconds = self._histogram(
            "nija_kraken_lock_hold_seconds", "Hold of the private-call lock", "urgency"
        )
        self.lock_round_seconds = Gauge(
            "nija_kraken_lock_round_seconds",
            "One private call of every account, one after the other",
            registry=self.registry,
        )
        self.venue_breaker = self._gauge("nija_venue_breaker", "1 for the state the breaker is in", "broker", "state")
        self.venue_stopped = self._gauge("nija_venue_stopped", "1 while the venue shuts this address out", "broker")
        self.nonce = self._gauge("nija_kraken_nonce", "Last nonce given out, in nanoseconds", "account")
        self.balance_age = self._gauge("nija_balance_age_seconds", "Age of the last balance; NaN if none", "account")
        self.signals = self._counter("nija_signals", "Signals planned", "broker", "kind")
        self.copies = self._counter("nija_copies", "Copies answered", "account", "status", "reason")
        self.copy_seconds = self._histogram(
            "nija_copy_seconds", "From the master's fill to the user's final answer", "account"
        )
        self.orders = self._counter("nija_orders", "Orders by how they stand after sending", "account", "kind", "state")
        self.halted = self._gauge("nija_halted", "Halts in force", "scope", "target", "strength")
        self.zombies = Gauge("nija_zombies", "Threads that hang and were given up", registry=self.registry)
        self.thread_restarts = self._counter("nija_thread_restarts", "Threads of accounts begun anew", "account", "why")
        self.watchdog_stalls = Counter("nija_watchdog_stalls", "The whole process stood still", registry=self.registry)
        self.heartbeat_age = self._gauge("nija_heartbeat_age_seconds", "Since the last step; NaN if none", "account")
        self.drifts = self._gauge("nija_drifts", "Differences between venue and books", "account", "kind")
        self.equity = self._gauge("nija_equity", "Worth of an account by the last note of it", "account", "currency")
        self.books_difference = self._gauge(
            "nija_books_difference", "Worth of what balances and books differ by; NaN before the first look", "account"
        )
        self.cash_reading_age = self._gauge(
            "nija_cash_reading_age_seconds", "Since the venue last told the account's ledger; NaN if never", "account"
        )
        self.inbox_notes = Gauge("nija_inbox_notes", "Notes waiting in accounts' inboxes", registry=self.registry)
        self.sockets = SocketFigures(self.registry)
        self.market = MarketFigures(self.registry)
        self.build_info = self._gauge("nija_build_info", "1 for the program that runs", "build", "configuration")
        self.notifications = self._counter("nija_notifications", "Messages to people outside", "channel", "result")
        self.deadman_ping_age = Gauge(
            "nija_deadman_ping_age_seconds", "Since the last ping was taken; NaN if never", registry=self.registry
        )
        self.deadman_ping_age.set(math.nan)
        self.store_queue = Gauge("nija_store_queue", "Writes waiting for the store", registry=self.registry)
        self.log_lines = self._counter("nija_log_lines", "Lines of the log that are more than information", "level")
        threads = Gauge("nija_threads", "Threads of the process", registry=self.registry)
        threads.set_function(lambda: float(threading.active_count()))
        ProcessCollector(registry=self.registry)

    def set_health(self, account: str, state: str) -> None:
        """Exactly one state is 1."""
        for word in HEALTH_WORDS:
            self.health.labels(account, word).set(1.0 if word == state else 0.0)

    def set_phase(self, account: str, phase: Phase) -> None:
        """Exactly one phase is 1, and one health state."""
        for each in Phase:
            self.phase.labels(account, str(each)).set(1.0 if each is phase else 0.0)
        self.set_health(account, str(phase.health))

    def set_venue(self, venue: str, breaker: str, *, stopped: bool) -> None:
        """Exactly one state of the breaker is 1; `stopped` = the venue wants to hear nothing from us."""
        for word in BREAKER_WORDS:
            self.venue_breaker.labels(venue, word).set(1.0 if word == breaker else 0.0)
        self.venue_stopped.labels(venue).set(1.0 if stopped else 0.0)

    def set_drifts(self, account: str, counts: Mapping[DriftKind, int]) -> None:
        """How many of each kind are open."""
        for kind, count in counts.items():
            self.drifts.labels(account, str(kind)).set(count)

    def set_halts(self, halts: Iterable[Halt]) -> None:
        """Exactly the halts that are in force. Those of symbols are counted together: there are 1,500 of them."""
        self.halted.clear()
        for halt in halts:
            target = "" if halt.scope is HaltScope.SYMBOL else halt.target
            self.halted.labels(str(halt.scope), target, str(halt.strength)).inc()

    def watch(self, *, store_queue: Callable[[], float], store_figures: Callable[[], StoreFigures]) -> None:
        """Read these when somebody scrapes."""
        self.store_queue.set_function(store_queue)
        self.registry.register(StoreFiguresCollector(store_figures))

    def count_lines(self) -> logging.Handler:
        """A handler for the root logger, which counts what is a warning or worse."""
        return _CountedLines(self.log_lines)

    def page(self, accept: str) -> Page:
        """All series, in the format that the asker understands."""
        encode, content_type = choose_encoder(accept)
        return Page(200, encode(self.registry), content_type)

    def watch_share(self, figures: Callable[[], Mapping[str, float]]) -> None:
        """Of one process of many: how many accounts it holds, and how many none of them does."""
        for name, text in (("held", "Accounts that this process holds"), ("free", "Accounts that no process holds")):
            gauge = Gauge(f"nija_accounts_{name}", text, registry=self.registry)
            gauge.set_function(lambda name=name: figures()[name])  # type: ignore[misc]

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=_LATENCY_BUCKETS, registry=self.registry)


class _CountedLines(logging.Handler):
    def __init__(self, lines: Counter) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.labels(record.levelname).inc()
