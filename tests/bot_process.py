"""The bot as a child process, for tests through its public entry."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.exchange_process import ExchangeProcess

ROOT = Path(__file__).resolve().parent.parent
# Most tests are about REST: its lock, its nonces and its faults. Those about WebSocket say so.
REST_ONLY = {
    "NIJA__KRAKEN__ORDER_ENTRY": "rest",
    "NIJA__KRAKEN__PRIVATE_STREAM": "false",
    "NIJA__KRAKEN__MARKET_FEED": "false",
    "NIJA__MARKET_WATCH__ENABLED": "false",
}
OVER_WEBSOCKET = {
    "NIJA__KRAKEN__ORDER_ENTRY": "websocket",
    "NIJA__KRAKEN__PRIVATE_STREAM": "true",
    "NIJA__KRAKEN__MARKET_FEED": "false",
    "NIJA__MARKET_WATCH__ENABLED": "false",
}


# Most tests are about the machine and not about how many brokerages there are.
TWO_BROKERAGES = ROOT / "tests" / "two_brokerages" / "config"
SHIPPED = {"NIJA_CONFIG_DIR": str(ROOT / "config")}


def wait_until(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """Poll until the condition gives something true; fail with a sentence otherwise."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        pause.wait(0.05)


def environment(state_dir: Path, exchange: ExchangeProcess | None = None, **more: str) -> dict[str, str]:
    """A clean environment for a bot on a state directory of its own, so that nothing of the machine gets in.

    It trades over REST; pass `**OVER_WEBSOCKET` for the other way. Kraken and Coinbase alone; `**SHIPPED` for all five.
    """
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(state_dir),
        "STATE_DIR": str(state_dir),
        "METRICS_PORT": "0",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
        # Their output is a file, and tests read it as people do.
        "LOG_JSON": "false",
        "NIJA_CONFIG_DIR": str(TWO_BROKERAGES),
        # A process of its own, which only tests of it need.
        "NIJA__CONSOLE__ENABLED": "false",
        # Many tests kill the bot again and again; those about that say so.
        "NIJA__SUPERVISION__CRASHED_BOOTS": "0",
        **REST_ONLY,
    }
    if exchange is not None:
        environ |= {"PAPER_EXCHANGE_CONTROL": exchange.control_url, "PAPER_EXCHANGE_TOKEN": exchange.token}
    return environ | more


class BotProcess:
    """`python bot.py` with arguments; a context manager that stops it by its own process id."""

    def __init__(self, environ: Mapping[str, str], *arguments: str, log: Path) -> None:
        self.environ = dict(environ)
        self._log = log
        self._output = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "bot.py", *arguments],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def says(self, text: str, *, seconds: float = 90.0) -> None:
        """Wait for words in the log; a bot that ended meanwhile fails at once."""

        def there() -> bool:
            if text in self.log():
                return True
            if self.process.poll() is not None:
                raise AssertionError(
                    f"the bot ended with {self.process.returncode} before saying {text!r}:\n{self.log()}"
                )
            return False

        wait_until(there, seconds=seconds, what=f"the bot says {text!r}; it said:\n{self.log()[-3000:]}")

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the project in the same environment."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def copies(self) -> list[dict[str, Any]]:
        """The signals as `bot.py copies --json` prints them, oldest first."""
        done = self.command("bot.py", "copies", "--json", "--limit", "1000")
        signals: list[dict[str, Any]] = json.loads(done.stdout)["signals"] if done.stdout.strip() else []
        return signals[::-1]

    def accounts(self) -> dict[str, dict[str, Any]]:
        """The accounts by label, as `check_broker_status.py --json` prints them."""
        done = self.command("check_broker_status.py", "--json")
        return {one["account"]: one for one in json.loads(done.stdout)["accounts"]} if done.stdout.strip() else {}

    def stop(self, *, seconds: float = 20.0) -> int:
        """SIGTERM and wait; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        finally:
            self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
