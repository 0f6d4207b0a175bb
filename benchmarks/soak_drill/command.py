"""The command line: samples while it runs, a table and a verdict at its end."""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.kill_drill.exchange_process import DrillExchange
from benchmarks.kill_drill.installation import Life
from benchmarks.soak_drill.installation import SoakInstallation, Weather
from benchmarks.soak_drill.sample import Sample, Sampler
from benchmarks.soak_drill.verdict import Verdict, database_growth, verdicts

DESCRIPTION = """\
Let many accounts trade for a while, with faults and lost connections, and see whether anything grows but the books:
memory, threads, descriptors, queues. The slopes are least-squares lines with a 95 % confidence interval, after a first
quarter of warming up. Exit code 1 if something grows, or if the bot ended by itself.
"""
READY_SECONDS = 180.0
SAMPLE_SECONDS = 2.0
WEATHER_SECONDS = 15.0
PROGRESS_SECONDS = 10.0
STOP_SECONDS = 30.0


@dataclass
class Soak:
    """What came of it. `problem` is empty unless the bot did not live through it."""

    minutes: float
    accounts: int
    samples: list[Sample] = field(default_factory=list)
    faults: int = 0
    ready_seconds: float | None = None
    problem: str = ""

    @property
    def verdicts(self) -> list[Verdict]:
        return verdicts(self.samples) if len(self.samples) > 3 else []

    @property
    def failed(self) -> bool:
        return bool(self.problem) or any(one.word == "grows" for one in self.verdicts)


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    tell = _silent if chosen.json else _aloud
    with tempfile.TemporaryDirectory() as directory:
        soak = _soak(chosen, chosen.directory or Path(directory), tell)
    print(_json(soak) if chosen.json else "\n".join(_table(soak)))
    return 1 if soak.failed else 0


def _aloud(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(_line: str) -> None:
    """Nothing but the JSON."""


def _soak(chosen: argparse.Namespace, directory: Path, tell: Callable[[str], None]) -> Soak:
    soak = Soak(chosen.minutes, chosen.accounts)
    with DrillExchange(seed=chosen.seed, database=directory / "state" / "nija.db") as exchange:
        installation = SoakInstallation(
            directory, exchange, accounts=chosen.accounts, cycle_seconds=chosen.cycle_seconds
        )
        weather = Weather(exchange, chosen.seed)
        life = installation.start()
        try:
            soak.ready_seconds = life.wait_until_ready(READY_SECONDS)
            if soak.ready_seconds is None:
                soak.problem = f"not ready: {installation.log.read_text(errors='replace')[-1000:]}"
                return soak
            sampler = Sampler(life.process.pid, installation.log, installation.database)
            _watch(soak, sampler, weather, tell)
            soak.problem = soak.problem or _stopped(life)
        finally:
            life.kill()
            soak.faults = weather.ordered
    return soak


def _watch(soak: Soak, sampler: Sampler, weather: Weather, tell: Callable[[str], None]) -> None:
    began = time.monotonic()
    weather_at = told_at = began
    while time.monotonic() < began + soak.minutes * 60:
        if time.monotonic() >= weather_at:
            weather.change()
            weather_at += WEATHER_SECONDS
        try:
            soak.samples.append(sampler.sample())
        except OSError as error:
            soak.problem = f"no sample: {error}"
            return
        if time.monotonic() >= told_at:
            told_at += PROGRESS_SECONDS
            tell(_progress(soak, time.monotonic() - began))
        time.sleep(SAMPLE_SECONDS)


def _stopped(life: Life) -> str:
    process = life.process
    if process.poll() is not None:
        return f"the bot ended by itself with {process.returncode}"
    process.send_signal(signal.SIGTERM)
    if not life.ends_within(life.age_seconds + STOP_SECONDS):
        return f"the bot did not stop within {STOP_SECONDS:.0f} s"
    return "" if process.returncode == 0 else f"the bot stopped with {process.returncode}"


def _progress(soak: Soak, seconds: float) -> str:
    one = soak.samples[-1]
    return (
        f"{seconds / 60:5.1f} of {soak.minutes:g} min: {one.rss:.1f} MiB, {one.threads:.0f} threads, "
        f"{one.descriptors:.0f} descriptors, queue {one.store_queue:.0f}, {one.fills:.0f} fills, "
        f"{one.cycles:.0f} cycles, database {one.database:.1f} MiB"
    )


def _table(soak: Soak) -> list[str]:
    lines = [f"{'':<12} {'first':>9} {'last':>9} {'highest':>9} {'an hour':>10}   95 % interval"]
    for one in soak.verdicts:
        interval = f"{one.slope.low:.1f} to {one.slope.high:.1f}"
        lines.append(
            f"{one.name:<12} {one.first:9.1f} {one.last:9.1f} {one.highest:9.1f} {one.slope.per_hour:10.1f}   "
            f"{interval:<22} {one.word}"
        )
    if soak.samples:
        first, second = database_growth(soak.samples)
        last = soak.samples[-1]
        lines.append(
            f"{soak.accounts} accounts, {last.cycles:.0f} cycles, {last.fills:.0f} fills, {soak.faults} faults; "
            f"database {last.database:.1f} MiB, {first:.1f} and {second:.1f} KiB a fill in the two halves"
        )
    grown = [one.name for one in soak.verdicts if one.word == "grows"]
    lines.append(soak.problem or (f"not flat: {', '.join(grown)}" if grown else "nothing is seen to grow"))
    return lines


def _json(soak: Soak) -> str:
    values = {**asdict(soak), "verdicts": [asdict(one) for one in soak.verdicts], "failed": soak.failed}
    return json.dumps(values, indent=2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/soak.py", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--accounts", type=int, default=50, help="both masters included (default 50)")
    parser.add_argument("--cycle-seconds", type=float, default=5.0, help="an account's cycle (default 5; live is 150)")
    parser.add_argument("--seed", type=int, default=1, help="of market and faults (default 1)")
    parser.add_argument("--directory", type=Path, help="keep state and log here (default: a temporary directory)")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    return parser
