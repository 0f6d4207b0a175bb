"""Where the threads of doctor write down what they find, so that nobody waits for one that hangs."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bot.diagnostics.doctor.finding import Finding, Level, bad

NO_ANSWER = "VEN-07"


@dataclass
class Section:
    """Findings about one matter, and what is being asked for it now ("" = it is done)."""

    title: str
    findings: list[Finding] = field(default_factory=list)
    doing: str = ""

    def worst(self, level: Level) -> bool:
        return any(finding.level is level for finding in self.findings)


class Board:
    """Sections in the order in which they were opened. Any thread may call everything."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sections: dict[str, Section] = {}
        self._stopped = False

    def open(self, title: str, doing: str = "") -> None:
        with self._lock:
            self._sections.setdefault(title, Section(title)).doing = doing

    def add(self, title: str, findings: Iterable[Finding]) -> None:
        """Each as it comes; nothing once the board was stopped."""
        for finding in findings:
            with self._lock:
                if not self._stopped:
                    self._sections.setdefault(title, Section(title)).findings.append(finding)

    def doing(self, title: str, what: str) -> None:
        with self._lock:
            self._sections.setdefault(title, Section(title)).doing = what

    def done(self, title: str) -> None:
        self.doing(title, "")

    def is_untouched(self, title: str) -> bool:
        """Whether nothing was found or is being asked under this title."""
        with self._lock:
            section = self._sections.get(title, Section(title))
            return not section.findings and not section.doing

    def under_way(self) -> list[str]:
        """`kraken: its balance` of each that is not done."""
        with self._lock:
            return [f"{one.title}: {one.doing}" for one in self._sections.values() if one.doing]

    def stop(self, seconds: float) -> None:
        """Nothing is added any more; whoever is not done has not answered within `seconds`. May be called twice."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            for section in self._sections.values():
                section.findings += _not_done(section, seconds)

    def sections(self) -> Sequence[Section]:
        with self._lock:
            return list(self._sections.values())


def _not_done(section: Section, seconds: float) -> Iterator[Finding]:
    if section.doing:
        fix = "run doctor again with its name alone; if it stays so, look at the venue's status page"
        yield bad(NO_ANSWER, f"{section.title}: no answer about {section.doing} within {seconds:g} s", fix)
