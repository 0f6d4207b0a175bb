"""A thread that is needed as long as the program runs: when it hangs or dies, another one takes its place."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.errors import Fenced
from bot.seams.clock import Clock
from bot.supervision.heart import STEP_SECONDS, Heart
from bot.supervision.watchdog import Ward, Watchdog

log = logging.getLogger(__name__)


@dataclass
class _Life:
    heart: Heart
    thread: threading.Thread
    finished: bool = False


class KeptThread:
    """Runs `body` in a thread with a heart, until `body` returns. Without a watchdog it is a thread like any other.

    `body` may run twice at once for a moment, when a hung thread wakes up after it was replaced: the old one's next
    beat ends it. `cut` shuts the sockets that a thread waits on.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[], None],
        *,
        clock: Clock,
        watchdog: Watchdog | None = None,
        cut: Callable[[threading.Thread], None] = lambda _thread: None,
        step_seconds: float = STEP_SECONDS,
    ) -> None:
        self.name = name
        self._body = body
        self._clock = clock
        self._watchdog = watchdog
        self._cut = cut
        self._step_seconds = step_seconds
        self._life: _Life | None = None

    def start(self) -> None:
        """Start it; also again. A thread that the machine does not give is asked for again by the watchdog."""
        heart = Heart(self._clock, step_seconds=self._step_seconds)
        thread = threading.Thread(target=lambda: self._run(life), name=self.name, daemon=True)
        self._life = life = _Life(heart, thread)
        try:
            thread.start()
        except RuntimeError as error:
            if self._watchdog is None:
                raise
            log.error("%s cannot be started: %s", self.name, error)
        if self._watchdog is not None:
            self._watchdog.watch(self._ward(life))

    def is_alive(self) -> bool:
        """Whether the thread that counts now is at work."""
        return self._life is not None and self._life.thread.is_alive()

    def join(self, timeout_seconds: float) -> None:
        """Wait for its end; not for those that were given up."""
        if self._life is not None and self._life.thread.is_alive():
            self._life.thread.join(timeout_seconds)

    def _run(self, life: _Life) -> None:
        with life.heart.beating():
            try:
                self._body()
                life.finished = True
            except Fenced as error:
                log.warning("%s: this thread ends: %s", self.name, error)
            except Exception:
                log.exception("%s has died", self.name)

    def _ward(self, life: _Life) -> Ward:
        return Ward(
            name=self.name,
            thread=life.thread,
            heart=life.heart,
            cut=lambda: self._cut(life.thread),
            on_hang=lambda _hang: self.start(),
            on_dead=lambda: None if life.finished else self.start(),
        )
