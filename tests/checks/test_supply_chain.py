"""What is installed in an image: each package with its version and hashes, all that is needed and nothing besides."""

import json
import os
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.checks.forbidden_calls import ROOT
from tests.checks.locked import Locked, known_weaknesses, read_lock

LOCK = ROOT / "requirements.lock"
# A directory or zip of advisories in OSV's format, fetched by whoever can: osv.dev has one file for all of PyPI.
ADVISORIES = "NIJA_ADVISORIES"
FLOORS = {"pip", "setuptools", "wheel"}


@pytest.fixture(scope="module")
def locked() -> dict[str, Locked]:
    return dict(read_lock(LOCK.read_text(encoding="utf-8")))


def wanted() -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def needs_of(name: str, extras: frozenset[str]) -> list[Requirement]:
    """What an installed package needs here, by its own words."""
    found = []
    for line in metadata.requires(name) or []:
        requirement = Requirement(line)
        environments = [{"extra": extra} for extra in extras or {""}]
        if requirement.marker is None or any(requirement.marker.evaluate(each) for each in environments):
            found.append(requirement)
    return found


def test_every_requirement_is_locked_at_a_version_that_it_accepts(locked: dict[str, Locked]) -> None:
    for requirement in wanted():
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)].version), requirement


def is_installed(one: Locked) -> bool:
    """At the version that is locked; of another one it cannot be said here what the locked one needs."""
    try:
        return Version(metadata.version(one.name)) == one.version
    except metadata.PackageNotFoundError:
        return False


def test_all_that_they_need_is_locked_too_and_nothing_that_nobody_needs(locked: dict[str, Locked]) -> None:
    waiting, seen = wanted(), set[tuple[str, frozenset[str]]]()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        assert name in locked, f"{requirement} is not in requirements.lock"
        assert requirement.specifier.contains(locked[name].version, prereleases=True), requirement
        if is_installed(locked[name]):
            waiting += needs_of(name, extras)
    assert not all(map(is_installed, locked.values())) or set(locked) - {name for name, _ in seen} <= FLOORS


def test_each_has_hashes_and_none_an_address(locked: dict[str, Locked]) -> None:
    assert len(locked) > 40
    assert all(each.hashes and len(set(each.hashes)) == len(each.hashes) for each in locked.values())
    text = LOCK.read_text(encoding="utf-8")
    for word in ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host", " @ "):
        assert word not in text


@pytest.mark.parametrize(
    "text",
    [
        "requests==2.32.0",
        "requests>=2.32.0 --hash=sha256:" + "0" * 64,
        "requests==2.32.0 --hash=sha256:12",
        "requests==2.32.0 --hash=md5:" + "0" * 64,
        "-e .",
        "--index-url x",
        ("requests==2.32.0 --hash=sha256:" + "0" * 64 + "\n") * 2,
    ],
)
def test_a_lock_that_would_let_anything_in_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither a pin nor its hashes|there twice"):
        read_lock(text)


def advisory(name: str, events: list[dict[str, str]], **more: object) -> dict[str, object]:
    affected = {
        "package": {"ecosystem": "PyPI", "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": "PYSEC-1", "affected": [affected], **more}


@pytest.mark.parametrize(
    ("said", "weak"),
    [
        (advisory("REQUESTS", [{"introduced": "0"}, {"fixed": "2.33"}]), True),
        (advisory("requests", [{"introduced": "0"}, {"fixed": "2.32"}]), False),
        (advisory("requests", [{"introduced": "2.33"}]), False),
        (advisory("requests", [{"introduced": "0"}, {"last_affected": "2.32.5"}]), True),
        (
            advisory("requests", [{"introduced": "0"}, {"fixed": "2.0"}, {"introduced": "2.32"}, {"fixed": "2.40"}]),
            True,
        ),
        (advisory("requests", [{"introduced": "0"}], withdrawn="2026-01-01"), False),
        (advisory("another", [{"introduced": "0"}]), False),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_audit_finds_what_an_advisory_is_about(
    tmp_path: Path, said: dict[str, object], weak: bool, packed: bool
) -> None:
    lock = {"requests": Locked("requests", Version("2.32.5"), ["0" * 64])}
    if packed:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr("PYSEC-1.json", json.dumps(said))
    else:
        (tmp_path / "PYSEC-1.json").write_text(json.dumps(said))
    found = known_weaknesses(lock, tmp_path / "all.zip" if packed else tmp_path)
    assert found == (["requests 2.32.5: PYSEC-1"] if weak else [])


@pytest.mark.skipif(ADVISORIES not in os.environ, reason=f"{ADVISORIES} names no advisories on this machine")
def test_no_advisory_on_this_machine_is_about_what_is_locked(locked: dict[str, Locked]) -> None:
    assert known_weaknesses(locked, Path(os.environ[ADVISORIES])) == []
