"""docs/faults.md says of every fault what became of it, and what it says of the tests is true."""

import ast
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pytest

from tests.checks.forbidden_calls import ROOT

DOCUMENT = ROOT / "docs" / "faults.md"
HOW_MANY = {
    "P": 21, "D": 20, "C": 7, "N": 16, "R": 22, "W": 11, "L": 6, "X": 6, "K": 10, "G": 15, "M": 13, "Y": 22, "T": 16,
    "S": 16, "O": 13,
}  # fmt: skip
ALL_FAULTS = [f"{group}{number}" for group, count in HOW_MANY.items() for number in range(1, count + 1)]
STATUSES = ("tested", "open", "not testable here")
MOST_WORDS = 8
ROW = re.compile(r"^\| ([A-Z]\d+) \| ([^|]+) \| ([^|]+) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
FIGURE = re.compile(r"^\| (tested|open|not testable here) \| (\d+) \|", re.MULTILINE)
CITED = re.compile(r"`(tests/[^`]+\.py)::(\w+)`")


@dataclass(frozen=True)
class Fault:
    name: str
    words: str
    status: str
    tests: Sequence[tuple[str, str]]
    note: str

    def complaints(self) -> list[str]:
        """What this row lacks, in words."""
        wrong = []
        if self.status not in STATUSES:
            wrong.append(f"{self.name}: {self.status!r} is no status")
        if self.status == "tested" and not self.tests:
            wrong.append(f"{self.name}: tested by what?")
        if self.status in ("open", "not testable here") and not self.note:
            wrong.append(f"{self.name}: why is it {self.status}?")
        if len(self.words.split()) > MOST_WORDS:
            wrong.append(f"{self.name}: the fault in a few words")
        return wrong + [
            f"{self.name}: there is no {path}::{test}" for path, test in self.tests if not exists(path, test)
        ]


def faults_in(text: str) -> list[Fault]:
    found = []
    for name, words, status, tests, note in ROW.findall(text):
        found.append(Fault(name, words, status, CITED.findall(tests + note), note.strip()))
    return found


@cache
def names_of_tests(path: str) -> frozenset[str]:
    """The names of a file's tests, whatever their parameters; none of a file that is not there."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def exists(path: str, test: str) -> bool:
    return test in names_of_tests(path)


def test_every_fault_is_there_exactly_once_and_in_order() -> None:
    names = [fault.name for fault in faults_in(DOCUMENT.read_text(encoding="utf-8"))]
    assert len(ALL_FAULTS) == 214
    assert names == ALL_FAULTS


def test_every_row_says_what_its_status_asks_for_and_names_tests_that_exist() -> None:
    faults = faults_in(DOCUMENT.read_text(encoding="utf-8"))
    assert [complaint for fault in faults for complaint in fault.complaints()] == []


def test_the_figures_at_its_head_are_those_of_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    counted = Counter(fault.status for fault in faults_in(text))
    with capsys.disabled():
        print(f"\nfaults: {', '.join(f'{counted[status]} {status}' for status in STATUSES)}")
    assert {status: int(figure) for status, figure in FIGURE.findall(text)} == {
        status: counted[status] for status in STATUSES
    }


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("| P1 | killed | tested |  |  |", "P1: tested by what?"),
        ("| P1 | killed | fine | `tests/checks/test_tree.py::test_no_key_is_in_the_repository` |  |", "no status"),
        ("| P1 | killed | tested | `tests/checks/test_tree.py::test_of_nothing` |  |", "there is no tests/checks"),
        ("| P1 | killed | tested | `tests/nowhere.py::test_of_nothing` |  |", "there is no tests/nowhere.py"),
        ("| P1 | killed | planned |  |  |", "'planned' is no status"),
        ("| P1 | killed | open |  |  |", "why is it open?"),
        ("| P1 | killed | open |  | see `tests/nowhere.py::test_of_nothing` |", "there is no tests/nowhere.py"),
        ("| P1 | a b c d e f g h i | not testable here |  | because |", "few words"),
    ],
)
def test_a_row_that_is_not_true_is_found(row: str, complaint: str) -> None:
    (fault,) = faults_in(row)
    (found,) = fault.complaints()
    assert complaint in found
