"""docs/runbook.md has a place for everything that the program can say is wrong, and for nothing that it cannot."""

import re
from enum import StrEnum

import pytest

from bot import exit_codes
from bot.diagnostics.alert_causes import CAUSES, EVENTS
from bot.domain.drift import DriftKind
from bot.domain.health import HealthState
from bot.storage.day_closes import DayStatus
from tests.checks.forbidden_calls import ROOT
from tests.checks.test_documents import anchors_of

RUNBOOK = ROOT / "docs" / "runbook.md"
TEXT = RUNBOOK.read_text(encoding="utf-8")
ALERT = re.compile(r"^### Alert: `(\w+)`\n(.*?)(?=^#|\Z|^<a id)", re.MULTILINE | re.DOTALL)
# Of these the program's own environment tells, not bot/exit_codes.py.
FIRST_CELL = re.compile(r"^\| ([^|]+?) \|", re.MULTILINE)


def first_cells(heading: str) -> list[str]:
    """Of the first table below a heading or the words before it."""
    table = TEXT.split(heading, 1)[1].split("|---", 1)[1].split("\n\n", 1)[0]
    return FIRST_CELL.findall(table)


def test_every_cause_of_an_alert_has_its_section_and_no_section_is_of_another() -> None:
    assert [cause for cause, _ in ALERT.findall(TEXT)] == list(CAUSES)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_section_says_how_urgent_it_is_what_to_do_and_how_it_ends(cause: str) -> None:
    section = dict(ALERT.findall(TEXT))[cause]
    assert "*Urgency:* " in section
    assert "\n- You: " in section
    assert "\n- It ends " in section
    assert cause in EVENTS or "\n- The bot: " in section


@pytest.mark.parametrize("cause", CAUSES)
def test_messages_and_rules_can_point_at_the_section(cause: str) -> None:
    assert {f"alert-{cause}", f"alert-{cause.replace('_', '-')}"} <= anchors_of(RUNBOOK)


def test_every_exit_code_is_told() -> None:
    codes = sorted(value for name, value in vars(exit_codes).items() if name.isupper())
    assert [int(cell) for cell in first_cells("## How programs end")] == codes


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("## What health words mean", HealthState),
        ("**A day's status**", DayStatus),
        ("lists where a brokerage and the books differ", DriftKind),
    ],
)
def test_every_word_that_is_shown_is_told(heading: str, words: type[StrEnum]) -> None:
    told = {word for cell in first_cells(heading) for word in cell.split(", ")}
    assert told == {word.value for word in words}
