"""Doctor's whole answer, and how it is shown: a line with a code for each finding, then what to do about it."""

import json
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot import exit_codes
from bot.diagnostics.doctor.board import Section
from bot.diagnostics.doctor.finding import Finding, Level
from bot.diagnostics.listing import WIDTH, count
from bot.diagnostics.terminal import terminal

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {Level.OK: "green", Level.NOTE: "dim", Level.WARN: "yellow", Level.BAD: "bold red"}
_INDENT = 16
_WIDEST = 120
# More lines than a window shows.
_ONE_PAGE = 25

Clean = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Report:
    """`unusable`: the configuration could not be read, so that most was not looked at."""

    sections: Sequence[Section]
    mode: str
    seconds: float
    unusable: bool = False

    @property
    def findings(self) -> list[Finding]:
        return [finding for section in self.sections for finding in section.findings]

    def count(self, level: Level) -> int:
        return Counter(finding.level for finding in self.findings)[level]

    @property
    def exit_code(self) -> int:
        """Warnings alone are no failure."""
        if self.unusable:
            return exit_codes.WRONG_USE
        return exit_codes.SOMETHING_WRONG if self.count(Level.BAD) else exit_codes.OK

    @property
    def summary(self) -> str:
        bad, warnings = self.count(Level.BAD), self.count(Level.WARN)
        verdict = f"{count(bad, 'thing')} to put right" if bad else "nothing to put right"
        besides = f", {count(warnings, 'warning')}" if warnings else ""
        looked = f"{self.count(Level.OK)} in order; {self.mode} mode, {self.seconds:.1f} s"
        return f"doctor: {verdict}{besides}, {looked}"


def as_json(report: Report, clean: Clean) -> str:
    def one(finding: Finding) -> dict[str, Any]:
        return {
            "level": str(finding.level),
            "code": finding.code,
            "text": clean(finding.text),
            "fix": clean(finding.fix),
            "link": finding.link,
        }

    document = {
        "summary": report.summary,
        "mode": report.mode,
        "exit_code": report.exit_code,
        "counts": {str(level): report.count(level) for level in Level},
        "sections": [
            {"title": section.title, "findings": [one(finding) for finding in section.findings]}
            for section in report.sections
        ],
    }
    return json.dumps(document, indent=2)


def print_report(report: Report, clean: Clean) -> None:
    """All sections; what is to be put right once more at the end, where somebody looks first."""
    console = terminal(width_without_terminal=WIDTH)
    for section in report.sections:
        if section.findings:
            console.print(section.title, style="bold")
            for finding in section.findings:
                _print_finding(console, finding, clean, besides=f"{section.title.partition(' ')[0]}: ")
    wrong = [finding for finding in report.findings if finding.level is Level.BAD]
    if len(report.findings) > _ONE_PAGE and wrong:
        console.print("\nto put right", style="bold")
        for finding in wrong:
            _print_finding(console, finding, clean)
    console.print(f"\n{report.summary}", style="bold red" if report.exit_code else "bold green")


def _print_finding(console: "Console", finding: Finding, clean: Clean, *, besides: str = "") -> None:
    """`besides`: what the heading has said already."""
    width = max(40, min(console.width, _WIDEST) - _INDENT)
    first, *rest = textwrap.wrap(clean(finding.text).removeprefix(besides), width) or [""]
    console.print(f"  {finding.level.upper():5} ", style=_STYLES[finding.level], end="")
    console.print(f"{finding.code}  {first}")
    advice = textwrap.wrap(f"fix: {clean(finding.fix)} ({finding.link})", width) if finding.fix else []
    for line in [*rest, *advice]:
        console.print(f"{'':{_INDENT}}{line}")
