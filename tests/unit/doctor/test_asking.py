"""Whom doctor asks with which key, and what becomes of one that another program uses."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest

from bot.diagnostics.doctor.asking import Asking, Question
from bot.diagnostics.doctor.board import Board
from bot.diagnostics.doctor.finding import Finding
from bot.domain.account import AccountRef
from bot.seams.clock import SystemClock
from bot.supervision.key_locks import KeyInUse
from tests.stored_bot import KRAKEN
from tests.unit.doctor import patients


def asked_while_another_holds_the_key() -> Sequence[Finding]:
    def access(_account: AccountRef) -> Any:
        raise KeyInUse("process 4711 on this machine works with the same key")

    with TemporaryDirectory() as directory:
        settings = patients.settings_at(Path(directory))
        board = Board()
        asking = Asking(Question(settings=settings, places=[], accounts=[KRAKEN], access=access), board, SystemClock())
        try:
            asking._account(KRAKEN, [])
        finally:
            asking.close()
        (section,) = board.close(1.0)
        return section.findings


def test_a_key_that_another_program_uses_is_left_alone() -> None:
    (finding,) = asked_while_another_holds_the_key()
    assert "process 4711" in finding.text
    assert "the key was not tried" in finding.text


def test_the_lock_of_the_state_directory_keeps_doctor_from_the_keys(tmp_path: Path) -> None:
    from contextlib import ExitStack

    from bot.diagnostics.doctor.doctor import _Examination, _instance_lock
    from bot.observability.redactor import Redactor

    settings = patients.settings_at(tmp_path)
    board = Board()
    words: Any = SimpleNamespace(live=False, broker=None, offline=False)
    with _instance_lock(settings.state_dir), ExitStack() as stack:
        assert not _Examination(settings, words, board, Redactor())._keys_to_ourselves(stack)
    with ExitStack() as stack:
        assert _Examination(settings, words, board, Redactor())._keys_to_ourselves(stack)
    (section,) = board.close(1.0)
    assert [str(finding.level) for finding in section.findings] == ["bad", "ok"]
    assert {finding.code for finding in section.findings} == {"RUN-02"}


@pytest.mark.parametrize(("entry", "user", "level"), [("10000", "1000", "ok"), ("10000", "60", "warn")])
def test_a_user_hears_below_which_of_the_masters_entries_it_copies_nothing(
    entry: str, user: str, level: str, tmp_path: Path
) -> None:
    """Entries of 500: a tenth is 50, of which the smallest order is 1; with 60 it is 3, too small for one market."""
    (master, copy) = patients.means(tmp_path, master=entry, user=user)
    assert str(master.level) == "ok"
    assert str(copy.level) == level
    assert ("from 10.00 USD on" if level == "ok" else "below 166.67 USD") in copy.text
