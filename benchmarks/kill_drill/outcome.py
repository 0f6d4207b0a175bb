"""What one installation went through, and the sum over several."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from statistics import median

READY_TARGET_SECONDS = 5.0


@dataclass
class Outcome:
    """Counts of one seed. `problems` are sentences that begin with the invariant."""

    seed: int
    kills: dict[str, int] = field(default_factory=dict)
    """By kind of death."""
    with_open_orders: int = 0
    """Kills while an order was created, submitted, unknown, acknowledged or partly filled."""
    with_own_open_orders: int = 0
    """Those with such an order made or moved by the very life that was killed."""
    at_failpoint: int = 0
    ready_seconds: list[float] = field(default_factory=list)
    never_ready: int = 0
    orders: int = 0
    fills: int = 0
    signals: int = 0
    copies: int = 0
    checks: int = 0
    faults: int = 0
    kill_seconds: float = 0.0
    settle_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        return cls(**json.loads(text))

    @property
    def killed(self) -> int:
        return sum(self.kills.values())


def summed(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The figures of several installations as one."""
    kinds: Counter[str] = Counter()
    for one in outcomes:
        kinds.update(one.kills)
    killed = sum(kinds.values())
    ready = sorted(seconds for one in outcomes for seconds in one.ready_seconds)
    counted = ("with_open_orders", "with_own_open_orders", "at_failpoint", "never_ready", "orders", "fills", "signals",
               "copies", "checks", "faults")  # fmt: skip
    return {
        "seeds": [one.seed for one in outcomes],
        "kills": killed,
        "kills_by_kind": dict(kinds),
        **{name: sum(getattr(one, name) for one in outcomes) for name in counted},
        "ready_seconds": {
            "restarts": len(ready),
            "median": round(median(ready), 2) if ready else None,
            "p99": round(ready[ceil(0.99 * len(ready)) - 1], 2) if ready else None,
            "max": round(ready[-1], 2) if ready else None,
        },
        "seconds_per_kill": round(sum(one.kill_seconds for one in outcomes) / max(1, killed), 2),
        "settle_seconds": [round(one.settle_seconds, 1) for one in outcomes],
        "problems": [f"seed {one.seed}: {problem}" for one in outcomes for problem in one.problems],
    }
