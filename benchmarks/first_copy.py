"""Seconds from `python bot.py` to the first log line and to the first copied fill, over many generated markets.

    python benchmarks/first_copy.py --seeds 20

Each run has a new state directory, an exchange of its own and the shipped configuration. The time includes starting
Python, the exchange and all accounts.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).resolve().parents[1]
GIVE_UP_SECONDS = 30.0
GOAL_SECONDS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many markets (default 20)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    arguments = parser.parse_args()
    times = []
    print(f"{'seed':>6}  {'first line':>10}  {'first copy':>10}")
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        line, copy = measure(seed)
        times.append(copy)
        print(f"{seed:>6}  {line:>9.2f}s  {'none' if copy is None else f'{copy:.2f}s':>10}", flush=True)
    in_time = [copy for copy in times if copy is not None and copy <= GOAL_SECONDS]
    copied = [copy for copy in times if copy is not None]
    print(f"within {GOAL_SECONDS:g} s: {len(in_time)} of {len(times)}; median {median(copied):.2f} s")
    return 0


def measure(seed: int) -> tuple[float, float | None]:
    """Seconds to the first line and to the first copy (None: not within the limit)."""
    with tempfile.TemporaryDirectory() as state:
        environ = {
            "PATH": os.environ.get("PATH", ""), "HOME": state, "STATE_DIR": state, "METRICS_PORT": "0",
            "LOG_JSON": "false",
            "PAPER_SEED": str(seed), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        began = time.monotonic()
        bot = subprocess.Popen(
            [sys.executable, "bot.py", "--for", str(GIVE_UP_SECONDS)],
            cwd=PROJECT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            return _listen(bot, began)
        finally:
            bot.send_signal(signal.SIGTERM)
            bot.communicate(timeout=20)


def _listen(bot: "subprocess.Popen[str]", began: float) -> tuple[float, float | None]:
    first = None
    assert bot.stdout is not None
    for line in bot.stdout:
        now = time.monotonic() - began
        first = now if first is None else first
        if line.rstrip().endswith(" copied"):
            return first, now
    return first or 0.0, None


if __name__ == "__main__":
    raise SystemExit(main())
