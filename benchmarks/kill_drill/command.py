"""The command line: several drills side by side, a progress line, a table."""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.kill_drill.drill import SETTLE_LIMIT_SECONDS, Options, run_drill
from benchmarks.kill_drill.installation import ALL_BROKERAGES, BROKERAGES
from benchmarks.kill_drill.judge import INVARIANTS
from benchmarks.kill_drill.outcome import READY_TARGET_SECONDS, Outcome, summed
from benchmarks.kill_drill.terms import REAL_TIMES, SHORT_TIMES

DESCRIPTION = """\
Kill the bot with SIGKILL again and again, then compare what it believes with what the exchange saw.

The exchange keeps running; the bot (the masters, some users each, trading all the time) is started, killed and
started again: at random moments, at its failpoints, twice in quick succession, and every fifth time once it is ready.
At the end it finishes what is unfinished and sells what it holds. Then the journal of the exchange is compared with
the bot's books, invariant by invariant. Exit code 1 if there is any problem.
"""
ESTIMATED_SECONDS_PER_KILL = 2.5


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    seeds = _seeds(chosen.seed, chosen.kills, chosen.jobs, chosen.each)
    done = _already_done(chosen.results)
    progress = _Progress(sum(seeds.values()), quiet=chosen.json)
    lock = threading.Lock()

    def drill(seed: int) -> Outcome:
        if seed in done:
            progress.note(seed, seeds[seed], "done before")
            return done[seed]
        outcome = run_drill(_options(chosen, seed, seeds[seed]), lambda kills, doing: progress.note(seed, kills, doing))
        if chosen.results is not None:
            with lock, chosen.results.open("a", encoding="utf-8") as file:
                file.write(outcome.to_json() + "\n")
        return outcome

    with ThreadPoolExecutor(chosen.jobs) as pool:
        outcomes = list(pool.map(drill, seeds))
    figures = summed(outcomes)
    print(json.dumps(figures, indent=2) if chosen.json else _table(figures, chosen.directory))
    return 1 if figures["problems"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/kill9.py", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30, help="how often to kill in all (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="of market, moments and faults; jobs count on from it")
    parser.add_argument("--longest", type=float, default=3.5, metavar="SEC", help="longest random life (default 3.5)")
    parser.add_argument("--users", type=int, default=2, help="users of each brokerage (default 2)")
    parser.add_argument(
        "--all-brokerages", action="store_true", help="five brokerages and not only Kraken and Coinbase"
    )
    parser.add_argument("--faults", action="store_true", help="the exchange also loses, delays and spoils answers")
    parser.add_argument("--jobs", type=int, default=1, help="installations side by side (default 1)")
    parser.add_argument("--each", type=int, default=250, help="most kills of one installation (default 250)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="keep finished seeds here and skip them next time")
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()) / f"kill9-{os.getpid()}",
                        help="where the installations lie; those with problems are kept")  # fmt: skip
    parser.add_argument("--short-times", action="store_true", help="let lost orders count as absent after 13 and 20 s")
    parser.add_argument("--settle-limit", type=float, default=SETTLE_LIMIT_SECONDS, metavar="SEC",
                        help=f"longest wait for what is unfinished (default {SETTLE_LIMIT_SECONDS:.0f})")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON only")
    return parser


def _seeds(first: int, kills: int, jobs: int, each: int) -> dict[int, int]:
    """Kills of each seed: at least one installation a job, none with more than `each`."""
    count = max(1, min(jobs, kills), -(-kills // each))
    return {first + number: kills // count + (number < kills % count) for number in range(count)}


def _already_done(results: Path | None) -> dict[int, Outcome]:
    if results is None or not results.exists():
        return {}
    outcomes = [Outcome.from_json(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return {outcome.seed: outcome for outcome in outcomes}


def _options(chosen: argparse.Namespace, seed: int, kills: int) -> Options:
    return Options(
        directory=chosen.directory / f"seed-{seed}", kills=kills, seed=seed, longest=chosen.longest,
        users=chosen.users, faults=chosen.faults, settle_limit=chosen.settle_limit,
        times=SHORT_TIMES if chosen.short_times else REAL_TIMES,
        brokerages=ALL_BROKERAGES if chosen.all_brokerages else BROKERAGES,
    )  # fmt: skip


class _Progress:
    """One line on stderr, rewritten."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._total = total
        self._quiet = quiet
        self._kills: dict[int, int] = {}
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def note(self, seed: int, kills: int, doing: str) -> None:
        with self._lock:
            self._kills[seed] = kills
            done = sum(self._kills.values())
            spent = time.monotonic() - self._started
            left = (self._total - done) * (spent / done if done else ESTIMATED_SECONDS_PER_KILL)
            if not self._quiet:
                line = f"\r{done} of {self._total} kills, about {left / 60:.1f} min left (seed {seed}: {doing})   "
                print(line, end="", file=sys.stderr, flush=True)


def _table(figures: dict[str, object], directory: Path) -> str:
    ready = figures["ready_seconds"]
    problems = figures["problems"]
    assert isinstance(ready, dict) and isinstance(problems, list)
    rows = [
        ("kills", figures["kills"]),
        ("  by kind", figures["kills_by_kind"]),
        ("  with an order under way at death", figures["with_open_orders"]),
        ("  … of the very life that was killed", figures["with_own_open_orders"]),
        ("  at a failpoint", figures["at_failpoint"]),
        ("orders accepted / fills", f"{figures['orders']} / {figures['fills']}"),
        ("signals / answers of users", f"{figures['signals']} / {figures['copies']}"),
        ("orders looked up on arrival", figures["checks"]),
        ("faults ordered", figures["faults"]),
        (f"start to ready, s (aim p99 {READY_TARGET_SECONDS:g})", ", ".join(f"{k} {v}" for k, v in ready.items())),
        ("seconds per kill and job", figures["seconds_per_kill"]),
        ("seconds to settle", figures["settle_seconds"]),
        ("problems", len(problems)),
    ]
    lines = ["", *(f"{name:<40} {value}" for name, value in rows), *(f"  {problem}" for problem in problems)]
    broken = [name for name in INVARIANTS if any(f" {name}:" in problem for problem in problems)]
    lines += [f"{name}: {INVARIANTS[name]}" for name in broken]
    return "\n".join([*lines, *([f"kept: {directory}"] if problems else [])])
