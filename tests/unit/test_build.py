"""Which build this is: by its commit, by what a platform says, or by its files."""

from pathlib import Path
from platform import python_version

import pytest

from bot.build import _commit, _found_build, _said_by_the_platform, build_id, build_of
from bot.diagnostics.commands import parser
from bot.settings import Settings
from bot.storage.migrations import head

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def repository(directory: Path, head: str = "ref: refs/heads/main") -> Path:
    (directory / ".git" / "refs" / "heads").mkdir(parents=True)
    (directory / ".git" / "HEAD").write_text(f"{head}\n")
    return directory / ".git"


def test_the_commit_is_read_from_a_branch_a_packed_branch_a_detached_head_and_a_second_work_tree(
    tmp_path: Path,
) -> None:
    git = repository(tmp_path / "branch")
    (git / "refs" / "heads" / "main").write_text(f"{COMMIT}\n")
    assert _commit(git) == COMMIT
    second = git / "worktrees" / "second"
    second.mkdir(parents=True)
    (second / "HEAD").write_text("ref: refs/heads/main\n")
    (second / "commondir").write_text("../..\n")
    (tmp_path / ".git").write_text(f"gitdir: {second}\n")
    assert _commit(tmp_path / ".git") == COMMIT
    packed = repository(tmp_path / "packed")
    (packed / "packed-refs").write_text(f"# pack-refs with: peeled\n{COMMIT} refs/heads/main\n")
    assert _commit(packed) == COMMIT
    assert _commit(repository(tmp_path / "detached", COMMIT)) == COMMIT
    assert _commit(tmp_path / "none") == ""


def test_without_a_repository_the_platform_says_it_and_otherwise_the_files_do(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "a.py").write_text("1")
    _found_build.cache_clear()
    assert _found_build(tmp_path, "v2.1") == "v2.1"
    by_files = _found_build(tmp_path, "")
    assert by_files.startswith("files ")
    (tmp_path / "bot" / "a.py").write_text("2")
    _found_build.cache_clear()
    assert _found_build(tmp_path, "") != by_files
    _found_build.cache_clear()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, ""),
        ({"NIJA_BUILD": " "}, ""),
        ({"NIJA_BUILD": "v2.1", "RENDER_GIT_COMMIT": COMMIT}, "v2.1"),
        ({"RAILWAY_GIT_COMMIT_SHA": COMMIT}, COMMIT[:12]),
        ({"RENDER_GIT_COMMIT": COMMIT}, COMMIT[:12]),
        ({"SOURCE_VERSION": COMMIT}, COMMIT[:12]),
        ({"NIJA_BUILD": "two words\nand a line"}, ""),
    ],
)
def test_what_the_platform_says_is_taken_when_it_can_be_a_build(environ: dict[str, str], said: str) -> None:
    assert _said_by_the_platform(environ) == said


def test_the_digest_of_the_configuration_changes_with_any_setting_and_tells_no_secret() -> None:
    plain = Settings.model_validate({})
    other = Settings.model_validate({"shutdown_seconds": 11})
    secret = Settings.model_validate({"paper": {"exchange_token": "a-secret-that-nobody-may-guess"}})
    same = Settings.model_validate({"paper": {"exchange_token": "b-secret-that-nobody-may-guess"}})
    assert len({build_of(each)["configuration"] for each in (plain, other, secret)}) == 3
    assert build_of(secret)["configuration"] == build_of(same)["configuration"]


def test_the_version_is_told_without_any_configuration(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(tmp_path / "none"))
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"NIJA build {build_id()}, schema {head()}, Python {python_version()}\n"
