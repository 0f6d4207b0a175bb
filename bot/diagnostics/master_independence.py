"""`verify_master_broker_independence.py`: proves that one master's broken brokerage leaves the others on time.

On a throw-away paper exchange with a bot of its own, every call of one master hangs for a while; the cycles of the
other masters before and meanwhile are compared.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bot import exit_codes
from bot.brokers.paper_venue import PaperVenue
from bot.diagnostics.accounts import Account, read_accounts
from bot.diagnostics.store_reading import NoStore
from bot.domain.errors import ConfigurationError
from bot.seams.clock import Clock, SystemClock
from bot.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parents[2]
CYCLE_SECONDS = 1.0
START_SECONDS = 30.0
# A cycle counts as on time when it is not later than this, beyond its period: the machine's own noise.
LATENESS_SECONDS = 1.5


@dataclass(frozen=True)
class Watched:
    """The times between cycles of one master, in seconds, while nothing and while something was broken."""

    master: str
    before: Sequence[float]
    during: Sequence[float]

    @property
    def on_time(self) -> bool:
        return bool(self.during) and max(self.during) <= CYCLE_SECONDS + LATENESS_SECONDS


def main(argv: Sequence[str] | None = None) -> int:
    """0 = every other master stayed on time, 1 = one did not, 2 = wrong use."""
    parser = argparse.ArgumentParser(prog="verify_master_broker_independence.py", description=__doc__)
    parser.add_argument("--break", dest="broken", default="coinbase", help="the brokerage to break (default coinbase)")
    parser.add_argument("--seconds", type=float, default=12.0, help="how long to watch, before and during (default 12)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    say = _silent if arguments.json else _say
    try:
        with ExitStack() as stack:
            watched, reason = _Trial(stack, arguments.broken, arguments.seconds, say).run()
    except (ConfigurationError, NoStore) as error:
        print(error, file=sys.stderr)
        return exit_codes.WRONG_USE
    _print(arguments.broken, reason, watched, as_json=arguments.json)
    return exit_codes.OK if watched and all(item.on_time for item in watched) else exit_codes.SOMETHING_WRONG


class _Trial:
    def __init__(self, stack: ExitStack, broken: str, seconds: float, say: Any) -> None:
        self._stack = stack
        self._broken = broken
        self._seconds = seconds
        self._say = say
        self._clock: Clock = SystemClock()
        self._never = threading.Event()

    def run(self) -> tuple[Sequence[Watched], str]:
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="nija-trial-")))
        self._say("Starting a throw-away paper exchange and a bot …")
        venue = PaperVenue.start(state_dir=directory, clock=self._clock)
        self._stack.callback(venue.close)
        settings = self._start_bot(directory, venue)
        self._wait_for_cycles(settings)
        self._say(f"Both trade. Watching their cycles for {self._seconds:g} s …")
        before = self._intervals(settings)
        self._say(f"Breaking {self._broken}: every call of its master hangs. Watching for {self._seconds:g} s …")
        match = {"brokerage": self._broken, "account": "master"}
        venue.control("POST", "/faults", {"match": match, "action": {"kind": "hang"}, "times": None})
        during = self._intervals(settings)
        reason = next((item.why_not_trading for item in self._masters(settings) if item.label == self._broken), "")
        others = [name for name in before if name != self._broken]
        return [Watched(name, before[name], during.get(name, ())) for name in others], reason

    def _start_bot(self, directory: Path, venue: PaperVenue) -> Settings:
        environ = {name: value for name, value in os.environ.items() if not _is_ours(name)} | {
            "TRADING_MODE": "paper",
            "STATE_DIR": str(directory),
            "METRICS_PORT": "0",
            "PAPER_EXCHANGE_CONTROL": venue.endpoint.control_url,
            "PAPER_EXCHANGE_TOKEN": venue.endpoint.token,
            "NIJA__PACE__PAPER__CYCLE_SECONDS": str(CYCLE_SECONDS),
        }
        self._stack.enter_context(_bot(environ))
        return load_settings(environ=environ)

    def _wait_for_cycles(self, settings: Settings) -> None:
        deadline = self._clock.monotonic() + START_SECONDS
        while self._clock.monotonic() < deadline:
            masters = self._masters(settings)
            if len(masters) > 1 and all(account.row.cycles >= 2 for account in masters):
                return
            self._clock.wait(self._never, 0.2)
        raise ConfigurationError(f"The masters did not start to trade within {START_SECONDS:g} s")

    def _intervals(self, settings: Settings) -> Mapping[str, Sequence[float]]:
        """Per master, the seconds between the ends of its cycles, the running one included."""
        seen: dict[str, list[float]] = {}
        counts: dict[str, int] = {}
        end = self._clock.monotonic() + self._seconds
        while (now := self._clock.monotonic()) < end:
            for account in self._masters(settings):
                if counts.get(account.label) != account.row.cycles:
                    counts[account.label] = account.row.cycles
                    seen.setdefault(account.label, []).append(now)
            self._clock.wait(self._never, 0.05)
        return {
            name: [later - earlier for earlier, later in zip(times, [*times[1:], end], strict=True)]
            for name, times in seen.items()
        }

    def _masters(self, settings: Settings) -> Sequence[Account]:
        try:
            return [account for account in read_accounts(settings)[1] if account.is_master]
        except NoStore:
            return []


@contextmanager
def _bot(environ: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "bot.py"],
        cwd=PROJECT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _is_ours(name: str) -> bool:
    """Variables that would point the trial at the operator's own accounts or state."""
    return name.startswith(("NIJA", "KRAKEN_", "COINBASE_", "OKX_", "BINANCE_", "ALPACA_", "PAPER_")) or name in (
        "TRADING_MODE",
        "STATE_DIR",
        "METRICS_PORT",
    )


def _print(broken: str, reason: str, watched: Sequence[Watched], *, as_json: bool) -> None:
    rows = [
        {
            "master": item.master,
            "cycles_before": len(item.before),
            "median_before_seconds": round(median(item.before), 3),
            "cycles_during": len(item.during),
            "median_during_seconds": round(median(item.during), 3) if item.during else None,
            "longest_during_seconds": round(max(item.during), 3) if item.during else None,
            "on_time": item.on_time,
        }
        for item in watched
    ]
    if as_json:
        print(json.dumps({"broken": broken, "broken_says": reason, "others": rows}, indent=2))
        return
    console = Console()
    console.print(f"{broken} (broken on purpose) says: {reason or 'nothing yet'}")
    table = Table(title="Seconds between cycles of the other masters")
    for heading in ("master", "before (median)", "during (median)", "during (longest)", "verdict"):
        table.add_column(heading)
    for row in rows:
        verdict = "[green]on time[/]" if row["on_time"] else "[red]LATE[/]"
        cells = (row["median_before_seconds"], row["median_during_seconds"], row["longest_during_seconds"])
        table.add_row(str(row["master"]), *(str(cell) for cell in cells), verdict)
    console.print(table)


def _say(text: str) -> None:
    print(text, flush=True)


def _silent(_text: str) -> None:
    return None
