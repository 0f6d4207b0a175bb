"""One process per state directory, also when somebody deletes the file of the lock."""

from pathlib import Path

import pytest

from bot.supervision.instance_lock import AlreadyRunning, InstanceLock


def test_a_second_one_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first, second = InstanceLock(tmp_path), InstanceLock(tmp_path)
    first.acquire()
    with pytest.raises(AlreadyRunning, match="already works in"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_lock_whose_file_is_there_is_confirmed_without_a_word(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path)
    lock.acquire()
    assert lock.confirm() is False
    lock.release()


def test_a_deleted_file_is_locked_anew_and_keeps_others_out_again(tmp_path: Path) -> None:
    first, second = InstanceLock(tmp_path), InstanceLock(tmp_path)
    first.acquire()
    (tmp_path / "lock").unlink()
    assert first.confirm() is True
    with pytest.raises(AlreadyRunning):
        second.acquire()
    first.release()


def test_who_comes_back_to_a_directory_that_another_has_taken_hears_so(tmp_path: Path) -> None:
    first, second = InstanceLock(tmp_path), InstanceLock(tmp_path)
    first.acquire()
    (tmp_path / "lock").unlink()
    second.acquire()
    with pytest.raises(AlreadyRunning):
        first.confirm()
    second.release()
