"""A trial of independence: one master's brokerage is broken on purpose, and the cycles of the others are timed.

It has a paper exchange and a bot of its own; keys, settings and state of the operator's own bot are not touched.
"""

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bot.brokers.paper_venue import PaperVenue
from bot.diagnostics.accounts import Account
from bot.diagnostics.drills.bot_process import DrillBot
from bot.diagnostics.drills.cycles import cycle_intervals
from bot.diagnostics.drills.surroundings import OF_THE_MACHINE
from bot.diagnostics.overview import read_overview
from bot.diagnostics.store_reading import NoStore
from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.seams.clock import Clock, SystemClock
from bot.settings import Settings, load_settings, process_environment
from bot.settings.env_source import CONFIG_DIR_VARIABLE

CYCLE_SECONDS = 1.0
START_SECONDS = 60.0
# Should this program be killed, the bot it started ends by itself.
SPARE_SECONDS = 60.0
MASTERS = tuple(str(broker) for broker in BrokerType)
# All masters and nobody else; long scans and entries would only take time from the cycles that are measured.
CONFIGURATION = "risk: {scan_symbols_limit: 3}\nmasters:\n" + "".join(f"  - {{broker: {name}}}\n" for name in MASTERS)
# A cycle counts as on time when it is not later than this, beyond its period: the machine's own noise.
LATENESS_SECONDS = 3.0


@dataclass(frozen=True)
class Watched:
    """The times between cycles of one master, in seconds, while nothing and while something was broken."""

    master: str
    before: Sequence[float]
    during: Sequence[float]

    @property
    def on_time(self) -> bool:
        return bool(self.during) and max(self.during) <= CYCLE_SECONDS + LATENESS_SECONDS


@dataclass(frozen=True)
class Outcome:
    """What was seen. `broken_says` is the broken master's own reason; empty means that breaking it did nothing."""

    broken: str
    broken_says: str
    others: Sequence[Watched]

    @property
    def proven(self) -> bool:
        return bool(self.broken_says and self.others) and all(master.on_time for master in self.others)


class Trial:
    """`stack` closes what the trial starts; `say` is told how far it is."""

    def __init__(self, stack: ExitStack, broken: str, seconds: float, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._broken = broken
        self._seconds = seconds
        self._say = say
        self._clock: Clock = SystemClock()
        self._never = threading.Event()

    def run(self) -> Outcome:
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="nija-trial-")))
        self._say("Starting a throw-away paper exchange and a bot …")
        venue = PaperVenue.start(state_dir=directory, clock=self._clock, stock_session="always_open")
        self._stack.callback(venue.close)
        settings = self._start_bot(directory, venue)
        self._wait_for_cycles(settings)
        self._say(f"All trade. Watching their cycles for {self._seconds:g} s …")
        before = self._intervals(settings)
        self._say(f"Breaking {self._broken}: every call of its master hangs. Watching for {self._seconds:g} s …")
        match = {"brokerage": self._broken, "account": "master"}
        venue.control("POST", "/faults", {"match": match, "action": {"kind": "hang"}, "times": None})
        during = self._intervals(settings)
        reason = next((item.why_not_trading for item in self._masters(settings) if item.label == self._broken), "")
        # Frees the calls that hang, so that the bot can stop at once.
        venue.close()
        others = [name for name in before if name != self._broken]
        return Outcome(self._broken, reason, [Watched(name, before[name], during.get(name, ())) for name in others])

    def _start_bot(self, directory: Path, venue: PaperVenue) -> Settings:
        config_dir = directory / "config"
        (config_dir / "users").mkdir(parents=True)
        (config_dir / "nija.yaml").write_text(CONFIGURATION, encoding="utf-8")
        environ = {name: value for name, value in process_environment().items() if name in OF_THE_MACHINE} | {
            CONFIG_DIR_VARIABLE: str(config_dir),
            "TRADING_MODE": "paper",
            "STATE_DIR": str(directory),
            "METRICS_PORT": "0",
            "NIJA__CONSOLE__ENABLED": "false",
            "PAPER_EXCHANGE_CONTROL": venue.endpoint.control_url,
            "PAPER_EXCHANGE_TOKEN": venue.endpoint.token,
            "NIJA__PACE__PAPER__CYCLE_SECONDS": str(CYCLE_SECONDS),
        }
        longest = START_SECONDS + 2 * self._seconds + SPARE_SECONDS
        self._bot = DrillBot(environ, directory / "trial.log", longest_seconds=longest)
        self._stack.callback(self._bot.stop)
        return load_settings(environ=environ)

    def _wait_for_cycles(self, settings: Settings) -> None:
        deadline = self._clock.monotonic() + START_SECONDS
        while self._clock.monotonic() < deadline:
            masters = self._masters(settings)
            if len(masters) == len(MASTERS) and all(account.row.cycles >= 2 for account in masters):
                return
            if self._bot.ended_with is not None:
                break
            self._clock.wait(self._never, 0.2)
        raise ConfigurationError(f"The masters did not start to trade within {START_SECONDS:g} s")

    def _intervals(self, settings: Settings) -> Mapping[str, Sequence[float]]:
        return cycle_intervals(lambda: self._masters(settings), self._clock, self._seconds)

    def _masters(self, settings: Settings) -> Sequence[Account]:
        try:
            return [account for account in read_overview(settings).accounts if account.is_master]
        except NoStore:
            return []
