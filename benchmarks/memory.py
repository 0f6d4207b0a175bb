"""What one more account costs in memory: the whole bot with few and with many users, and the difference.

    python benchmarks/memory.py --accounts 50 250 --mode polled websocket [--json]

`python bot.py` with a master and so many users at Kraken, each with its thread, broker, books and connections, against
the paper exchange; its resident memory (VmRSS) once every account is ready. Per account = the slope between the fewest
and the most. polled = REST alone, websocket = with each account's private socket; coinbase, okx, binance and alpaca =
the same at these, as they are set by default. Anchors in the same run: a process
with as many threads that each own a krakenex client with its connection, and one with bare threads.
"""

import argparse
import multiprocessing
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import krakenex

from benchmarks.fanout_drill.fleet import ELSEWHERE, Fleet, settle
from benchmarks.fanout_drill.venue import Venue
from benchmarks.report import Report
from tests.exchange_process import ExchangeProcess

GOALS_KILOBYTES = {"polled": 100.0, "websocket": 200.0} | dict.fromkeys(ELSEWHERE, 200.0)
AT_KRAKEN = ("polled", "websocket")
CYCLE_SECONDS = 150
SETTLE_SECONDS = 2.0
COLUMNS = ("way", "accounts", "MB at the fewest", "MB at the most", "kB an account", "goal kB", "MB at 1,000")
KILOBYTE = 1024
Row = dict[str, str | int | float | None]


def resident_kilobytes(pid: int) -> int:
    """Of a process, by the kernel's word."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} is gone")


def of_the_bot(mode: str, accounts: int) -> int:
    """Kilobytes of a bot with so many users that are all ready."""
    brokerage = "kraken" if mode in AT_KRAKEN else mode
    with (
        ExchangeProcess(seed=1) as exchange,
        tempfile.TemporaryDirectory() as directory,
        Fleet(
            Path(directory), Venue(exchange, brokerage), users=accounts, mode=mode, cycle_seconds=CYCLE_SECONDS
        ) as fleet,
    ):
        settle(SETTLE_SECONDS)
        return resident_kilobytes(fleet.pid)


def of_threads(own: Callable[[str], object], accounts: int, url: str) -> int:
    """Kilobytes of a process with so many threads that each own something and wait."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    child = spawn.Process(target=_hold, args=(own, accounts, url, theirs), daemon=True)
    child.start()
    try:
        if not ours.poll(120):
            raise RuntimeError(f"{accounts} threads did not come up")
        ours.recv()
        assert child.pid is not None
        return resident_kilobytes(child.pid)
    finally:
        ours.send(None)
        child.join(30)
        child.kill()


def _hold(own: Callable[[str], object], accounts: int, url: str, pipe: Connection) -> None:
    end, up, owned = threading.Event(), threading.Semaphore(0), []

    def account() -> None:
        owned.append(own(url))
        up.release()
        end.wait()

    threads = [threading.Thread(target=account, daemon=True) for _ in range(accounts)]
    for thread in threads:
        thread.start()
        up.acquire()
    pipe.send(len(owned))
    pipe.recv()
    end.set()


def a_client(url: str) -> object:
    """What a naive bot keeps for each account, with its connection open."""
    client = krakenex.API()
    client.uri = url
    client.session.trust_env = False
    client.query_public("Time", timeout=10)
    return client


def nothing(_url: str) -> object:
    return None


def row(way: str, accounts: Sequence[int], kilobytes: Sequence[int], goal: float | None = None) -> Row:
    fewest, most = accounts[0], accounts[-1]
    each = (kilobytes[-1] - kilobytes[0]) / (most - fewest)
    return {
        "way": way,
        "accounts": f"{fewest} and {most}",
        "MB at the fewest": round(kilobytes[0] / KILOBYTE, 1),
        "MB at the most": round(kilobytes[-1] / KILOBYTE, 1),
        "kB an account": round(each, 1),
        "goal kB": goal,
        "MB at 1,000": round((kilobytes[0] + each * (1000 - fewest)) / KILOBYTE, 1),
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    accounts = sorted(set(arguments.accounts))
    if len(accounts) < 2:
        raise SystemExit("a slope needs at least two numbers of accounts")
    rows = []
    for mode in arguments.mode:
        kilobytes = [of_the_bot(mode, number) for number in accounts]
        rows.append(row(f"the bot, {mode}", accounts, kilobytes, GOALS_KILOBYTES[mode]))
    with ExchangeProcess(seed=1) as exchange:
        for way, own in (("a thread with a krakenex client", a_client), ("a bare thread", nothing)):
            kilobytes = [of_threads(own, number, exchange.rest_url("kraken")) for number in accounts]
            rows.append(row(way, accounts, kilobytes))
    notes = ("MB at 1,000 goes on from the fewest by the slope; with 1000 among --accounts it is measured.",)
    Report("Memory of one more account", COLUMNS, rows, notes).say(as_json=arguments.json)
    return 0 if all(_kept(one) for one in rows) else 1


def _kept(said: Row) -> bool:
    each, goal = said["kB an account"], said["goal kB"]
    return goal is None or (isinstance(each, float) and isinstance(goal, float) and each <= goal)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--accounts", type=int, nargs="+", default=[50, 250], help="users, from few to many (default 50 250)"
    )
    parser.add_argument(
        "--mode", choices=tuple(GOALS_KILOBYTES), nargs="+", default=list(AT_KRAKEN),
        help="where and how the accounts are connected (default Kraken's two)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
