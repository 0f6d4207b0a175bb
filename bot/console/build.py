"""Which program and which configuration this is: for the footer, and for whoever asks what was running."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.diagnostics.config_show import settings_rows, user_row_of
from bot.settings import Settings
from bot.settings.loading import PROJECT_DIR

_SHORT = 12


def build_of(settings: Settings) -> dict[str, Any]:
    """`build`: the commit it was made from, or a digest of its files; `configuration`: a digest of all settings."""
    return {"build": _build(), "configuration": _configuration(settings)}


@lru_cache(maxsize=1)
def _build() -> str:
    commit = _commit(PROJECT_DIR / ".git")
    return commit[:_SHORT] if commit else f"files {_digest_of_files(PROJECT_DIR / 'bot')}"


def _commit(directory: Path) -> str:
    """Read, not asked of git, which need not be there."""
    try:
        head = (directory / "HEAD").read_text(encoding="ascii").strip()
        if not head.startswith("ref: "):
            return head
        reference = head.removeprefix("ref: ")
        path = directory / reference
        if path.is_file():
            return path.read_text(encoding="ascii").strip()
        packed = (directory / "packed-refs").read_text(encoding="ascii").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {reference}")), "")
    except (OSError, UnicodeDecodeError):
        return ""


def _digest_of_files(directory: Path) -> str:
    made = hashlib.sha256()
    for path in sorted(directory.rglob("*.py")):
        made.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:_SHORT]


def _configuration(settings: Settings) -> str:
    lines = [f"{row['name']}={row['value']}" for row in settings_rows(settings)]
    lines += [str(user_row_of(settings, index)) for index in range(len(settings.users))]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:_SHORT]
