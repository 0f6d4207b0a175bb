"""Figures added up over many seeds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.hangs import HANG
from tests.simulation.run import Result

COUNTED = ("crashes", "orders", "by_lane", "fills", "signals", "exits")
# So many violations are kept in words; all are counted.
KEPT = 100


@dataclass
class Tally:
    """`violations` counts by rule; `broken` holds (seed, venue, rule, detail) of the first ones."""

    seeds: int = 0
    violating_seeds: int = 0
    figures: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    broken: list[list[Any]] = field(default_factory=list)

    @classmethod
    def of(cls, results: Iterable[Result]) -> "Tally":
        tally = cls()
        for result in results:
            tally.count(result)
        return tally

    def count(self, result: Result) -> None:
        self.seeds += 1
        self.violating_seeds += bool(result.violations)
        self.figures.update({name: getattr(result, name) for name in COUNTED})
        self.faults.update(_summed(result.faults))
        self.violations.update(violation.rule for violation in result.violations)
        self.broken += [[result.seed, result.venue, each.rule, each.detail] for each in result.violations]
        del self.broken[KEPT:]

    def add(self, other: "Tally") -> None:
        self.seeds += other.seeds
        self.violating_seeds += other.violating_seeds
        self.figures.update(other.figures)
        self.faults.update(other.faults)
        self.violations.update(other.violations)
        self.broken = (self.broken + other.broken)[:KEPT]

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Tally":
        counters = {name: Counter(values[name]) for name in ("figures", "faults", "violations")}
        return cls(**{**values, **counters})

    def lines(self) -> list[str]:
        """For people."""
        figures = ", ".join(f"{self.figures[name]:,} {name}" for name in COUNTED)
        faults = ", ".join(f"{count:,} {name}" for name, count in self.faults.most_common())
        rules = ", ".join(f"{count:,} {rule}" for rule, count in self.violations.most_common())
        return [
            f"{self.seeds:,} seeds, {figures}",
            f"faults: {sum(self.faults.values()):,} ({faults})",
            f"violations: {rules or 'none'} ({self.violating_seeds:,} seeds)",
        ]


def _summed(faults: dict[str, int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for name, count in faults.items():
        counts[_kind(name)] += count
    return counts


def _kind(name: str) -> str:
    """Where a crash, a hold-up or a hang struck is left out."""
    for kind in ("crash", "thread held up", HANG):
        if name.startswith(kind):
            return kind
    return name
