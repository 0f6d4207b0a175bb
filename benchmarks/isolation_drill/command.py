"""The command line: which faults, a line for each, a verdict."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.isolation_drill.catalogue import ALL, BY_NAME, QUICK
from benchmarks.isolation_drill.drill import HEADING, IsolationDrill, Options

DESCRIPTION = """\
Fifteen accounts trade at five brokerages (a master and two users each). One after the other is made to suffer; the
others' cycles must begin as they did before: p99 of their lateness within 1.5 times that of the time before, plus a
floor, plus for Kraken's accounts one hold of Kraken's global lock when one of them suffers. At the end every signal
has its answers, and what the exchange saw agrees with the books. Exit code 1 if anything of that is not so.

near: the accounts of the same brokerage; far: those of the others; before, with the fault, and what it may be, in
seconds; back: until the account itself had begun two cycles after its fault was over.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    names = _names(chosen)
    if chosen.list:
        print("\n".join(f"{each.name:<44} {each.victim}" for each in ALL))
        return 0
    tell = _silent if chosen.json else _aloud
    tell(HEADING)
    options = Options(
        seconds=chosen.seconds,
        baseline_seconds=chosen.baseline,
        cycle_seconds=chosen.cycle_seconds,
        floor_seconds=chosen.floor,
        fresh_baseline=not chosen.one_baseline,
        seed=chosen.seed,
    )
    with tempfile.TemporaryDirectory() as directory:
        place = chosen.directory or Path(directory)
        report = IsolationDrill(place, options, tell).run([BY_NAME[name] for name in names])
    if chosen.json:
        print(json.dumps({**asdict(report), "problems": report.problems}, indent=2))
    else:
        print(f"{report.signals} signals, {report.answers} answers; audit: {report.audit}")
        print("\n".join(report.problems) or f"{len(report.findings)} faults, no account hurt another")
    return 1 if report.problems else 0


def _aloud(line: str) -> None:
    print(line, flush=True)


def _silent(_line: str) -> None:
    """Nothing but the JSON."""


def _names(chosen: argparse.Namespace) -> Sequence[str]:
    if chosen.quick:
        return QUICK
    wanted = [name for name in BY_NAME if any(part in name for part in chosen.faults.split(","))]
    if not wanted:
        print(f"no fault has {chosen.faults!r} in its name; --list shows all", file=sys.stderr)
        raise SystemExit(2)
    return wanted


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/isolation.py",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--faults", default="", metavar="WORDS", help="only those with one of these words in the name")
    parser.add_argument("--quick", action="store_true", help=f"{len(QUICK)} faults, one of each kind")
    parser.add_argument("--list", action="store_true", help="the names of all faults")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long an account suffers (default 10)")
    parser.add_argument("--baseline", type=float, default=10.0, help="how long is timed before it (default 10)")
    parser.add_argument("--one-baseline", action="store_true", help="time the others once and not before each fault")
    parser.add_argument("--cycle-seconds", type=float, default=1.0, help="an account's cycle (default 1)")
    parser.add_argument("--floor", type=float, default=0.25, help="lateness that is forgiven (default 0.25)")
    parser.add_argument("--seed", type=int, default=1, help="of the market (default 1)")
    parser.add_argument("--directory", type=Path, help="keep state and log here (default: a temporary directory)")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    return parser
