"""What becomes of a file: shown before it is done, and done so that no crash leaves half of it."""

import difflib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.brokers.credentials import masked
from bot.diagnostics.setup.dotenv_lines import values_of
from bot.domain.errors import ConfigurationError

PRIVATE = 0o600
READABLE = 0o644


@dataclass(frozen=True)
class FileChange:
    """`before` None = there is no such file yet.

    A `secret` file is shown by the names in it, never by its lines, and is its owner's alone once it is written.
    """

    path: Path
    before: str | None = field(repr=False)
    after: str = field(repr=False)
    secret: bool = False

    @property
    def changes(self) -> bool:
        return self.exposed or (self.before != self.after and bool(self.before or self.after))

    @property
    def exposed(self) -> bool:
        """Whether others may read the secrets that are there now."""
        return self.secret and self.path.is_file() and bool(stat.S_IMODE(self.path.stat().st_mode) & 0o077)

    def shown(self) -> Iterator[str]:
        """The change for a person: removed and added lines, secrets masked."""
        if self.secret:
            yield from self._variables()
            if self.exposed:
                yield "  others could read it; from now on only you can"
        elif self.before is None:
            yield f"  new, {len(self.after.splitlines())} lines"
        else:
            lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), n=0, lineterm="")
            yield from (f"  {line}" for line in lines if not line.startswith(("---", "+++", "@@")))

    def _variables(self) -> Iterator[str]:
        before = values_of(self.before or "")
        for name, value in values_of(self.after).items():
            if before.get(name) != value:
                yield f"  {'~' if name in before else '+'} {name}={_shown(name, value)}"


def _shown(name: str, value: str) -> str:
    """The few settings that a set-up changes are no secret; a key is known by its end; of all else nothing is shown."""
    if name in ("TRADING_MODE", "STATE_DIR") or name.startswith(("NIJA__RISK__", "NIJA__MASTERS__")):
        return value
    return masked(value) if name.endswith("_API_KEY") else "****"


def write_all(changes: Sequence[FileChange]) -> None:
    """Each file is written beside its place first; only when all are on the disk, they take their places.

    A secret file is its owner's alone from its first byte on. Raises `ConfigurationError`; then nothing was changed,
    unless it says so.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for change in changes:
            target = change.path.resolve()
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.append((_written_beside(target, change), target))
    except OSError as error:
        _remove(staged)
        raise ConfigurationError(
            f"{error.filename} cannot be written ({error.strerror}); nothing was changed"
        ) from error
    _take_places(staged)


def _written_beside(target: Path, change: FileChange) -> Path:
    # Made by mkstemp, a file is its owner's alone.
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    with open(handle, "w", encoding="utf-8", newline="") as file:
        file.write(change.after)
        os.fchmod(handle, _mode(target, secret=change.secret))
        file.flush()
        os.fsync(handle)
    return Path(name)


def _mode(target: Path, *, secret: bool) -> int:
    if secret:
        return PRIVATE
    return stat.S_IMODE(target.stat().st_mode) if target.exists() else READABLE


def _take_places(staged: Sequence[tuple[Path, Path]]) -> None:
    done: list[str] = []
    for index, (beside, target) in enumerate(staged):
        try:
            os.replace(beside, target)
            _sync_directory(target.parent)
        except OSError as error:
            _remove(staged[index:])
            already = f"; already written: {', '.join(done)}" if done else "; nothing was changed"
            raise ConfigurationError(f"{target} cannot be replaced ({error.strerror}){already}") from error
        done.append(str(target))


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(staged: Sequence[tuple[Path, Path]]) -> None:
    for beside, _ in staged:
        beside.unlink(missing_ok=True)
