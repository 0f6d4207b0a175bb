"""A master and two users at each of five brokerages: fifteen accounts that trade all the time, one of which suffers."""

import json
import os
from itertools import count
from pathlib import Path

from benchmarks.isolation_drill.catalogue import Suffering
from benchmarks.isolation_drill.mischief import VARIABLE, begun_file
from benchmarks.kill_drill.exchange_process import DrillExchange
from benchmarks.kill_drill.installation import ALL_BROKERAGES, Installation, Life
from benchmarks.kill_drill.terms import SHORT_TIMES

USERS = 2
# Few, so that what is timed is not the load of the drill itself.
SYMBOLS = 6
CONFIGURATION = """\
masters: [{masters}]
strategy:
  plugin: benchmarks.isolation_drill.wayward_strategy:WaywardStrategy
  parameters: {{entries: {entries}}}
pace:
  paper: {{cycle_seconds: {cycle}, cycle_jitter_fraction: 0, reconcile_seconds: 3}}
supervision: {{step_seconds: 12, suspect_after_seconds: 2, quarantine_after_seconds: 2, most_hung_threads: 20}}
{times}
risk:
  max_positions: 4
  max_entries_per_cycle: 1
  order_fraction_of_balance_percent: 0.3
  scan_symbols_limit: {symbols}
  max_entries_per_minute: null
  duplicate_entry_seconds: null
  max_rejects_in_a_row: null
"""


class IsolationInstallation(Installation):
    """The cycles have no jitter, so that a late one is late."""

    def __init__(self, directory: Path, exchange: DrillExchange, *, cycle_seconds: float) -> None:
        self._cycle_seconds = cycle_seconds
        super().__init__(directory, exchange, users=USERS, times=SHORT_TIMES, brokerages=ALL_BROKERAGES)
        self._order_file = directory / "wayward.json"
        self._orders = count(1)
        self._number = ""

    def environ(self) -> dict[str, str]:
        """Of the bot's processes."""
        return {
            "PATH": os.environ.get("PATH", ""), "HOME": str(self.directory), "STATE_DIR": str(self.state),
            "NIJA_CONFIG_DIR": str(self.directory / "config"), "METRICS_PORT": "0",
            "LOG_JSON": "false", "NIJA__SUPERVISION__CRASHED_BOOTS": "0",
            "PAPER_EXCHANGE_CONTROL": self.exchange.url, "PAPER_EXCHANGE_TOKEN": self.exchange.token,
            VARIABLE: str(self._order_file),
        }  # fmt: skip

    def start(self, *, failpoint: str | None = None) -> Life:
        return Life(self, self.environ())

    @property
    def log(self) -> Path:
        return self.directory / "output.txt"

    def begin(self, suffering: Suffering) -> None:
        """From now on this account suffers."""
        match = {"brokerage": suffering.brokerage, "account": suffering.account}
        for endpoint, action in suffering.answers:
            body = {"match": {**match, "endpoint": endpoint}, "action": action, "times": None}
            self.exchange.control("POST", "/faults", body)
        if suffering.deed:
            self._order(thread=f"Trader-{suffering.victim}", place=suffering.place, deed=suffering.deed)

    def has_struck(self, suffering: Suffering) -> bool:
        """Whether the account has come to feel it."""
        if suffering.deed:
            begun = begun_file(self._order_file)
            return begun.exists() and begun.read_text(encoding="utf-8") == self._number
        return any(fault["applied"] for fault in self.exchange.control("GET", "/faults"))

    def end(self) -> None:
        """Nobody suffers any more."""
        self.exchange.clear_faults()
        self._order(thread="", place="", deed="")

    def _order(self, **words: str) -> None:
        beside = self._order_file.with_suffix(".new")
        self._number = str(next(self._orders))
        beside.write_text(json.dumps({"number": self._number, **words}), encoding="utf-8")
        os.replace(beside, self._order_file)

    def _write_configuration(self, *, entries: bool) -> None:
        (self.directory / "config" / "users").mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True)
        text = CONFIGURATION.format(
            entries=int(entries), symbols=SYMBOLS, cycle=self._cycle_seconds, **self._of_each_brokerage()
        )
        (self.directory / "config" / "nija.yaml").write_text(text, encoding="utf-8")
