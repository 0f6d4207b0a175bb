"""Starts the console as a child process, tells it what it shows, and starts it again when it ends.

Nothing of it can touch trading: it has no key, it shares no memory, and what it is told goes through a pipe that never
blocks. While it cannot be kept up, health checks on the platform's port are answered from here.
"""

import json
import logging
import math
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bot.brokers.market_values import MarketValues
from bot.console.environment import console_environment
from bot.console_feed import ConsoleFeed, ShownCandles
from bot.observability.readiness import Readiness
from bot.platform_port import PlatformPort
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog

log = logging.getLogger(__name__)

PROGRAM_ROOT = Path(__file__).resolve().parents[1]
TURN_SECONDS = 0.1
START_SECONDS = 20.0
STOP_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
# Who was up for so long is started again at once when it ends.
GOOD_SECONDS = 60.0
LOG_FILE = "console.log"
LARGEST_LOG = 2_000_000


class ConsoleKeeper:
    """`start` and `stop` by the process. `environ` is the bot's own; only what the console may have is passed on."""

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        config_dir: str,
        clock: Clock,
        readiness: Readiness,
        metrics_url: Callable[[], str],
        markets: Callable[[], Mapping[str, MarketValues]],
        candles: Callable[[], Iterable[ShownCandles]] = tuple,
        watchdog: Watchdog | None = None,
        platform_port: PlatformPort | None = None,
    ) -> None:
        self._settings = settings
        self._environ = {
            **console_environment(environ),
            "NIJA_CONFIG_DIR": config_dir,
            "STATE_DIR": str(settings.state_dir),
            "PYTHONUTF8": "1",
        }
        self._clock = clock
        self._readiness = readiness
        self._metrics_url = metrics_url
        self._markets = markets
        self._candles = candles
        self._stop = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._port = platform_port or PlatformPort(settings, self._environ, readiness, clock)
        self._thread = KeptThread("Console", self._run, clock=clock, watchdog=watchdog)
        self.url = ""

    @property
    def child_pid(self) -> int | None:
        """The console's process, while there is one."""
        child = self._child
        return None if child is None or child.poll() is not None else child.pid

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """End the console; it has seen the end of its pipe by then."""
        self._stop.set()
        self._thread.join(timeout_seconds)

    # -- its own thread -----------------------------------------------------------------------------------------------
    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        try:
            if not self._settings.console.enabled:
                self._port.open()
                self._rest(math.inf)
            while not self._stop.is_set():
                begun = self._clock.monotonic()
                why = self._one_life()
                if self._stop.is_set():
                    return
                lived = self._clock.monotonic() - begun
                pause = FIRST_PAUSE_SECONDS if lived > GOOD_SECONDS else min(2 * pause, LONGEST_PAUSE_SECONDS)
                log.error("The console has ended (%s); trading goes on, and it is started again in %.0f s", why, pause)
                self._port.open()
                self._rest(pause)
        finally:
            self._port.close()

    def _rest(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while not self._stop.is_set() and (left := until - self._clock.monotonic()) > 0:
            beat("waiting to start the console again")
            self._clock.wait(self._stop, min(1.0, left))

    def _one_life(self) -> str:
        """From its start to its end; returns why it ended."""
        beat("starting the console", START_SECONDS + STOP_SECONDS)
        try:
            child = self._launch()
        except OSError as error:
            return f"it cannot be started: {error}"
        self._child, self._heard = child, b""
        try:
            assert child.stdin is not None and child.stdout is not None
            feed = ConsoleFeed(
                child.stdin.fileno(),
                clock=self._clock,
                saying=self._readiness,
                metrics_url=self._metrics_url,
                markets=self._markets,
                candles=self._candles,
            )
            return self._tell(child, feed)
        finally:
            _end(child)

    def _launch(self) -> "subprocess.Popen[bytes]":
        path = self._settings.state_dir / LOG_FILE
        with open(path, "ab" if not path.exists() or path.stat().st_size < LARGEST_LOG else "wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "bot.console", "--child"],
                cwd=PROGRAM_ROOT,
                stdin=subprocess.PIPE,  # held open by us: its end tells the child that we are gone
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environ,
                start_new_session=True,  # Ctrl-C is for us; we stop it in our own order
            )

    def _tell(self, child: "subprocess.Popen[bytes]", feed: ConsoleFeed) -> str:
        """Feed it until it ends or we do."""
        announced = False
        deadline = self._clock.monotonic() + START_SECONDS
        while not self._stop.is_set():
            beat("telling the console")
            if child.poll() is not None:
                return f"exit code {child.returncode}; {self._last_words()}"
            if not announced:
                announced = self._announced(child)
                if not announced and self._clock.monotonic() > deadline:
                    return f"it did not say its address within {START_SECONDS:.0f} s"
            if not feed.turn() and child.poll() is None:
                return "it does not read any more"
            self._clock.wait(self._stop, TURN_SECONDS)
        return "stopped"

    def _announced(self, child: "subprocess.Popen[bytes]") -> bool:
        assert child.stdout is not None
        # Read as it comes, not line by line: what a buffer holds back is seen by no `select`.
        while select.select([child.stdout], [], [], 0)[0]:
            heard = os.read(child.stdout.fileno(), select.PIPE_BUF)
            if not heard:
                break
            self._heard += heard
        *lines, self._heard = self._heard.split(b"\n")
        return any(self._said(line) for line in lines)

    def _said(self, line: bytes) -> bool:
        """Whether this line of its output is its address."""
        try:
            said = json.loads(line)
            if "url" not in said:  # it is about to take the port, and waits until it is free
                self._port.close()
                return False
            self.url = str(said["url"])
        except (ValueError, TypeError):
            return False
        log.info("Console at %s", self.url)
        return True

    def _last_words(self) -> str:
        try:
            text = (self._settings.state_dir / LOG_FILE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "it said nothing"
        lines = text.strip().splitlines()
        return lines[-1].lstrip(" |")[:300] if lines else "it said nothing"


def _end(child: "subprocess.Popen[bytes]") -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(STOP_SECONDS)
