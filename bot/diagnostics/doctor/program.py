"""The program itself: Python, the build, the packages."""

import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from bot.build import build_id
from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn

OLDEST_PYTHON = (3, 11)
_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?(?P<wanted>[=<>!~].*)?")
Version = Callable[[str], str | None]


def installed_version(package: str) -> str | None:
    """None when it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def examine_program(
    requirements: Path,
    *,
    python: tuple[int, ...] = sys.version_info[:3],
    version_of: Version = installed_version,
) -> Iterator[Finding]:
    yield _python(python)
    yield note("PRG-02", f"build {build_id()}")
    yield from _packages(requirements, version_of)


def _python(python: tuple[int, ...]) -> Finding:
    text = f"Python {'.'.join(map(str, python))}"
    if python[:2] < OLDEST_PYTHON:
        return bad("PRG-01", f"{text} is too old", "install Python 3.11 or newer, then run ./start.sh")
    return ok("PRG-01", text)


def _packages(requirements: Path, version_of: Version) -> Iterator[Finding]:
    try:
        lines = requirements.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        yield warn("PRG-03", f"{requirements.name} cannot be read: {error.strerror}", "install the project anew")
        return
    wanted = [match for match in map(_LINE.fullmatch, map(_without_comment, lines)) if match]
    problems = [
        found for found in (_package(match["name"], match["wanted"] or "", version_of) for match in wanted) if found
    ]
    yield from problems
    if not problems:
        yield ok("PRG-03", f"{len(wanted)} packages are installed as {requirements.name} wants them")


def _without_comment(line: str) -> str:
    return line.partition("#")[0].strip()


def _package(name: str, wanted: str, version_of: Version) -> Finding | None:
    found = version_of(name)
    if found is None:
        return bad("PRG-03", f"{name} is not installed", "run ./start.sh, which installs what is missing")
    missed = [term for term in wanted.split(",") if term and not _satisfies(found, term.strip())]
    if not missed:
        return None
    fix = "run ./start.sh, or .venv/bin/pip install -r requirements.txt"
    return warn("PRG-03", f"{name} is {found}, and was tested with {wanted}", fix)


def _satisfies(version: str, term: str) -> bool:
    """Of a term as `>=2.32` or `==1.8.4`; one that is not understood is not judged."""
    match = re.fullmatch(r"(==|>=|<=|<|>|!=)\s*([0-9][0-9.]*)", term)
    if match is None:
        return True
    have, want = _numbers(version), _numbers(match[2])
    width = max(len(have), len(want))
    have, want = have + (0,) * (width - len(have)), want + (0,) * (width - len(want))
    return {
        "==": have == want,
        "!=": have != want,
        ">=": have >= want,
        "<=": have <= want,
        "<": have < want,
        ">": have > want,
    }[match[1]]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[^0-9.]", version, maxsplit=1)[0]))
