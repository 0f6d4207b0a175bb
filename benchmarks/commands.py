"""How long each command that reads the store takes: CPU seconds, and as a ratio to an empty interpreter's start.

    python -m benchmarks.commands [--state-dir DIR] [--rounds N]

Without a directory a small store is made: two masters and a user, nothing traded. CPU time, because other work on the
machine makes any wall time longer; the least of the rounds, because nothing makes it shorter.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bot_process import ROOT
from tests.stored_bot import KRAKEN, StoredBot, write_configuration

COMMANDS = (
    *("--help", "status", "users", "why kraken", "why-no-trade kraken", "copies", "market", "vetoes", "money", "pnl"),
    *("positions", "fidelity", "halts", "limits", "symbols", "orders", "alerts", "nonce status", "debts", "resolve"),
    *("drift", "audit", "verify", "controls", "processes", "config show", "strategy list", "completion bash"),
)
TARGET_SECONDS = 0.5


def cpu_seconds(command: Sequence[str], environ: Mapping[str, str], *, rounds: int) -> float:
    """The least of the rounds, user and system time together."""
    return min(_once(command, environ) for _ in range(rounds))


def _once(command: Sequence[str], environ: Mapping[str, str]) -> float:
    child = subprocess.Popen(command, cwd=ROOT, env=dict(environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(child.pid, 0)
    # The object must not wait for a process that is gone already.
    child.returncode = 0
    return used.ru_utime + used.ru_stime


def measure(state_dir: Path, *, rounds: int) -> int:
    environ = {**os.environ, "STATE_DIR": str(state_dir)}
    empty = cpu_seconds([sys.executable, "-c", "pass"], environ, rounds=rounds)
    print(f"{'python -c pass':24} {empty:6.3f} s")
    slow = 0
    for words in COMMANDS:
        taken = cpu_seconds([sys.executable, "bot.py", *words.split()], environ, rounds=rounds)
        slow += taken > TARGET_SECONDS
        print(
            f"{words:24} {taken:6.3f} s  {taken / empty:5.1f} x{'  above the target' if taken > TARGET_SECONDS else ''}"
        )
    print(f"{slow} of {len(COMMANDS)} above {TARGET_SECONDS:g} s of CPU")
    return 1 if slow else 0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state-dir", type=Path, help="a store to read instead of a small one")
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    if chosen.state_dir is not None:
        return measure(chosen.state_dir, rounds=chosen.rounds)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        os.environ["NIJA_CONFIG_DIR"] = str(write_configuration(home))
        with StoredBot(home) as bot:
            bot.runs()
            bot.accounts([KRAKEN])
        return measure(home, rounds=chosen.rounds)


if __name__ == "__main__":
    sys.exit(main())
