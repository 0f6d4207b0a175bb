"""Two masters and many users, cycles far shorter than with real money, and an exchange that now and then misbehaves."""

import os
import random
from pathlib import Path

from benchmarks.kill_drill.disturber import ORDER_ENDPOINTS, ORDER_FAULTS, READ_FAULTS
from benchmarks.kill_drill.exchange_process import DrillExchange
from benchmarks.kill_drill.installation import SYMBOLS, Installation, Life
from benchmarks.kill_drill.terms import SHORT_TIMES

CONFIGURATION = """\
masters:
  - {{broker: kraken}}
  - {{broker: coinbase}}
strategy:
  plugin: benchmarks.kill_drill.busy_strategy:BusyStrategy
  parameters: {{entries: {entries}}}
pace:
  paper: {{cycle_seconds: {cycle}, reconcile_seconds: 30}}
kraken: {{order_deadline_seconds: {kraken.deadline_seconds}, settle_margin_seconds: {kraken.margin_seconds}}}
coinbase: {{order_deadline_seconds: {coinbase.deadline_seconds}, settle_margin_seconds: {coinbase.margin_seconds}}}
risk:
  max_positions: 12
  max_entries_per_cycle: 1
  order_fraction_of_balance_percent: 0.3
  scan_symbols_limit: {symbols}
  max_entries_per_minute: null
  duplicate_entry_seconds: null
  max_rejects_in_a_row: null
"""


class SoakInstallation(Installation):
    """`accounts` counts both masters."""

    def __init__(self, directory: Path, exchange: DrillExchange, *, accounts: int, cycle_seconds: float) -> None:
        self._cycle_seconds = cycle_seconds
        super().__init__(directory, exchange, users=(accounts - 2) // 2, times=SHORT_TIMES)

    @property
    def log(self) -> Path:
        return self.directory / "output.txt"

    def start(self, *, failpoint: str | None = None) -> Life:
        environ = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(self.directory), "STATE_DIR": str(self.state),
            "NIJA_CONFIG_DIR": str(self.directory / "config"), "METRICS_PORT": "0",
            "LOG_JSON": "false", "NIJA__SUPERVISION__CRASHED_BOOTS": "0",
            "PAPER_EXCHANGE_CONTROL": self.exchange.url, "PAPER_EXCHANGE_TOKEN": self.exchange.token,
        }  # fmt: skip
        return Life(self, environ)

    def _write_configuration(self, *, entries: bool) -> None:
        (self.directory / "config" / "users").mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True)
        text = CONFIGURATION.format(entries=int(entries), symbols=SYMBOLS, cycle=self._cycle_seconds, **self.times)
        (self.directory / "config" / "nija.yaml").write_text(text, encoding="utf-8")


class Weather:
    """Lost and spoilt answers at any account, and now and then a brokerage that breaks every connection."""

    def __init__(self, exchange: DrillExchange, seed: int) -> None:
        self._exchange = exchange
        self._chance = random.Random(seed)
        self.ordered = 0

    def change(self) -> None:
        """What was not hit is taken back; a few new faults come."""
        self._exchange.clear_faults()
        for match in ORDER_ENDPOINTS:
            if self._chance.random() < 0.7:
                self._order({**match, "nth": self._chance.randint(1, 4)}, self._chance.choice(ORDER_FAULTS))
        brokerage = self._chance.choice(("kraken", "coinbase"))
        if self._chance.random() < 0.5:
            self._order({"brokerage": brokerage}, self._chance.choice(READ_FAULTS), times=3)
        if self._chance.random() < 0.3:
            self._order({"brokerage": brokerage}, {"kind": "reset"}, times=30)

    def _order(self, match: dict[str, object], action: object, *, times: int = 1) -> None:
        self._exchange.control("POST", "/faults", {"match": match, "action": action, "times": times})
        self.ordered += 1
