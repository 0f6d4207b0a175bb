"""Every code of doctor's: what triggers it, how bad that is, and that the documents explain it."""

import re
from pathlib import Path

import pytest

from bot.diagnostics.doctor.codes import CODES
from bot.diagnostics.doctor.finding import Finding, Level
from tests.bot_process import ROOT
from tests.unit.doctor.patients import PATIENTS

# Triggered over a real connection, by tests/unit/doctor/test_venue_look.py, or by two processes.
ELSEWHERE = {"VEN-02", "VEN-05", "VEN-08", "RUN-02"}


def test_every_code_has_something_that_triggers_it() -> None:
    assert set(PATIENTS) | ELSEWHERE == set(CODES)
    assert not set(PATIENTS) & ELSEWHERE


@pytest.mark.parametrize("code", PATIENTS)
def test_what_is_wrong_is_found_under_its_code_with_a_way_out(code: str, tmp_path: Path) -> None:
    found = [finding for finding in PATIENTS[code].wrong(tmp_path) if finding.code == code]
    assert PATIENTS[code].level in {finding.level for finding in found}
    for finding in found:
        assert finding.text and finding.text == finding.text.strip()
        assert finding.link == f"docs/doctor.md#{code.lower()}"


@pytest.mark.parametrize("code", [code for code, patient in PATIENTS.items() if patient.well])
def test_what_is_well_is_said_to_be(code: str, tmp_path: Path) -> None:
    well = PATIENTS[code].well
    assert well is not None
    levels = {finding.level for finding in well(tmp_path) if finding.code == code}
    assert Level.OK in levels
    assert Level.BAD not in levels


def test_the_documents_have_a_section_for_each_code_and_none_besides() -> None:
    text = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert re.findall(r"^### ([A-Z]{3}-\d\d)$", text, re.MULTILINE) == list(CODES)


def test_a_finding_without_a_listed_code_or_without_a_way_out_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no code"):
        Finding(level=Level.OK, code="XYZ-01", text="something")
    with pytest.raises(ValueError, match="put it right"):
        Finding(level=Level.BAD, code="KEY-04", text="something")
