"""The nonce benchmark times each way on this disk, and tells a ruined file from a good one."""

import json
import random
from pathlib import Path

import pytest

from benchmarks.nonce import Rewriting, kill_it, main, reserving


def test_a_tiny_run_times_each_way_and_kills_each(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--seconds", "0.2", "--kills", "3", "--json"])
    ours, naive, in_place = json.loads(capsys.readouterr().out)["rows"]
    assert code == 0
    assert 0 < ours["mean us"] < naive["mean us"]
    assert in_place["kills"] == 3
    assert (ours["unreadable"], ours["would repeat"]) == (0, 0)


class Emptied(Rewriting):
    """What an interrupted rewrite leaves."""

    def next(self) -> int:
        self._path.write_bytes(b"")
        return 10**18


class Forgetful(Rewriting):
    """Hands out what it has not written down."""

    def next(self) -> int:
        new = self._path.with_suffix(".new")
        new.write_text("1")
        new.replace(self._path)
        return 10**18


@pytest.mark.parametrize(("way", "found"), [(Emptied, (3, 0)), (Forgetful, (0, 3))])
def test_a_ruined_or_outdated_file_is_found(way: type[Rewriting], found: tuple[int, int], tmp_path: Path) -> None:
    assert kill_it(way, 3, tmp_path, random.Random(2)) == found


def test_our_own_file_survives_kills(tmp_path: Path) -> None:
    assert kill_it(lambda path: reserving(path, 1), 5, tmp_path, random.Random(4)) == (0, 0)
