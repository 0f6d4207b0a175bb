"""Simulate copying over many seeded worlds.

`python -m tests.simulation --seeds A:B [--workers N] [--state FILE] [--venue NAME] [--mutant NAME] [--verbose]`
`python -m tests.simulation --mutants [--seeds A:B]` prints which seed catches each wrong way first.
`python -m tests.simulation --hangs N` goes on from seed 0 until so many threads have hung, were replaced, and woke.

Exit code 1 when a promise was broken (with --mutants: when a wrong way was not caught), 2 for a state file of another
commit. A seed is run again by itself with `--seeds N:N+1 --verbose`.
"""

import argparse
import logging
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.simulation.farm import OtherCommit, Progress, commit, run_farm
from tests.simulation.hangs import HANG, WOKE, Stage
from tests.simulation.mutants import MUTANTS, no_mutant, where
from tests.simulation.run import run_seeds
from tests.simulation.semantics import VENUES
from tests.simulation.tally import Tally
from tests.simulation.witness import REPLACED

MUTANT_SEEDS = (0, 5000)
# Worlds that are begun before the hangs are counted again.
HANGING_SEEDS = 200


def main() -> int:
    arguments = _parser().parse_args()
    first, last = arguments.seeds or (MUTANT_SEEDS if arguments.mutants else (0, 1000))
    if arguments.mutants:
        return _mutants(first, last, arguments.workers)
    if arguments.verbose:
        return _aloud(first, last, arguments)
    if arguments.hangs:
        return _hangs(arguments)
    key = _key(arguments)
    try:
        progress = Progress.load(arguments.state, key=key, any_commit=arguments.any_commit)
    except OtherCommit as error:
        print(error, file=sys.stderr)
        return 2
    farm = run_farm(
        first,
        last,
        workers=arguments.workers,
        progress=progress,
        mutant=arguments.mutant or "",
        venue=arguments.venue,
    )
    for line in farm:
        print(line, flush=True)
    return _report(first, last, key, progress.tally)


def _key(arguments: argparse.Namespace) -> str:
    return " ".join(filter(None, (commit(), arguments.mutant, arguments.venue, "hangs" if arguments.hangs else "")))


def _hangs(arguments: argparse.Namespace) -> int:
    """Worlds whose threads hang, until there were enough of them."""
    progress, last = Progress(_key(arguments)), 0
    while progress.tally.faults[HANG] < arguments.hangs:
        first, last = last, last + HANGING_SEEDS
        farm = run_farm(
            first,
            last,
            workers=arguments.workers,
            progress=progress,
            mutant=arguments.mutant or "",
            venue=arguments.venue,
            hangs=True,
        )
        for line in farm:
            print(line, flush=True)
    code = _report(0, last, progress.commit, progress.tally)
    woken = sum(progress.tally.faults[f"{WOKE} {stage.value}"] for stage in Stage if stage is not Stage.FROZEN)
    print(
        f"{progress.tally.faults[HANG]:,} hangs; {woken:,} threads woke after they were shut out; "
        f"{progress.tally.violations[REPLACED]:,} orders left from such a thread"
    )
    return code


def _report(first: int, last: int, key: str, tally: Tally) -> int:
    for seed, venue, rule, detail in tally.broken:
        print(f"seed {seed} ({venue}): {rule}: {detail}")
    more = " --hangs 1" if key.endswith(" hangs") else ""
    for seed in sorted({one[0] for one in tally.broken})[:5]:
        print(f"again: .venv/bin/python -m tests.simulation --seeds {seed}:{seed + 1} --verbose{more}")
    print("\n".join(tally.lines()))
    print(f"seeds {first}:{last} at {key}")
    return 1 if tally.violating_seeds else 0


def _aloud(first: int, last: int, arguments: argparse.Namespace) -> int:
    """In this process, with the bot's log."""
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s", stream=sys.stdout)
    mutant = MUTANTS[arguments.mutant] if arguments.mutant else no_mutant
    results = run_seeds(
        range(first, last), mutant=mutant, venue=arguments.venue, verbose=True, hangs=bool(arguments.hangs)
    )
    return _report(first, last, commit(), Tally.of(results))


def _mutants(first: int, last: int, workers: int) -> int:
    missed = 0
    with ProcessPoolExecutor(workers) as pool:
        for line in pool.map(_first_catch, MUTANTS, [first] * len(MUTANTS), [last] * len(MUTANTS)):
            missed += line.endswith("not caught")
            print(line, flush=True)
    print(f"{len(MUTANTS) - missed} of {len(MUTANTS)} wrong ways caught within seeds {first}:{last} at {commit()}")
    return 1 if missed else 0


def _first_catch(name: str, first: int, last: int) -> str:
    for result in run_seeds(range(first, last), **where(name)):
        if result.violations:
            rules = sorted({violation.rule for violation in result.violations})
            return f"{name:36} seed {result.seed:5} ({result.venue}): {'; '.join(rules)}"
    return f"{name:36} not caught"


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    return int(first), int(last)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=_range, help="A:B, from A up to but not including B (default 0:1000)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--state", type=Path, help="a file that remembers what is done; the same command goes on")
    parser.add_argument("--any-commit", action="store_true", help="go on with a state of another commit")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="do it this wrong way")
    parser.add_argument("--mutants", action="store_true", help="the table of all wrong ways")
    parser.add_argument("--hangs", type=int, metavar="N", help="threads hang and wake: until N did")
    parser.add_argument("--venue", choices=sorted(VENUES), help="this brokerage's semantics instead of a drawn one")
    parser.add_argument("--verbose", action="store_true", help="the bot's log lines as well, in one process")
    return parser


if __name__ == "__main__":
    sys.exit(main())
