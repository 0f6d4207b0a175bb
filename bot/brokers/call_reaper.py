"""Deadlines of calls in flight, kept by cutting their sockets.

A library's time-out bounds one read, not the call: a peer that drips a byte a second holds `requests` for as long as it
likes. A thread cannot be stopped from outside, its socket can: `shutdown` frees the reading thread at once.
"""

import contextlib
import heapq
import socket
import threading
from collections.abc import Iterator
from enum import Enum

from bot.seams.clock import Clock
from bot.supervision.heart import STEP_SECONDS, Heart

IDLE_WAIT_SECONDS = 60.0
_current = threading.local()


class Progress(Enum):
    """How far a call is known to have come."""

    UNKNOWN = "unknown"
    CONNECTING = "connecting"  # a new connection is being opened: nothing of the request can have left
    SENDING = "sending"  # the first byte may have left


class BoundedCall:
    """One call in flight and the sockets it uses."""

    def __init__(self, deadline: float, clock: Clock) -> None:
        self.deadline = deadline
        self.overdue = False
        self.progress = Progress.UNKNOWN
        self.thread = threading.get_ident()
        self._clock = clock
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._ended = False

    def __lt__(self, other: "BoundedCall") -> bool:
        return self.deadline < other.deadline

    def remaining_seconds(self) -> float:
        return max(0.0, self.deadline - self._clock.monotonic())

    def watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.append(sock)
            overdue = self.overdue
        if overdue:
            _shut(sock)

    def end(self) -> None:
        """The sockets go back to their pool: nobody may cut them any more."""
        with self._lock:
            self._ended = True
            self._sockets.clear()

    def cut(self) -> None:
        with self._lock:
            if self._ended:
                return
            self.overdue = True
            for sock in self._sockets:
                _shut(sock)


class CallReaper:
    """One thread that cuts every call still running at its deadline. Started by the first call."""

    def __init__(self, clock: Clock) -> None:
        self.clock = self._clock = clock
        self._lock = threading.Lock()
        self._calls: list[BoundedCall] = []
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self.heart = Heart(clock)

    def start(self) -> threading.Thread:
        """Start the thread, if no call has done it yet; returns it."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="Reaper", daemon=True)
                self._thread.start()
            return self._thread

    @contextlib.contextmanager
    def bound(self, seconds: float) -> Iterator[BoundedCall]:
        """Everything this thread sends or reads inside the block ends within `seconds`."""
        call = BoundedCall(self._clock.monotonic() + seconds, self._clock)
        self._add(call)
        outer = getattr(_current, "call", None)
        _current.call = call
        try:
            yield call
        finally:
            _current.call = outer
            call.end()

    def cut_calls_of(self, thread: threading.Thread) -> None:
        """End the calls that this thread is in, before their time; it cannot send anything in them any more."""
        with self._lock:
            calls = [call for call in self._calls if call.thread == thread.ident]
        for call in calls:
            call.cut()

    def close(self) -> None:
        """Stop the thread. Calls in flight keep the time-outs of their library."""
        with self._lock:
            self._stopping = True
        self._wake.set()

    def _add(self, call: BoundedCall) -> None:
        with self._lock:
            heapq.heappush(self._calls, call)
            is_next = self._calls[0] is call
        if self._thread is None:
            self.start()
        if is_next:
            self._wake.set()

    def _run(self) -> None:
        with self.heart.beating():
            self._cut_in_time()

    def _cut_in_time(self) -> None:
        while True:
            self.heart.beat("cutting")
            self._wake.clear()
            with self._lock:
                if self._stopping:
                    return
                now = self._clock.monotonic()
                due = []
                while self._calls and self._calls[0].deadline <= now:
                    due.append(heapq.heappop(self._calls))
                wait = self._calls[0].deadline - now if self._calls else IDLE_WAIT_SECONDS
            for call in due:
                call.cut()
            self.heart.beat("waiting", wait + STEP_SECONDS)
            self._clock.wait(self._wake, wait)


def current_call() -> BoundedCall | None:
    """The call of this thread, if it is in one."""
    call: BoundedCall | None = getattr(_current, "call", None)
    return call


def watch(sock: socket.socket | None) -> None:
    """Tell the call of this thread, if it has one, that it now uses `sock`."""
    call = current_call()
    if call is not None and sock is not None:
        call.watch(sock)


def _shut(sock: socket.socket) -> None:
    # An error means: already closed, or handed over to the TLS socket, which is watched as well.
    with contextlib.suppress(OSError):
        # The class's own method: `SSLSocket.shutdown` would also drop the TLS object under the reading thread.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
