"""Many scans as one funnel: how many markets were left after each step, what took the others, and how long it waited.

A count is of looks at markets: a market that was filtered in each of ten scans counts ten times.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.storage.scan_cycles import ScanCycle

# A row that says nothing new is written at least so often while the bot runs: after longer, it did not run.
LONGEST_ROW = timedelta(minutes=11)
STAGES = ("filtered", "held", "missing", "no_entry", "vetoed")
_NUMBER = re.compile(r"\d[\d.,:]*")


@dataclass(frozen=True)
class Loss:
    """What one stage took away: how many looks, and by which rules, the largest first."""

    stage: str
    total: int
    rules: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Funnel:
    """The sums over some scans of one master. `waited` are the reasons, each with its part of the time (0 to 1)."""

    scans: int
    waitings: int
    first_at: datetime | None
    last_at: datetime | None
    listed: int = 0
    passed: int = 0
    ready: int = 0
    signals: int = 0
    ordered: int = 0
    losses: Mapping[str, Loss] = field(default_factory=dict)
    waited: Sequence[tuple[str, float]] = ()
    mismatches: Sequence[str] = ()

    @property
    def waited_share(self) -> float:
        return sum(share for _, share in self.waited)

    def loss(self, stage: str) -> Loss:
        return self.losses.get(stage, Loss(stage, 0, ()))


def funnel_of(rows: Sequence[ScanCycle], *, until: datetime) -> Funnel:
    """`rows` are the newest first; the newest is in force until `until`."""
    scans = [row for row in rows if not row.waiting]
    return Funnel(
        scans=len(scans),
        waitings=len(rows) - len(scans),
        first_at=rows[-1].at if rows else None,
        last_at=rows[0].at if rows else None,
        listed=sum(row.listed for row in scans),
        passed=sum(row.passed for row in scans),
        ready=sum(row.ready for row in scans),
        signals=sum(row.signals for row in scans),
        ordered=sum(row.ordered for row in scans),
        losses={stage: _loss(stage, scans) for stage in STAGES},
        waited=_waited(rows, until),
        mismatches=[f"scan {row.id} at {row.at:%Y-%m-%d %H:%M:%S}: {row.mismatch}" for row in rows if row.mismatch],
    )


def _loss(stage: str, scans: Sequence[ScanCycle]) -> Loss:
    by_rule: Counter[str] = Counter()
    for scan in scans:
        by_rule.update(scan.counts.get(stage, {}))
    return Loss(stage, by_rule.total(), by_rule.most_common())


def _waited(rows: Sequence[ScanCycle], until: datetime) -> Sequence[tuple[str, float]]:
    """Each reason's part of the time, the longest first. Reasons that differ in numbers alone are one."""
    spent: dict[str, float] = {}
    words: dict[str, str] = {}
    total, end = 0.0, until
    for row in rows:
        # Never nothing: clocks are set back.
        seconds = max(1e-6, min(end - row.at, LONGEST_ROW).total_seconds())
        total, end = total + seconds, row.at
        if row.waiting:
            kind = _NUMBER.sub("#", row.waiting)
            words.setdefault(kind, row.waiting)
            spent[kind] = spent.get(kind, 0.0) + seconds
    return sorted(((words[kind], time / total) for kind, time in spent.items()), key=lambda each: -each[1])


# -- in one sentence ----------------------------------------------------------------------------------------------
def obstacle(funnel: Funnel) -> str:
    """What kept it most from buying."""
    if not funnel.scans and not funnel.waitings:
        return "Nothing was written down of any scan: it has not looked for entries yet"
    if funnel.waited_share >= 0.5:
        why, share = funnel.waited[0]
        idle = percent(funnel.waited_share)
        return f"{idle} of the time it did not look for entries, mostly ({percent(share)}): {why}"
    return _step_in_the_way(funnel)


def _step_in_the_way(funnel: Funnel) -> str:
    if not funnel.listed:
        return "No market was listed in the account's own currency"
    if not funnel.passed:
        return f"No market came through the filters: {_most(funnel.loss('filtered'))}"
    if not funnel.ready:
        return f"No market had its candles: {_most(funnel.loss('missing'))}"
    if not funnel.signals:
        return f"The strategy wanted none of {funnel.ready} looks: {_most(funnel.loss('no_entry'))}"
    vetoed = funnel.loss("vetoed")
    if vetoed.total:
        word = "all of them" if not funnel.ordered else f"{vetoed.total} of them"
        return f"The strategy wanted to buy {funnel.signals} times, and {word} were vetoed: {_most(vetoed)}"
    return f"Nothing was in the way of the {funnel.signals} it wanted: {funnel.ordered} were ordered"


def _most(loss: Loss) -> str:
    """`mostly spread (620 of 1310)`."""
    if not loss.rules:
        return "for no rule that was written down"
    rule, number = loss.rules[0]
    word = "all by" if number == loss.total else "mostly by"
    return f"{word} {rule.replace('_', ' ')} ({number} of {loss.total})"


def percent(share: float) -> str:
    """`12 %`; what is not nothing is not shown as 0 %."""
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else "under 1 %"
