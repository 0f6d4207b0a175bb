"""Which platforms throw the state directory away."""

from pathlib import Path

import pytest

from bot.storage.ephemeral import WITH_VOLUMES, lasts_as_long_as_the_container, throws_away

ELSEWHERE = Path("/proc")  # a file system of its own, as a mounted volume is


def test_nothing_speaks_against_an_ordinary_machine(tmp_path: Path) -> None:
    assert throws_away(tmp_path, {"PATH": "/bin", "DYNO": ""}) == ""


def test_heroku_has_no_disk_that_lasts() -> None:
    assert throws_away(ELSEWHERE, {"DYNO": "worker.1"}) == "Heroku"


@pytest.mark.parametrize(("name", "platform"), sorted(WITH_VOLUMES.items()))
def test_the_others_last_on_a_mounted_volume_alone(name: str, platform: str) -> None:
    assert throws_away(Path("/"), {name: "x"}) == platform
    assert throws_away(ELSEWHERE, {name: "x"}) == ""


@pytest.mark.parametrize("sign", [".dockerenv", "run/.containerenv"])
def test_in_a_container_a_directory_that_is_no_volume_ends_with_it(tmp_path: Path, sign: str) -> None:
    assert not lasts_as_long_as_the_container(tmp_path, root=tmp_path)
    (tmp_path / sign).parent.mkdir(exist_ok=True)
    (tmp_path / sign).touch()
    assert lasts_as_long_as_the_container(tmp_path, root=tmp_path)
    assert not lasts_as_long_as_the_container(ELSEWHERE, root=tmp_path)
