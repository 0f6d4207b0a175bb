"""One process or several on one PostgreSQL: from a master's fill to its users' orders, take-over, load, memory.

    python benchmarks/scaling.py --users 100 --processes 1 4 [--json]

The exchange, the server and all processes share this
machine: what is measured is the way through the database and between processes, not what more machines would give.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fanout_drill.venue import MARKETS, Venue, moment
from benchmarks.report import Cell, Report
from bot.storage import process
from bot.storage.postgres import postgres_url
from bot.storage.store import Store
from tests.acceptance.hand_traded import NONCE_WINDOW_NS, Hand
from tests.acceptance.many_processes import ManyProcesses
from tests.bot_process import OVER_WEBSOCKET, BotProcess, wait_until
from tests.exchange_process import ExchangeProcess
from tests.postgres_server import PostgresServer

LEASE_SECONDS = 30.0
DOLLARS = 100_000
BOUGHT_DOLLARS = 1000
IDLE_SECONDS = 10.0
LONGEST_SECONDS = 180.0
# As with real money, but for the pauses between connections, which are set apart from what is measured here.
CONFIGURATION = """\
masters:
  - {broker: kraken, paper_balance: 100000}
strategy:
  plugin: bot.diagnostics.drills.still_strategy:StillStrategy
pace:
  paper: {cycle_seconds: 30}
balance: {max_age_seconds: 120, refresh_seconds: 60}
market_watch: {enabled: false}
copying: {gather_partial_fills_milliseconds: 0}
risk: {scan_symbols_limit: 1}
"""
COLUMNS = (
    "processes", "users", "ready s", "median ms", "last ms", "orders once", "transactions/s idle",
    "transactions per signal", "CPU % idle", "MB each", "writes/s", "moved s", "first copy after s",
)  # fmt: skip
NOTES = (
    "median, last: from the master's fill at the exchange to the acceptance there of the median and the last user's"
    " order, of rounds by hand; the first round is not counted. Orders over WebSocket, no latency added.",
    "transactions: of the whole database by pg_stat_database, readings too, with fsync on. CPU: of all bots together;"
    " 100 = one core.",
    "moved: from kill -9 of the process that holds the master until living processes hold all accounts, with the"
    " lease of 30 s as shipped; first copy after: from the kill until a new trade of the master is accepted for all.",
    "writes/s: small durable transactions of as many processes together, nothing else going on: each waits for the"
    " writers' lock of the database.",
)


@dataclass(frozen=True)
class Load:
    """What the server and the bots have done so far."""

    commits: int
    cpu_seconds: float
    at: float


class Installation:
    """`count` processes with one master and `users`, the master traded by hand in a market that stands still."""

    def __init__(self, directory: Path, server: PostgresServer, exchange: ExchangeProcess, *, users: int) -> None:
        self.exchange = exchange
        Venue(exchange)
        self.shared = ManyProcesses(directory, exchange, server.empty_database(), users=users)
        (directory / "config" / "nija.yaml").write_text(CONFIGURATION, encoding="utf-8")
        account = exchange.open_account("kraken", "master", {"USD": DOLLARS}, nonce_window=NONCE_WINDOW_NS)
        self.hand = Hand(exchange.rest_url("kraken"), account)
        self.bots: list[BotProcess] = []
        self._rounds = 0

    def start(self, count: int) -> float:
        """Seconds until every account is healthy."""
        begun = time.monotonic()
        mode = "many" if count > 1 else "one"
        for number in range(count):
            self.bots.append(
                self.shared.start(f"p{number}", lease_seconds=LEASE_SECONDS, NIJA__SCALING__MODE=mode, **OVER_WEBSOCKET)
            )
        if count > 1:
            self.shared.wait_shared(*self.bots, seconds=LONGEST_SECONDS)
        self.wait_healthy()
        return time.monotonic() - begun

    def wait_healthy(self) -> None:
        wanted = len(self.shared.users) + 1
        # Compared with the venue by whoever holds it now.
        query = (
            "SELECT count(*) FROM account_state s JOIN lease l ON l.account_id = s.account_id "
            "WHERE s.health = 'healthy' AND s.hydrated_at > l.renewed_at"
        )
        tables = "SELECT 1 FROM pg_tables WHERE tablename = 'trading_process'"  # the last ones that are made

        def all_are() -> bool:
            return bool(self.shared.ask(tables)) and self.shared.ask(query) == [(wanted,)]

        wait_until(all_are, seconds=LONGEST_SECONDS, what="all are healthy")

    def trade(self) -> list[float]:
        """One purchase of the master; milliseconds from its fill to each user's acceptance."""
        symbol = MARKETS[self._rounds % len(MARKETS)]
        self._rounds += 1
        since = self.exchange.last_seq()
        quote = self.exchange.control("GET", f"/market?symbol={symbol}")[0]
        self.hand.trades("buy", f"{BOUGHT_DOLLARS / float(quote['ask']):.4f}", symbol)
        wanted = len(self.shared.users) + 1

        def accepted() -> list[dict[str, str]]:
            found = self.exchange.journal(since, type="accept", symbol=symbol)
            return found if len(found) >= wanted else []

        found = wait_until(accepted, seconds=LONGEST_SECONDS, what=f"{wanted} orders in {symbol}")
        filled = min(moment(line["time"]) for line in self.exchange.journal(since, type="fill", symbol=symbol))
        return sorted(max(0.0, 1000 * (moment(line["time"]) - filled)) for line in found[1:])

    def load(self) -> Load:
        ((commits,),) = self.shared.ask("SELECT sum(xact_commit) FROM pg_stat_database")
        return Load(int(commits), sum(map(_cpu_seconds, self.pids())), time.monotonic())

    def pids(self) -> list[int]:
        return [bot.process.pid for bot in self.bots if bot.process.poll() is None]

    def once_each(self) -> bool:
        # What the owner buys by hand has no id of ours.
        orders = [order for order in self.shared.orders() if order]
        return len(orders) == len(set(orders))

    def close(self) -> None:
        for bot in self.bots:
            bot.stop(seconds=30)
        self.hand.session.close()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _megabytes(pid: int) -> float:
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure(directory: Path, server: PostgresServer, count: int, *, users: int, rounds: int) -> Mapping[str, Cell]:
    with ExchangeProcess(seed=5) as exchange:
        there = Installation(directory, server, exchange, users=users)
        try:
            return {"processes": count, "users": users, **_figures(there, count, rounds)}
        finally:
            there.close()


def _figures(there: Installation, count: int, rounds: int) -> Mapping[str, Cell]:
    ready = there.start(count)
    there.trade()
    before = there.load()
    threading.Event().wait(IDLE_SECONDS)
    idle = there.load()
    times = [there.trade() for _ in range(rounds)]
    busy = there.load()
    seconds = idle.at - before.at
    resting = (idle.commits - before.commits) / seconds
    memory = statistics.median(map(_megabytes, there.pids()))
    moved, copied = _take_over(there) if count > 1 else (None, None)
    return {
        "ready s": ready,
        "median ms": statistics.median(statistics.median(one) for one in times),
        "last ms": statistics.median(one[-1] for one in times),
        "transactions/s idle": resting,
        "transactions per signal": max(0.0, busy.commits - idle.commits - resting * (busy.at - idle.at)) / rounds,
        "CPU % idle": 100 * (idle.cpu_seconds - before.cpu_seconds) / seconds,
        "MB each": memory,
        "moved s": moved,
        "first copy after s": copied,
        "orders once": "yes" if there.once_each() else "NO",
    }


def _take_over(there: Installation) -> tuple[float, float]:
    dead = next(bot for bot in there.bots if bot.process.pid == there.shared.holder_of_master())
    killed_at = time.monotonic()
    dead.kill()
    left = [bot for bot in there.bots if bot is not dead]
    there.shared.wait_shared(*left, seconds=LONGEST_SECONDS)
    moved = time.monotonic() - killed_at
    there.wait_healthy()
    there.trade()
    return moved, time.monotonic() - killed_at


# -- the writers' lock ----------------------------------------------------------------------------------------------
WRITING_SECONDS = 5.0


def _write_for_a_while(url: str, number: int, done: "Queue[int]") -> None:
    """One process with one writer, as a bot has: as many durable transactions as it gets."""
    store = Store(postgres_url(url))
    store.start()
    count, end = 0, time.monotonic() + WRITING_SECONDS
    while time.monotonic() < end:
        store.write(partial(process.set_meta, key=f"scaling {number}", value=str(count)))
        count += 1
    store.close()
    done.put(count)


def writes_per_second(server: PostgresServer, count: int) -> float:
    """Of so many processes together that write as fast as they can, one transaction after the other."""
    url, done = server.migrated_database(), multiprocessing.get_context("spawn").Queue()
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_for_a_while, args=(url, number, done)) for number in range(count)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return sum(done.get() for _ in writers) / WRITING_SECONDS


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args(argv)
    rows = []
    with PostgresServer(settings=("max_connections=300",)) as server:
        for count in words.processes:
            with tempfile.TemporaryDirectory() as directory:
                rows.append(measure(Path(directory), server, count, users=words.users, rounds=words.rounds))
            rows[-1] = {**rows[-1], "writes/s": writes_per_second(server, count)}
            print(f"{count} processes: {rows[-1]}", file=sys.stderr, flush=True)
    report = Report(
        "Processes on one PostgreSQL", COLUMNS, cast(Sequence[Mapping[str, Cell]], rows), NOTES, {"users": words.users}
    )
    report.say(as_json=words.json)
    return 0 if all(row["orders once"] == "yes" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
