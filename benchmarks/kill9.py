"""Kill the bot with SIGKILL again and again, then compare what it believes with what the exchange saw.

    python benchmarks/kill9.py --kills 30 [--seed 1]

The exchange keeps running; the bot is started, killed after a random moment, and started again. After the last kill it
runs until every signal has its answers. Judged by the exchange's journal:

- no client order id was accepted twice, and no user has two accepted entries for one signal;
- every signal has exactly one final answer for every user;
- every fill of the exchange is in the books once, and the books have no other;
- each Kraken key's nonces only ever rose.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
SETTLE_SECONDS = 240.0
Line = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="how often to kill (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the market and of the moments of the kills")
    parser.add_argument("--longest", type=float, default=6.0, help="longest life of a bot in seconds (default 6)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill9-") as name:
        state = Path(name)
        with subprocess.Popen(
            [sys.executable, "-m", "paper_exchange", "--exit-with-stdin", "--seed", str(arguments.seed)],
            cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as exchange:  # fmt: skip
            assert exchange.stdout is not None
            control = json.loads(exchange.stdout.readline())["control"]
            _kill_often(arguments, state, control)
            journal = _journal(control)
            problems = _judge(state / "nija.db", journal)
            assert exchange.stdin is not None
            exchange.stdin.close()
    accepted = sum(line["type"] == "accept" for line in journal)
    print(f"{arguments.kills} kills, {accepted} orders accepted, {len(problems)} problems")
    for problem in problems:
        print(f"  {problem}")
    return 1 if problems else 0


def _kill_often(arguments: argparse.Namespace, state: Path, control: dict[str, str]) -> None:
    chance = random.Random(arguments.seed)
    for number in range(arguments.kills):
        bot = _start(state, control)
        time.sleep(chance.uniform(0.5, arguments.longest))
        bot.kill()
        bot.wait()
        print(f"\rkilled {number + 1} of {arguments.kills}", end="", flush=True)
    print("\nsettling …", flush=True)
    # Nothing new is entered while the last answers come in.
    bot = _start(state, control, NIJA__RISK__MAX_POSITIONS="1")
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline and (_unfinished(state / "nija.db") or time.monotonic() < deadline - 230):
        time.sleep(1)
    bot.send_signal(signal.SIGTERM)
    if bot.wait(30) != 0:
        raise SystemExit(f"the last bot ended with {bot.returncode}")


def _start(state: Path, control: dict[str, str], **more: str) -> "subprocess.Popen[bytes]":
    environ = {
        "PATH": os.environ.get("PATH", ""), "HOME": str(state), "STATE_DIR": str(state), "METRICS_PORT": "0",
        "PAPER_EXCHANGE_CONTROL": control["url"], "PAPER_EXCHANGE_TOKEN": control["token"],
        "NIJA__PACE__PAPER__CYCLE_SECONDS": "0.5", "NIJA__RISK__MAX_POSITIONS": "50",
        "NIJA__RISK__TAKE_PROFIT_PERCENT": "0.1", "NIJA__RISK__STOP_LOSS_PERCENT": "0.1",
        "NIJA__RISK__TRAILING_STOP_PERCENT": "0.1", "NIJA__RISK__ORDER_FRACTION_OF_BALANCE_PERCENT": "2",
    } | more  # fmt: skip
    output = (state / "out.txt").open("ab")
    return subprocess.Popen([sys.executable, "bot.py"], cwd=PROJECT, env=environ, stdout=output, stderr=output)


def _unfinished(database: Path) -> int:
    ended = "('filled', 'cancelled', 'rejected', 'expired', 'abandoned')"
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        copies = connection.execute("select count(*) from copy_result where status = 'planned'").fetchone()[0]
        intents = connection.execute(f"select count(*) from order_intent where state not in {ended}").fetchone()[0]
        signals = connection.execute("select count(*) from signal where planned_at is null").fetchone()[0]
    return int(copies + intents + signals)


def _journal(control: dict[str, str]) -> list[Line]:
    request = urllib.request.Request(f"{control['url']}/journal?since=0", headers={"X-Paper-Token": control["token"]})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return [json.loads(line) for line in reply.read().splitlines()]


def _judge(database: Path, journal: list[Line]) -> list[str]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        return [
            *_orders_once(connection, journal),
            *_answers(connection),
            *_books(connection, journal),
            *_nonces(journal),
        ]


def _orders_once(connection: sqlite3.Connection, journal: list[Line]) -> list[str]:
    accepted = Counter(line["client_order_id"] for line in journal if line["type"] == "accept")
    problems = [f"order {name} was accepted {count} times" for name, count in accepted.items() if count > 1]
    rows = connection.execute("select client_order_id, account_id, signal_id, kind from order_intent").fetchall()
    known = {row["client_order_id"]: row for row in rows}
    problems += [f"order {name} at the exchange is in no book" for name in accepted if name not in known]
    entries = Counter(
        (known[name]["signal_id"], known[name]["account_id"])
        for name in accepted
        if name in known and known[name]["kind"] == "entry" and known[name]["signal_id"]
    )
    return problems + [
        f"{account} entered {count} times on {which}" for (which, account), count in entries.items() if count > 1
    ]


def _answers(connection: sqlite3.Connection) -> list[str]:
    unanswered = connection.execute("select signal_id, account_id, detail from copy_result where status = 'planned'")
    missing = connection.execute(
        "select signal_id, count(*) as answers from signal left join copy_result using (signal_id) "
        "group by signal_id having answers != 2"
    )
    return [f"no answer of {row['account_id']} to {row['signal_id']}: {row['detail']}" for row in unanswered] + [
        f"signal {row['signal_id']} has {row['answers']} rows for 2 users" for row in missing
    ]


def _books(connection: sqlite3.Connection, journal: list[Line]) -> list[str]:
    booked: dict[str, Decimal] = defaultdict(Decimal)
    for row in connection.execute("select client_order_id, quantity from fill"):
        booked[row["client_order_id"]] += Decimal(row["quantity"])
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for line in journal:
        if line["type"] == "fill":
            filled[line["client_order_id"]] += Decimal(line["quantity"])
    names = booked.keys() | filled.keys()
    return [
        f"order {name}: the exchange filled {filled[name]}, the books have {booked[name]}"
        for name in names
        if filled[name] != booked[name]
    ]


def _nonces(journal: list[Line]) -> list[str]:
    given: dict[str, list[int]] = defaultdict(list)
    for line in journal:
        if line["type"] == "request" and line["nonce"] is not None:
            given[line["account"]].append(int(line["nonce"]))
    return [
        f"{account}: nonce {later} after {earlier}"
        for account, nonces in given.items()
        for earlier, later in pairwise(nonces)
        if later <= earlier
    ]


if __name__ == "__main__":
    raise SystemExit(main())
