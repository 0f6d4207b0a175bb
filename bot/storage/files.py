"""Which files a database is made of, and whether they are still the ones that were opened.

SQLite goes on writing into a file that was deleted or replaced under it, and nobody ever sees those rows again.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# The write-ahead log and its index belong to the database as much as the file itself.
_SUFFIXES = ("", "-wal", "-shm")


def parts_of(database: Path) -> list[Path]:
    """The database's file and the two beside it, whether they exist or not."""
    real = database.resolve()
    return [real.with_name(real.name + suffix) for suffix in _SUFFIXES]


@dataclass(frozen=True)
class DatabaseFiles:
    """The files as they were when the database was opened, by device and inode."""

    identities: Mapping[Path, tuple[int, int] | None]

    @classmethod
    def of(cls, database: Path) -> "DatabaseFiles":
        """Take their identities now. Raises `OSError`."""
        return cls({path: _identity(path) for path in parts_of(database)})

    def difference(self) -> str:
        """A sentence when a file is not there any more or is another one; empty while all are the same.

        Raises `OSError` when they cannot be looked at.
        """
        for path, known in self.identities.items():
            found = _identity(path)
            if known is not None and found != known:
                return f"{path} was {'deleted' if found is None else 'replaced'} while the bot was running"
        return ""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def write_atomically(path: Path, content: str) -> None:
    """Replace a private file (0600) as a whole; when this returns it is on the disk. Raises `OSError`."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make new names in it last through a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
