"""Copies of the database, made before anything changes its tables."""

import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.storage.files import sync_directory

DIRECTORY = "backups"
KEPT = 5
BUSY_SECONDS = 5.0


def back_up(database: Path, *, revision: str, now: datetime) -> Path:
    """Copy the database into `backups/` beside it and drop the oldest copies beyond `KEPT`; returns the copy.

    The copy is named by the revision it is at and the time (UTC), is private, and is on the disk when this returns.
    Raises `OSError` or `sqlite3.Error`; then nothing has changed.
    """
    directory = database.parent / DIRECTORY
    directory.mkdir(mode=0o700, exist_ok=True)
    copy = directory / f"{database.stem}-{revision}-{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.db"
    copy_database(database, copy)
    for old in backups_of(database)[KEPT:]:
        old.unlink(missing_ok=True)
    return copy


def copy_database(database: Path, copy: Path) -> None:
    """Copy a database that may be in use into a single private file, whole and durable, or leave nothing behind.

    Raises `OSError` or `sqlite3.Error`.
    """
    fresh = copy.with_name(copy.name + ".new")
    try:
        _copy(database, fresh)
        fresh.replace(copy)
        sync_directory(copy.parent)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def backups_of(database: Path) -> Sequence[Path]:
    """The copies there are, newest first."""
    found = (database.parent / DIRECTORY).glob(f"{database.stem}-*.db")
    return sorted(found, key=lambda path: path.stem.rpartition("-")[2], reverse=True)


def _copy(database: Path, fresh: Path) -> None:
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    source = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    target = sqlite3.connect(fresh)
    try:
        source.backup(target)
        # A single file, whoever reads it: nothing beside it can be lost or left over.
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        target.close()
        source.close()
    _check(fresh)
    descriptor = os.open(fresh, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(fresh: Path) -> None:
    """A copy that cannot be used is worse than none: it would be trusted."""
    copy = sqlite3.connect(f"{fresh.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        (answer,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    finally:
        copy.close()
    if answer != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged: {answer}")
