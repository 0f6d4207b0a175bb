"""A key belongs to one process of this machine, whatever directory its state is in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.supervision.key_locks import KeyInUse, KeyLocks
from tests.bot_process import ROOT

HOLD = "import sys; from pathlib import Path; from bot.supervision.key_locks import KeyLocks\n"


def test_a_key_of_another_process_is_refused_with_its_number_until_it_ends(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    program = HOLD + f"KeyLocks(Path({str(directory)!r})).hold('abc'); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        mine = KeyLocks(directory)
        with pytest.raises(KeyInUse, match=f"process {other.pid} "):
            mine.hold("abc")
        mine.hold("def")
        other.kill()
        other.wait(10)
    mine.hold("abc")
    mine.release()


def test_a_key_that_is_held_already_by_this_process_is_no_clash(tmp_path: Path) -> None:
    locks = KeyLocks(tmp_path / "keys")
    locks.hold("abc")
    locks.hold("abc")
    with pytest.raises(KeyInUse):
        KeyLocks(tmp_path / "keys").hold("abc")
    locks.release()
    KeyLocks(tmp_path / "keys").hold("abc")


def test_the_files_are_private_and_lie_in_no_directory_of_another(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o777)
    KeyLocks(directory).hold("abc")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "abc.lock").stat().st_mode & 0o777 == 0o600
    link = tmp_path / "link"
    link.symlink_to(directory)
    with pytest.raises(PermissionError):
        KeyLocks(link).hold("abc")


def test_a_directory_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "keys"
    directory.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(PermissionError):
        KeyLocks(directory).hold("abc")
