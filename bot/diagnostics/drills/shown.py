"""What drills have found, for a person: a line per drill, and below it what was not as it should be."""

from collections.abc import Mapping, Sequence

from bot.diagnostics.drills.finding import Finding
from bot.diagnostics.listing import count, paper
from bot.diagnostics.terminal import table
from bot.domain.account import BrokerType


def print_findings(
    findings: Sequence[Finding], left_out: Mapping[str, str], brokerage: BrokerType, not_stored: str
) -> None:
    """To stdout."""
    from rich.text import Text

    console = paper()
    shown = table(console, f"Drills at {brokerage}", "drill", "", "took", "steps", "seen")
    for finding in findings:
        word = Text("passed", style="green") if finding.passed else Text("FAILED", style="bold red")
        passed = f"{len(finding.steps) - len(finding.failures)} of {len(finding.steps)}"
        shown.add_row(finding.name, word, f"{finding.seconds:.0f} s", passed, finding.headline)
    console.print(shown)
    for finding in findings:
        for step in finding.failures:
            console.print(f"{finding.name}: not as it should be: {step.text}: {step.seen}", soft_wrap=True)
        if finding.kept_in:
            console.print(f"{finding.name}: kept in {finding.kept_in}", soft_wrap=True)
    for reason in left_out.values():
        console.print(f"Left out: {reason}", soft_wrap=True)
    failed = [finding.name for finding in findings if not finding.passed]
    console.print(f"{count(len(findings), 'drill')}: {'FAILED: ' + ', '.join(failed) if failed else 'all passed'}.")
    if not_stored:
        console.print(f"Not written down: {not_stored}.", soft_wrap=True)
