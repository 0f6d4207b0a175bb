"""Asks an address for something while all is well: whoever listens there calls when that stops."""

import logging
import threading
from collections.abc import Callable

from bot.notifications.delivery import NotDelivered
from bot.notifications.outgoing import Outgoing
from bot.seams.clock import Clock
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

TURN_SECONDS = 1.0
CALL_SECONDS = 300.0


class DeadMan:
    """`alive` is asked before each ping: "" = all is well, otherwise why not; then no ping goes out."""

    def __init__(
        self,
        outgoing: Outgoing,
        *,
        url: str,
        every_seconds: float,
        clock: Clock,
        alive: Callable[[], str],
        on_ping: Callable[[], None] = lambda: None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._outgoing = outgoing
        self._url = url
        self._every_seconds = every_seconds
        self._clock = clock
        self._alive = alive
        self._on_ping = on_ping
        self._due_at = clock.monotonic()
        self._problem = ""
        self._stop = threading.Event()
        self._thread = KeptThread(
            "DeadMan", self._run, clock=clock, watchdog=watchdog, cut=lambda _thread: outgoing.cut()
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        self._stop.set()
        self._outgoing.cut()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            beat("waiting for the next ping")
            self.turn()
            self._clock.wait(self._stop, min(TURN_SECONDS, self._every_seconds))

    def turn(self) -> None:
        """Ping when it is time to and all is well."""
        if self._clock.monotonic() < self._due_at:
            return
        problem = self._alive()
        if not problem:
            problem = self._ping()
        if not self._stop.is_set():
            self._say_once(problem)

    def _ping(self) -> str:
        beat("pinging", CALL_SECONDS)
        # Also after a failure: an address that is down is not asked more often.
        self._due_at = self._clock.monotonic() + self._every_seconds
        try:
            answer = self._outgoing.call("GET", self._url)
        except NotDelivered as error:
            return str(error)
        if not 200 <= answer.status < 300:
            return f"it answered {answer.status}"
        self._on_ping()
        return ""

    def _say_once(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("no ping goes to the dead-man address: %s", problem)
        elif self._problem and not problem:
            log.info("pings go to the dead-man address again")
        self._problem = problem
