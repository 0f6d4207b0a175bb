"""`requirements.lock` as values, and an audit of it against advisories that lie on this machine."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[0-9][\w.+!-]*)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Locked:
    name: str
    version: Version
    hashes: Sequence[str]


def read_lock(text: str) -> Mapping[str, Locked]:
    """By canonical name. Raises `ValueError` for a line that is neither a pin nor one of its hashes."""
    found: dict[str, Locked] = {}
    for entry in text.replace("\\\n", " ").splitlines():
        words = entry.partition("#")[0].split()
        if not words:
            continue
        pin, hashes = _PIN.fullmatch(words[0]), [_HASH.fullmatch(word) for word in words[1:]]
        if pin is None or not hashes or None in hashes:
            raise ValueError(f"neither a pin nor its hashes: {entry[:100]}")
        name = canonicalize_name(pin["name"])
        if name in found:
            raise ValueError(f"{name} is there twice")
        found[name] = Locked(name, Version(pin["version"]), [each[1] for each in hashes if each])
    return found


def known_weaknesses(locked: Mapping[str, Locked], advisories: Path) -> list[str]:
    """A line for each advisory (in OSV's format, a directory or a zip of them) that is about a version of the lock."""
    return sorted(
        f"{name} {locked[name].version}: {advisory['id']}"
        for advisory in _advisories(advisories)
        if not advisory.get("withdrawn")
        for affected in advisory.get("affected", [])
        if (name := _name_of(affected)) in locked and _is_about(affected, locked[name].version)
    )


def _advisories(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_dir():
        yield from (json.loads(file.read_bytes()) for file in sorted(path.rglob("*.json")))
        return
    with zipfile.ZipFile(path) as archive:
        yield from (json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json"))


def _name_of(affected: Mapping[str, Any]) -> str:
    package = affected.get("package", {})
    return canonicalize_name(package.get("name", "")) if package.get("ecosystem") == "PyPI" else ""


def _is_about(affected: Mapping[str, Any], version: Version) -> bool:
    if any(_same(each, version) for each in affected.get("versions", [])):
        return True
    ranges = (one for one in affected.get("ranges", []) if one.get("type") == "ECOSYSTEM")
    return any(_is_within(one.get("events", []), version) for one in ranges)


def _is_within(events: Sequence[Mapping[str, str]], version: Version) -> bool:
    """By OSV's own rule: what the last event at or below the version says."""
    weak = False
    for event in events:
        (kind, at), *_ = event.items()
        bound = Version("0") if at == "0" else Version(at)
        if kind == "introduced" and version >= bound:
            weak = True
        if (kind == "fixed" and version >= bound) or (kind == "last_affected" and version > bound):
            weak = False
    return weak


def _same(text: str, version: Version) -> bool:
    try:
        return Version(text) == version
    except InvalidVersion:
        return False
