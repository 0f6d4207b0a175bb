"""Sees what was asked for on the page, and says what came of it.

What stops is in force as soon as its row is written; here the accounts are woken, so that they cancel, sell or go on at
once, and the request gets its end when the store shows that it was done.
"""

import logging
import threading
from collections.abc import Callable

from bot.diagnostics.control_outcome import outcome_of
from bot.domain.control import ControlRequest, ControlState
from bot.domain.errors import NijaError
from bot.kill_switch import KillSwitch
from bot.seams.clock import Clock
from bot.storage import control_requests
from bot.storage.store import Store
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
WRITE_SECONDS = 2.0


class ControlDesk:
    """`start` and `stop` by the process; `look` is what its thread does five times a second."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        kill_switch: KillSwitch,
        wake_all: Callable[[], None],
        watchdog: Watchdog | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._kill_switch = kill_switch
        self._wake_all = wake_all
        self._stop = threading.Event()
        self._thread = KeptThread("ControlDesk", self._run, clock=clock, watchdog=watchdog)
        self._problem = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        self._stop.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            beat("looking for controls")
            try:
                self.look()
                self._problem = ""
            except NijaError as error:
                if str(error) != self._problem:
                    log.warning("what was asked for on the page waits: %s", error)
                self._problem = str(error)
            self._clock.wait(self._stop, LOOK_SECONDS)

    def look(self) -> None:
        """Take what is new, and tell of what is under way. Raises `StoreUnavailable`."""
        with self._store.read() as connection:
            waiting = control_requests.open_requests(connection)
        new = [request for request in waiting if request.state is ControlState.ASKED]
        for request in new:
            log.warning(
                "CONTROL #%d: %s %s, asked for by %s%s",
                request.id,
                request.action,
                request.target,
                request.actor,
                f": {request.reason}" if request.reason else "",
            )
        if new:
            self._kill_switch.look()
            self._wake_all()
        for request in waiting:
            self._tell(request)

    def _tell(self, request: ControlRequest) -> None:
        now = self._clock.now()
        with self._store.read() as connection:
            outcome = outcome_of(connection, request, now=now)
        if outcome.state is request.state and outcome.lines == request.lines:
            return
        self._store.write(
            lambda connection: control_requests.note_request(
                connection, request.id, state=outcome.state, lines=outcome.lines, now=now
            ),
            timeout_seconds=WRITE_SECONDS,
        )
        if outcome.state is not ControlState.TAKEN:
            log.warning("CONTROL #%d: %s: %s", request.id, outcome.state, "; ".join(outcome.lines))
