"""What the page costs: processors of the bot, the console and the browser, lateness of a thread in the bot, page ready.

    python benchmarks/console.py [--seconds 20] [--clients 0 1 12] [--no-browser] [--json]

The bot is the whole product with five brokerages' masters and users on the paper exchange, which lists some 1,600
markets at Kraken; all of them are live. A client is one that holds the event stream of the first screen and of all
markets, as a page on "Markets" does, and reads it. The thread in the bot wakes every 5 ms. The first row is a bot
without a console at all. With a browser (Debian's chromium, by playwright) two pages are opened afresh and timed from
the request to the first row on the screen, and one stays on "Markets" while the browser's processes are watched.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks.console_drill.measured import Window, children_of, console_of, lateness  # noqa: E402
from benchmarks.report import Cell, Report  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
START_SECONDS = 90.0
SETTLE_SECONDS = 20.0
_ALL_MARKETS = 1000
_TABLE_ROWS = "() => Number(document.querySelector('[role=table]')?.getAttribute('aria-rowcount'))"
# The moment at which the first row stands on the page, by the page's own clock; whoever polls would see it later.
_FIRST_ROW = """new MutationObserver((_, watch) => {
  if (document.querySelector('#accounts tbody tr, .virtual .market-row')) { watch.disconnect();
    requestAnimationFrame(() => { window.readyAt = performance.now(); }); }
}).observe(document, { childList: true, subtree: true });"""


class Bot:
    """One bot in a directory; `url` is empty without a console."""

    def __init__(self, directory: Path, *, console: bool) -> None:
        self._ticks = directory / "ticks.txt"
        self._state = directory / "state"
        environ = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(directory), "STATE_DIR": str(self._state),
            "METRICS_PORT": "0", "PYTHONUNBUFFERED": "1", "NIJA__CONSOLE__PORT": "0",
            "NIJA__CONSOLE__ENABLED": str(console).lower(),
        }  # fmt: skip
        self._log = (directory / "bot.log").open("wb")
        words = [sys.executable, "benchmarks/console_drill/ticking_bot.py", str(self._ticks)]
        self.process = subprocess.Popen(words, cwd=PROJECT, env=environ, stdout=self._log, stderr=subprocess.STDOUT)
        self.url = self._address() if console else ""

    def _address(self) -> str:
        written = self._state / "console.json"
        deadline = time.monotonic() + START_SECONDS
        while not written.exists():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("the bot's page did not come; see what bot.py says")
            time.sleep(0.2)
        return str(json.loads(written.read_text(encoding="utf-8"))["url"])

    def late(self, since: float, until: float) -> list[float]:
        return lateness(self._ticks, since, until)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


class Client(threading.Thread):
    """Reads the event stream until it is told to stop; `read` counts bytes."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        self._connection.request("GET", "/")
        first = self._connection.getresponse()
        first.read()
        cookie = str(first.getheader("Set-Cookie")).partition(";")[0]
        self._connection.request("GET", "/api/v1/stream?topics=overview,markets", headers={"Cookie": cookie})
        self._response = self._connection.getresponse()
        if self._response.status != 200:
            raise SystemExit(f"the stream answers {self._response.status}")
        self.read = 0
        self._ended = False

    def run(self) -> None:
        while not self._ended and (part := self._response.read1(65_536)):
            self.read += len(part)

    def stop(self) -> None:
        self._ended = True
        self.join(30)
        self._connection.close()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each row is watched (default 20)")
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS, help="seconds before the first (default 20)")
    parser.add_argument("--clients", type=int, nargs="+", default=[0, 1, 12], help="so many at a time (default 0 1 12)")
    parser.add_argument("--no-browser", action="store_true", help="without the rows that need chromium")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    words = parser.parse_args(argv)
    rows: list[dict[str, Cell]] = []
    with _running(console=False) as bot:
        time.sleep(words.settle)
        rows.append({"what": "a bot without a console", **_watched(bot, words.seconds)})
    with _running(console=True) as bot:
        time.sleep(words.settle)
        for number in words.clients:
            rows.append({"what": f"{number} clients", **_with_clients(bot, number, words.seconds)})
        if not words.no_browser and Path(CHROMIUM).exists():
            rows += _in_a_browser(bot, words.seconds)
    Report(
        title="What the page costs",
        columns=(
            "what",
            "bot % of a core",
            "console %",
            "browser %",
            "late p50 ms",
            "late p99 ms",
            "kB/s each",
            "ready ms",
        ),
        rows=rows,
        notes=("late: of a thread in the bot that wakes every 5 ms", "ready: from the request to the first row"),
        settings={"seconds": words.seconds, "processors": os.cpu_count()},
    ).say(as_json=words.json)
    return 0


@contextmanager
def _running(*, console: bool) -> Iterator[Bot]:
    with tempfile.TemporaryDirectory() as directory:
        bot = Bot(Path(directory), console=console)
        try:
            yield bot
        finally:
            bot.stop()


def _watched(bot: Bot, seconds: float, *browser: int) -> dict[str, Cell]:
    """Shares of the processor and lateness over the next so many seconds."""
    pids = [bot.process.pid, *([console_of(bot.process.pid)] if bot.url else [])]
    window = Window(*pids, *browser)
    time.sleep(seconds)
    late = bot.late(window.begun, time.monotonic())
    return {
        "bot % of a core": round(window.percent(pids[0]), 1),
        "console %": round(window.percent(pids[1]), 1) if bot.url else None,
        "browser %": round(window.percent(*browser), 1) if browser else None,
        "late p50 ms": round(median(late), 2) if late else None,
        "late p99 ms": round(late[int(0.99 * (len(late) - 1))], 2) if late else None,
    }


def _with_clients(bot: Bot, number: int, seconds: float) -> dict[str, Cell]:
    with ExitStack() as stack:
        clients = [Client(bot.url) for _ in range(number)]
        for client in clients:
            client.start()
            stack.callback(client.stop)
        before = sum(client.read for client in clients)
        said = _watched(bot, seconds)
        read = sum(client.read for client in clients) - before
    return {**said, "kB/s each": round(read / seconds / number / 1000, 1) if number else None}


def _in_a_browser(bot: Bot, seconds: float) -> list[dict[str, Cell]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        rows: list[dict[str, Cell]] = []
        for name, path in (("first screen opened", "#/"), ("markets opened", "#/markets")):
            ready = []
            for _ in range(5):
                page = browser.new_context().new_page()
                page.add_init_script(_FIRST_ROW)
                page.goto(f"{bot.url}{path}")
                page.wait_for_function("() => window.readyAt")
                ready.append(page.evaluate("window.readyAt"))
                page.context.close()
            rows.append({"what": name, "ready ms": round(median(ready))})
        page = browser.new_context().new_page()
        page.goto(f"{bot.url}#/markets")
        page.wait_for_function(f"most => ({_TABLE_ROWS})() > most", arg=_ALL_MARKETS)
        found = [pid for pid in children_of(os.getpid()) if b"chromium" in _command(pid)]
        own = [pid for pid in found if pid not in children_of(bot.process.pid)]
        rows.append({"what": "markets live on a page", **_watched(bot, seconds, *own)})
        browser.close()
    return rows


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    raise SystemExit(main())
