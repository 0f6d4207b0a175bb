"""`python -m tests.simulation --seeds A:B [--verbose]`: exit code 1 and the seeds where a promise was broken."""

import argparse
import logging
import sys
from collections import Counter

from tests.simulation.run import Result, run_seeds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", required=True, help="A:B, from A up to but not including B")
    parser.add_argument("--verbose", action="store_true", help="the bot's log lines as well")
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition(":")
    if arguments.verbose:
        logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    totals: Counter[str] = Counter()
    for result in run_seeds(range(int(first), int(last)), verbose=arguments.verbose):
        _count(totals, result)
        for violation in result.violations:
            print(f"seed {result.seed}: {violation.rule}: {violation.detail}", flush=True)
    print(", ".join(f"{count} {name}" for name, count in totals.items()))
    return 1 if totals["violating seeds"] else 0


def _count(totals: Counter[str], result: Result) -> None:
    totals["seeds"] += 1
    totals["crashes"] += result.crashes
    totals["orders"] += result.orders
    totals["fills"] += result.fills
    totals["signals"] += result.signals
    totals["violating seeds"] += bool(result.violations)


sys.exit(main())
