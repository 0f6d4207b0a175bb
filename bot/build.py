"""Which program and which configuration this is: for logs, pages, copies and messages, and for whoever asks later."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from bot.settings import Settings
from bot.settings.env_source import BUILD_VARIABLES
from bot.settings.loading import PROJECT_DIR, inherited_environment
from bot.settings.origins import dotted, leaves, value_text

_SHORT = 12
# A commit, a tag or a number of a build; nothing that could be taken for something else where it is shown.
_ALLOWED = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_+")


def build_of(settings: Settings) -> dict[str, str]:
    """`build`: the commit it was made from, or a digest of its files; `configuration`: a digest of all settings."""
    return {"build": build_id(), "configuration": _configuration(settings)}


def build_id() -> str:
    """The commit of the directory's `.git`; else what the platform says; else a digest of the program's files."""
    return _found_build(PROJECT_DIR, _said_by_the_platform(inherited_environment()))


@lru_cache(maxsize=1)
def _found_build(project: Path, said: str) -> str:
    return _commit(project / ".git")[:_SHORT] or said or f"files {_digest_of_files(project / 'bot')}"


def _said_by_the_platform(environ: Mapping[str, str]) -> str:
    said = next((environ[name].strip() for name in BUILD_VARIABLES if environ.get(name, "").strip()), "")
    if not _ALLOWED.issuperset(said):
        return ""
    is_a_commit = len(said) == 40 and all(letter in "0123456789abcdef" for letter in said)
    return said[:_SHORT] if is_a_commit else said[:40]


def _commit(directory: Path) -> str:
    """Read, not asked of git, which need not be there."""
    try:
        if directory.is_file():
            # A second work tree: its own HEAD lies elsewhere, and the branches with the first.
            directory = directory.parent / _line(directory).removeprefix("gitdir: ")
        head = _line(directory / "HEAD")
        if not head.startswith("ref: "):
            return head
        common = directory / "commondir"
        shared = directory / _line(common) if common.is_file() else directory
        return _commit_of(shared, head.removeprefix("ref: "))
    except (OSError, UnicodeDecodeError):
        return ""


def _commit_of(shared: Path, reference: str) -> str:
    if (shared / reference).is_file():
        return _line(shared / reference)
    packed = (shared / "packed-refs").read_text(encoding="ascii").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {reference}")), "")


def _line(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _digest_of_files(directory: Path) -> str:
    made = hashlib.sha256()
    for path in sorted(directory.rglob("*.py")):
        made.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:_SHORT]


def _configuration(settings: Settings) -> str:
    """Of every value in force, wherever it came from; secrets masked, so that nobody can try them against it."""
    lines = [
        f"{dotted(location)}={value_text(value)}" for location, value, _ in leaves(settings) if location[0] != "origins"
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:_SHORT]
