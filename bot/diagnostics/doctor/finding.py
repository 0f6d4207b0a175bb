"""One line of doctor's answer."""

from dataclasses import dataclass
from enum import StrEnum

from bot.diagnostics.doctor.codes import CODES

DOCUMENT = "docs/doctor.md"


class Level(StrEnum):
    """A NOTE says something and judges nothing; warnings alone do not make doctor fail."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found, and what to do about it. Raises ValueError for a code that is not listed, or no `fix`."""

    level: Level
    code: str
    text: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code} is no code of doctor's")
        if self.level in (Level.WARN, Level.BAD) and not self.fix:
            raise ValueError(f"{self.code}: what is wrong needs a way to put it right")

    @property
    def link(self) -> str:
        """Where the documents explain it."""
        return f"{DOCUMENT}#{self.code.lower()}"


def ok(code: str, text: str) -> Finding:
    return Finding(level=Level.OK, code=code, text=text)


def note(code: str, text: str) -> Finding:
    return Finding(level=Level.NOTE, code=code, text=text)


def warn(code: str, text: str, fix: str) -> Finding:
    return Finding(level=Level.WARN, code=code, text=text, fix=fix)


def bad(code: str, text: str, fix: str) -> Finding:
    return Finding(level=Level.BAD, code=code, text=text, fix=fix)
