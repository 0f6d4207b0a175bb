"""What a drill found: steps with what was expected, what was seen and when, and the word at the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """`seconds`: how long it took to be seen, where that is the figure of the step."""

    text: str
    passed: bool
    seen: str
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        seconds = None if self.seconds is None else round(self.seconds, 3)
        return {"expected": self.text, "passed": self.passed, "seen": self.seen, "seconds": seconds}


class CutShort(Exception):
    """The drill cannot go on: what its next steps need did not come. The message says what."""


class NotPossible(Exception):
    """This drill has nothing to work on in this configuration. The message says why."""


@dataclass
class Finding:
    """Of one drill. `seconds` is all of it, starting and stopping included; `tell` hears of each step at once.

    `headline` is what its main step has seen.
    """

    name: str
    tell: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0
    kept_in: str = ""
    headline: str = ""

    @property
    def passed(self) -> bool:
        return bool(self.steps) and all(step.passed for step in self.steps)

    @property
    def failures(self) -> Sequence[Step]:
        return [step for step in self.steps if not step.passed]

    def check(self, text: str, passed: bool, seen: str, *, seconds: float | None = None, headline: str = "") -> bool:
        """Write a step down; a drill goes on after one that failed, unless it says otherwise."""
        self.headline = headline or self.headline
        step = Step(text, passed, seen, seconds)
        self.steps.append(step)
        after = "" if seconds is None else f" [{seconds:.1f} s]"
        self.tell(f"{self.name}: {'passed' if passed else 'FAILED'}: {text}{after}: {seen}")
        return passed

    def as_json(self) -> Mapping[str, Any]:
        return {
            "drill": self.name,
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            "headline": self.headline,
            "steps": [step.as_json() for step in self.steps],
            "kept_in": self.kept_in or None,
        }
