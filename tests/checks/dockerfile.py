"""A Dockerfile as its steps, and what `.dockerignore` leaves of the project for it. As far as ours need it."""

import fnmatch
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        return self.rest.split()

    @property
    def as_list(self) -> list[str]:
        """Of the form that starts no shell. Raises `ValueError` for the other one."""
        return [str(each) for each in json.loads(self.rest)]


def stages_of(text: str) -> list[list[Step]]:
    """The steps of each stage, its FROM first."""
    joined = re.sub(r"\\\n(\s*#.*\n)*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    stages: list[list[Step]] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append(Step(word, rest.strip()))
    return stages


def copies_of(stage: Sequence[Step]) -> Iterator[tuple[list[str], str]]:
    """Sources and target of each COPY out of the project."""
    for step in stage:
        if step.word == "COPY" and not step.rest.startswith("--from="):
            *sources, target = step.words
            yield sources, target


def is_sent(path: str, ignored: Sequence[str]) -> bool:
    """Whether Docker is given this path of the project: by the last line of `.dockerignore` that is about it."""
    sent = True
    for line in ignored:
        pattern = line.removeprefix("!").strip("/")
        if any(_is_about(pattern, "/".join(path.split("/")[:count])) for count in range(1, path.count("/") + 2)):
            sent = line.startswith("!")
    return sent


def _is_about(pattern: str, path: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.rpartition("/")[2], pattern[3:])
    return path.count("/") == pattern.count("/") and fnmatch.fnmatch(path, pattern)


def ignored_by(file: Path) -> list[str]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
