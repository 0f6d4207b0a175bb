"""What a running bot is measured by: its process, its metrics, its books."""

import os
import re
import sqlite3
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kill_drill.books import open_books

MIB = 1024 * 1024
SCRAPE_SECONDS = 10.0
_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/metrics")
_VALUE = re.compile(r"^(?P<name>\w+)(?:\{[^}]*\})? (?P<value>\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """`seconds` since the bot started; sizes in MiB; what is waiting somewhere as numbers of things."""

    seconds: float
    rss: float
    threads: float
    descriptors: float
    store_queue: float
    inboxes: float
    unanswered: float
    unresolved: float
    zombies: float
    database: float
    fills: float
    cycles: float


class Sampler:
    """Looks at one process; `log` is where it has said the address of its metrics."""

    def __init__(self, pid: int, log: Path, database: Path) -> None:
        self._pid = pid
        self._log = log
        self._database = database
        self._began = time.monotonic()
        self._address = ""

    def sample(self) -> Sample:
        """Raises OSError when the process is gone or does not answer."""
        status = _proc_status(self._pid)
        metrics = self._metrics()
        return Sample(
            seconds=time.monotonic() - self._began,
            rss=int(status["VmRSS"].split()[0]) / 1024,
            threads=int(status["Threads"]),
            descriptors=len(os.listdir(f"/proc/{self._pid}/fd")),
            store_queue=metrics.get("nija_store_queue", 0.0),
            inboxes=metrics.get("nija_inbox_notes", 0.0),
            unanswered=metrics.get("nija_copy_answers_missing", 0.0),
            unresolved=metrics.get("nija_orders_unresolved", 0.0),
            zombies=metrics.get("nija_zombies", 0.0),
            database=self._database_mib(),
            fills=self._count("fill"),
            cycles=metrics.get("nija_cycles_total", 0.0),
        )

    def _metrics(self) -> dict[str, float]:
        """Each series summed over its labels."""
        if not self._address:
            found = _ADDRESS.search(self._log.read_text(encoding="utf-8", errors="replace"))
            if found is None:
                raise OSError("the bot has not said where its metrics are")
            self._address = found[1]
        with urllib.request.urlopen(f"{self._address}/metrics", timeout=SCRAPE_SECONDS) as reply:
            text = reply.read().decode()
        sums: dict[str, float] = {}
        for match in _VALUE.finditer(text):
            sums[match["name"]] = sums.get(match["name"], 0.0) + float(match["value"])
        return sums

    def _database_mib(self) -> float:
        files = self._database.parent.glob(f"{self._database.name}*")
        return sum(file.stat().st_size for file in files) / MIB

    def _count(self, table: str) -> float:
        try:
            with open_books(self._database) as connection:
                return float(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        except sqlite3.Error:
            return 0.0


def _proc_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
