"""One account after the other suffers for a while; meanwhile the others are timed, and at the end all is judged."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.isolation_drill.catalogue import Suffering
from benchmarks.isolation_drill.installation import IsolationInstallation
from benchmarks.isolation_drill.lateness import Starts, cycle_starts, lateness, percentile
from benchmarks.kill_drill.books import FINAL_STATES, Books, open_books
from benchmarks.kill_drill.exchange_process import PROJECT, DrillExchange
from benchmarks.kill_drill.exchange_side import ExchangeSide
from benchmarks.kill_drill.installation import ALL_BROKERAGES, Life
from benchmarks.kill_drill.judge import judge

READY_SECONDS = 90.0
WARM_UP_SECONDS = 3.0
RECOVERY_SECONDS = 90.0
# The strategy is asked once a candle, which lasts a minute.
STRIKE_SECONDS = 75.0
SETTLE_SECONDS = 240.0
STOP_SECONDS = 20.0
# `private_call_hold_seconds`: under Kraken's global lock its other accounts may have to wait for one call.
HOLD_SECONDS = 5.0
FACTOR = 1.5
MASTERS = ", ".join(f"'{name}'" for name in ALL_BROKERAGES)
UNFINISHED = (
    "order_intent WHERE state NOT IN ({})".format(", ".join(f"'{state}'" for state in sorted(FINAL_STATES))),
    "copy_result WHERE status = 'planned'",
    "signal WHERE planned_at IS NULL",
    f"position WHERE account_id IN ({MASTERS})",
)


@dataclass(frozen=True)
class Options:
    """Seconds: how long an account suffers, how long before it the others are timed, and what lateness is forgiven.

    `more_tries`: a fault that seems to reach the others is tried again so often. `fresh_baseline`: time
    the others anew before each fault, and not only once before the first.
    """

    seconds: float = 10.0
    baseline_seconds: float = 10.0
    cycle_seconds: float = 1.0
    floor_seconds: float = 0.25
    fresh_baseline: bool = True
    more_tries: int = 0
    seed: int = 1


@dataclass
class Finding:
    """What one account's suffering did to the others of its brokerage (`near`) and to those of all others (`far`).

    Lateness is in seconds, p99. `recovered` is None when the account did not come back.
    """

    name: str
    victim: str
    near_before: float = 0.0
    near: float = 0.0
    near_allowed: float = 0.0
    far_before: float = 0.0
    far: float = 0.0
    far_allowed: float = 0.0
    worst: str = ""
    shared: str = ""
    struck: bool = True
    recovered: float | None = None

    @property
    def problems(self) -> list[str]:
        found = []
        if self.near > self.near_allowed and not self.shared:
            found.append(f"{self.worst}: {self.near:.2f} s late, {self.near_allowed:.2f} s are allowed")
        if self.far > self.far_allowed and not self.shared:
            found.append(f"another brokerage: {self.far:.2f} s late, {self.far_allowed:.2f} s are allowed")
        if not self.struck:
            found.append("the account never came to feel it")
        if self.recovered is None:
            found.append(f"{self.victim} did not come back within {RECOVERY_SECONDS:.0f} s")
        return [f"{self.name} ({self.victim}): {each}" for each in found]


@dataclass
class Report:
    """`broken` are the promises that books and journal do not keep, whatever the cycles did."""

    findings: list[Finding] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    audit: str = ""
    signals: int = 0
    answers: int = 0

    @property
    def problems(self) -> list[str]:
        return [*(each for finding in self.findings for each in finding.problems), *self.broken]


@dataclass(frozen=True)
class Window:
    """A stretch of time, in seconds since the epoch."""

    since: float
    until: float


class IsolationDrill:
    """`tell` hears of each fault as it is done."""

    def __init__(self, directory: Path, options: Options, tell: Callable[[str], None]) -> None:
        self._directory = directory
        self._options = options
        self._tell = tell
        self._calm: Window | None = None

    def run(self, sufferings: Sequence[Suffering]) -> Report:
        report = Report()
        state = self._directory / "state"
        with DrillExchange(seed=self._options.seed, database=state / "nija.db") as exchange:
            self._installation = IsolationInstallation(
                self._directory, exchange, cycle_seconds=self._options.cycle_seconds
            )
            self._life = self._installation.start()
            try:
                if self._life.wait_until_ready(READY_SECONDS) is None:
                    report.broken.append(f"the bot did not get ready: {self._last_words()}")
                    return report
                time.sleep(WARM_UP_SECONDS)
                report.findings += self._findings(sufferings)
                report.broken += self._stop(self._life)
            finally:
                self._life.kill()
            self._settle(report)
            self._judge(report, exchange)
        return report

    def _last_words(self) -> str:
        return self._installation.log.read_text(encoding="utf-8", errors="replace")[-1000:]

    # -- timing -----------------------------------------------------------------------------------------------------
    def _findings(self, sufferings: Sequence[Suffering]) -> Iterator[Finding]:
        for suffering in sufferings:
            finding = self._suffer(suffering)
            for _ in range(self._options.more_tries if finding.problems else 0):
                # What one account does to the others it does each time; a busy machine does it now and then.
                self._calm = None
                again = self._suffer(suffering)
                finding = again if len(again.problems) < len(finding.problems) else finding
            yield finding
            self._tell(line_of(finding))
            if self._life.process.poll() is not None:
                return

    def _suffer(self, suffering: Suffering) -> Finding:
        calm = self._baseline()
        began = time.time()
        finding = Finding(suffering.name, suffering.victim, shared=suffering.shared)
        self._installation.begin(suffering)
        finding.struck = self._strikes(suffering)
        time.sleep(self._options.seconds)
        window = Window(began, time.time())
        self._installation.end()
        finding.recovered = self._recovery(suffering.victim, window.until)
        self._time_others(finding, suffering, calm, window)
        return finding

    def _strikes(self, suffering: Suffering) -> bool:
        """Wait until it does: some places are not come to in every cycle."""
        give_up_at = time.monotonic() + STRIKE_SECONDS
        while time.monotonic() < give_up_at and self._life.process.poll() is None:
            if self._installation.has_struck(suffering):
                return True
            time.sleep(0.1)
        return False

    def _baseline(self) -> Window:
        if self._calm is None or self._options.fresh_baseline:
            began = time.time()
            time.sleep(self._options.baseline_seconds)
            self._calm = Window(began, time.time())
        return self._calm

    def _time_others(self, finding: Finding, suffering: Suffering, calm: Window, window: Window) -> None:
        starts = self._starts()
        others = [label for label in self._installation.accounts if label != suffering.victim]
        near = [label for label in others if label.rpartition("_")[2] == suffering.brokerage]
        far = [label for label in others if label not in near]
        finding.near_before, finding.far_before = self._p99(starts, near, calm), self._p99(starts, far, calm)
        finding.near, finding.far = self._p99(starts, near, window), self._p99(starts, far, window)
        floor = self._options.floor_seconds
        hold = HOLD_SECONDS if suffering.brokerage == "kraken" else 0.0
        finding.near_allowed = FACTOR * finding.near_before + floor + hold
        finding.far_allowed = FACTOR * finding.far_before + floor
        finding.worst = max(near, key=lambda label: self._p99(starts, [label], window))

    def _p99(self, starts: Starts, labels: Sequence[str], window: Window) -> float:
        period = self._options.cycle_seconds
        late = [
            each
            for label in labels
            for each in lateness(starts.get(label, []), since=window.since, until=window.until, period=period)
        ]
        return percentile(late, 99)

    def _starts(self) -> Starts:
        with self._installation.log.open(encoding="utf-8", errors="replace") as lines:
            return cycle_starts(lines)

    def _recovery(self, victim: str, since: float) -> float | None:
        """Seconds until the account has begun two cycles again: the first one was at least brought to an end.

        Waits for all accounts, so that the next fault finds them as calm as they were.
        """
        second: dict[str, float | None] = {victim: None}
        while time.time() < since + RECOVERY_SECONDS and self._life.process.poll() is None:
            starts = self._starts()
            second = {label: _second_after(starts.get(label, []), since) for label in self._installation.accounts}
            if None not in second.values():
                break
            time.sleep(0.25)
        return second[victim]

    # -- the end ----------------------------------------------------------------------------------------------------
    def _stop(self, life: Life) -> list[str]:
        if life.process.poll() is not None:
            return [f"the bot ended by itself with {life.process.returncode}"]
        life.process.send_signal(signal.SIGTERM)
        if not life.ends_within(life.age_seconds + STOP_SECONDS):
            return [f"the bot did not stop within {STOP_SECONDS:.0f} s"]
        return [] if life.process.returncode == 0 else [f"the bot stopped with {life.process.returncode}"]

    def _settle(self, report: Report) -> None:
        """Without faults everything is brought to its end, and the masters sell what they hold."""
        self._installation.end()
        self._installation.enter_no_more()
        life = self._installation.start()
        try:
            if life.wait_until_ready(READY_SECONDS) is None:
                report.broken.append("the last life did not get ready")
            while life.age_seconds < SETTLE_SECONDS and life.process.poll() is None and self._unfinished():
                time.sleep(0.5)
            report.broken += [f"left after {SETTLE_SECONDS:.0f} s: {each}" for each in self._unfinished()]
            report.broken += self._stop(life)
        finally:
            life.kill()

    def _unfinished(self) -> list[str]:
        with open_books(self._installation.database) as connection:
            counts = {rows: connection.execute(f"SELECT count(*) FROM {rows}").fetchone()[0] for rows in UNFINISHED}
        return [f"{count} {rows}" for rows, count in counts.items() if count]

    def _judge(self, report: Report, exchange: DrillExchange) -> None:
        books = Books.read(self._installation.database)
        report.signals, report.answers = len(books.signals), len(books.copies)
        side = ExchangeSide.from_lines(exchange.journal())
        found = judge(side, books, self._installation.terms())
        # Nonces that the exchange called invalid because it was told to are no breach.
        told = {finding.victim for finding in report.findings if "invalid nonce" in finding.name}
        report.broken += [
            str(each) for each in found if not (each.invariant == "I13" and each.sentence.partition(":")[0] in told)
        ]
        audit = subprocess.run(
            [sys.executable, "bot.py", "audit"],
            cwd=PROJECT, env=self._installation.environ(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        report.audit = (audit.stdout.strip().splitlines() or [audit.stderr.strip()])[-1]
        if audit.returncode != 0:
            report.broken.append(f"bot.py audit: {audit.returncode}: {audit.stdout[-500:]}{audit.stderr[-500:]}")


def _second_after(starts: Sequence[float], since: float) -> float | None:
    later = [start - since for start in starts if start > since]
    return later[1] if len(later) >= 2 else None


def line_of(finding: Finding) -> str:
    """One line of the table."""
    recovered = "never" if finding.recovered is None else f"{finding.recovered:.1f}"
    return (
        f"{finding.name:<44} {finding.victim:<18} {finding.near_before:6.2f} {finding.near:6.2f} "
        f"{finding.near_allowed:6.2f}  {finding.far_before:6.2f} {finding.far:6.2f} {finding.far_allowed:6.2f}  "
        f"{recovered:>6}  {'too late' if finding.problems else 'ok'}"
    )


HEADING = (
    f"{'fault':<44} {'account':<18} {'near':>6} {'with':>6} {'may':>6}  {'far':>6} {'with':>6} {'may':>6}  {'back':>6}"
)
