"""One thread with one asyncio loop for all sockets of a venue: market data, private streams, orders over WebSocket.

When the loop hangs, its thread is replaced and not the process ended: nothing durable depends on it, the accounts trade
on over REST meanwhile, and ending the process would stop their exits too. The new thread begins a new loop with
everything that is `keep`t, on new connections. What was handed to the old loop by `call` and has not run is dropped for
good: an order that waited there is never written late, and whoever waits for it finds its outcome by asking.
"""

import asyncio
import contextlib
import logging
import math
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from bot.domain.errors import Fenced
from bot.seams.clock import Clock
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.probes import Probe, lock_probe
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
# A tick that is so late means that nothing on the loop is prompt.
PROMPT_SECONDS = 3.0
STEP_SECONDS = 5.0
END_SECONDS = 1.0

Work = Callable[[], None]
Make = Callable[[], Coroutine[Any, Any, None]]


class FeedLoop:
    """One per venue and process, started when it is first used. Any thread may call everything here.

    `step_seconds`: a loop that does nothing for so long is late, which its watchdog hears of.
    """

    def __init__(self, venue: str, clock: Clock, *, step_seconds: float = STEP_SECONDS) -> None:
        self.name = f"Feed-{venue}"
        self._clock = clock
        self._step_seconds = step_seconds
        self._mutex = threading.Lock()
        self._thread: KeptThread | None = None
        self._watchdog: Watchdog | None = None
        self._life: _Life | None = None
        self._kept: dict[object, Make] = {}
        self._early: list[Work] = []
        self._closed = False
        self._ticked_at = -math.inf
        self._tls: ssl.SSLContext | None = None

    def watched_by(self, watchdog: Watchdog) -> None:
        """Have a hung or dead thread replaced; before the first use."""
        self._watchdog = watchdog

    def probe(self) -> Probe:
        """Whether nobody is lost while handing work over."""
        return lock_probe(f"the register of {self.name}", self._mutex)

    @property
    def is_prompt(self) -> bool:
        """Whether the loop has done something lately; a hung one has not."""
        return self._clock.monotonic() - self._ticked_at < PROMPT_SECONDS

    @property
    def tls(self) -> ssl.SSLContext:
        """One for all connections: a context of its own costs each of them nearly a megabyte."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def start(self) -> None:
        """Start the thread unless it runs."""
        with self._mutex:
            if self._thread is not None or self._closed:
                return
            thread = self._thread = KeptThread(
                self.name, self._run, clock=self._clock, watchdog=self._watchdog, step_seconds=self._step_seconds
            )
        thread.start()

    def call(self, work: Work) -> None:
        """Run `work` on the loop, soon and in the order of the calls; never after the loop was closed or replaced."""
        with self._mutex:
            if self._closed:
                return
            life = self._life
            if life is None:
                self._early.append(work)
        if life is None:
            self.start()
        else:
            life.call(work)

    def spawn(self, make: Make) -> None:
        """Run a coroutine on the loop, once. What it raises is logged."""
        self.call(lambda: self._spawn_here(make))

    def after(self, seconds: float, work: Work) -> None:
        """Run `work` in so many seconds; on the loop only."""
        life = self._life
        if life is not None:
            life.loop.call_later(seconds, life.work, work)

    def keep(self, make: Make) -> object:
        """Run a coroutine on the loop, and again on every loop that replaces it; returns what `let_go` takes."""
        key = object()
        with self._mutex:
            self._kept[key] = make
            life = self._life
        if life is None:
            self.start()
        else:
            life.call(lambda: life.spawn(make))
        return key

    def let_go(self, key: object) -> None:
        """Not again on the next loop; the coroutine itself ends as it likes."""
        with self._mutex:
            self._kept.pop(key, None)

    def close(self, seconds: float = 2 * END_SECONDS) -> None:
        """End all tasks and the thread; may be called twice."""
        with self._mutex:
            self._closed = True
            life, thread = self._life, self._thread
            self._early.clear()
        if life is not None:
            life.end()
        if thread is not None:
            thread.join(seconds)

    # -- in the thread ----------------------------------------------------------------------------------------------
    def _run(self) -> None:
        life = _Life(asyncio.new_event_loop(), self._is_current)
        with self._mutex:
            old, self._life = self._life, life
            early, self._early = self._early, []
            kept = [] if self._closed else list(self._kept.values())
            closed = self._closed
        if old is not None:
            old.end()
        try:
            for make in kept:
                life.spawn(make)
            for work in early:
                life.call(work)
            if not closed:
                life.loop.call_soon(self._tick, life)
                life.loop.run_forever()
        finally:
            life.shut()

    def _tick(self, life: "_Life") -> None:
        try:
            beat("serving the sockets", self._step_seconds)
        except Fenced as error:
            log.warning("%s: this loop ends: %s", self.name, error)
            life.loop.stop()
            return
        self._ticked_at = self._clock.monotonic()
        life.loop.call_later(TICK_SECONDS, self._tick, life)

    def _spawn_here(self, make: Make) -> None:
        life = self._life
        if life is not None:
            life.spawn(make)

    def _is_current(self, life: "_Life") -> bool:
        return self._life is life and not self._closed


class _Life:
    """One loop and its tasks."""

    def __init__(self, loop: asyncio.AbstractEventLoop, is_current: "Callable[[_Life], bool]") -> None:
        self.loop = loop
        self._is_current = is_current
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, work: Work) -> None:
        with contextlib.suppress(RuntimeError):  # it is closed: nothing runs there any more
            self.loop.call_soon_threadsafe(self.work, work)

    def spawn(self, make: Make) -> None:
        task = self.loop.create_task(self._guarded(make))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """From any thread; a loop that hangs ends when it wakes up."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)

    def shut(self) -> None:
        """In its thread, after the loop has stopped: the tasks end, and close what they hold."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                self.loop.run_until_complete(asyncio.wait(tasks, timeout=END_SECONDS))
            self.loop.run_until_complete(self._last_round())
        finally:
            self.loop.close()

    async def _last_round(self) -> None:
        """Transports close in the round after they were told to."""
        await pause(0.0)
        await pause(0.0)

    def work(self, work: Work) -> None:
        """In its thread; nothing once another loop has taken its place."""
        if not self._is_current(self):
            return
        try:
            work()
        except Exception:
            log.exception("Unexpected error on the loop of the sockets")

    async def _guarded(self, make: Make) -> None:
        try:
            await make()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("A task on the loop of the sockets has failed")


async def pause(seconds: float) -> None:
    """Let the loop go on with other things for so long."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    handle = loop.call_later(seconds, _end_pause, over)
    try:
        await over
    finally:
        handle.cancel()


def _end_pause(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)
