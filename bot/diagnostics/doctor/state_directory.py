"""Where all state lies: usable, lasting, private, roomy, of this mode, whole, and copied. Nothing is written."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn
from bot.diagnostics.store_reading import NoStore, describe_age, read_store
from bot.domain.errors import ConfigurationError
from bot.settings import Settings
from bot.storage import process
from bot.storage.backups import backups_of
from bot.storage.ephemeral import throws_away
from bot.storage.marker import MarkerUnreadable, read_marker
from bot.storage.place import DATABASE_FILE

MEGABYTE = 1024 * 1024
LITTLE_BYTES = 1024 * MEGABYTE
TOO_LITTLE_BYTES = 200 * MEGABYTE
OLD_COPY = timedelta(days=7)
# Above this SQLite's own check takes longer than anybody waits for an answer.
LARGE_BYTES = 2000 * MEGABYTE
_RESTORE = "stop the bot and restore the newest copy: python bot.py restore --help"
# Files that hold keys' nonces, tokens or money; the rest tells less.
_PRIVATE = (DATABASE_FILE, "*.db", "kraken_nonce_*.txt", "paper/endpoint.json", "backups/*.db", "nija.log")


def _free_on(path: Path) -> int:
    return shutil.disk_usage(path).free


def examine_state(
    settings: Settings,
    environ: Mapping[str, str],
    now: datetime,
    *,
    trying_live: bool = False,
    free_on: Callable[[Path], int] = _free_on,
) -> Iterator[Finding]:
    """`trying_live`: the settings are those of live mode, which is not switched on yet. `free_on`: bytes on a disk."""
    directory = settings.state_dir
    yield _usable(directory)
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    yield _lasting(settings, existing, environ)
    yield from _marker(directory, now)
    yield from _private(directory)
    yield _room(existing, free_on(existing))
    yield from _store(settings, now, trying_live=trying_live)


def _usable(directory: Path) -> Finding:
    if directory.is_dir():
        if os.access(directory, os.W_OK | os.X_OK):
            return ok("STA-01", f"{directory} can be written to")
        return bad("STA-01", f"{directory} cannot be written to", "change its owner, or name another with STATE_DIR")
    if directory.exists():
        return bad("STA-01", f"{directory} is no directory", "name another with STATE_DIR, or move that file away")
    above = next(path for path in directory.parents if path.exists())
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return ok("STA-01", f"{directory} does not exist yet; the first start makes it")
    return bad("STA-01", f"{directory} cannot be made in {above}", "name another place with STATE_DIR")


# -- does it last -----------------------------------------------------------------------------------------------------
def _lasting(settings: Settings, existing: Path, environ: Mapping[str, str]) -> Finding:
    platform = throws_away(existing, environ)
    if not platform:
        return ok("STA-02", "nothing says that this disk is thrown away")
    text = f"{platform} throws {settings.state_dir} away at every restart, and every open order and position with it"
    fix = "mount a volume and point STATE_DIR to it, or set DATABASE_URL to a PostgreSQL server"
    if settings.database_url is not None:
        return note("STA-02", f"{platform} throws {settings.state_dir} away; the books are in the database and stay")
    return (
        warn("STA-02", f"{text} (ALLOW_EPHEMERAL accepts it)", fix)
        if settings.allow_ephemeral
        else bad("STA-02", text, fix)
    )


def _marker(directory: Path, now: datetime) -> Iterator[Finding]:
    try:
        marker = read_marker(directory)
    except MarkerUnreadable as error:
        yield bad("STA-02", str(error), "restore the directory from a backup: python bot.py restore --help")
        return
    if marker is None:
        yield note("STA-02", "no marker of an earlier start is here: the next start is a first one")
    else:
        starts = marker.marks.get("starts", 0)
        age = describe_age(now - marker.created_at)
        yield ok("STA-02", f"the marker of start {starts} is still here, of an installation made {age} ago")


# -- who can read it, and how much room there is ----------------------------------------------------------------------
def _private(directory: Path) -> Iterator[Finding]:
    if not directory.is_dir():
        return
    open_to_others = sorted({path for path in _files(directory) if _is_open(path)})
    for path in open_to_others:
        yield warn("STA-03", f"others on this machine can read {path.name}", f"chmod go-rwx {path}")
    if not open_to_others:
        yield ok("STA-03", "database, nonces, copies and log are yours alone")


def _files(directory: Path) -> Iterator[Path]:
    if not _is_open(directory):
        return  # who may not enter reads nothing
    for pattern in _PRIVATE:
        yield from directory.glob(pattern)


def _is_open(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False


def _room(existing: Path, free: int) -> Finding:
    text = f"{free // MEGABYTE} MB are free on the disk of {existing}"
    fix = "make room: the bot sends no order that it cannot write down"
    if free < TOO_LITTLE_BYTES:
        return bad("STA-04", text, fix)
    return warn("STA-04", text, fix) if free < LITTLE_BYTES else ok("STA-04", text)


# -- the database -----------------------------------------------------------------------------------------------------
def _store(settings: Settings, now: datetime, *, trying_live: bool) -> Iterator[Finding]:
    database = settings.state_dir / DATABASE_FILE
    if settings.database_url is None and not database.is_file():
        yield _no_database(settings.state_dir)
        return
    is_file = settings.database_url is None
    try:
        with read_store(settings) as connection:
            mode = process.get_meta(connection, "mode")
            damage = _damage(connection, database) if is_file else ""
    except (NoStore, ConfigurationError) as error:
        yield _unread(str(error))
        return
    yield _mode(settings, mode, trying_live=trying_live)
    if not is_file:
        yield ok("STA-06", "the database of DATABASE_URL answers, and is of this version")
        return
    yield _whole(database, damage)
    yield _copies(database, now)


def _no_database(directory: Path) -> Finding:
    try:
        is_first = read_marker(directory) is None
    except MarkerUnreadable:
        is_first = False
    if is_first:
        return note("STA-06", "there is no database yet; the first start makes it")
    return bad("STA-06", f"{DATABASE_FILE} is gone, though the marker of an earlier start is here", _RESTORE)


def _unread(why: str) -> Finding:
    if "an older version" in why:
        return note("STA-06", why)
    return bad("STA-06", why, _RESTORE)


def _damage(connection: Connection, database: Path) -> str:
    """What SQLite finds wrong first; empty when nothing, or when looking through all of it would take too long."""
    if database.stat().st_size > LARGE_BYTES:
        return ""
    answer = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return "" if answer == "ok" else answer


def _mode(settings: Settings, mode: str | None, *, trying_live: bool) -> Finding:
    if mode in (None, settings.trading_mode):
        return ok("STA-05", f"the state is of {mode} trading" if mode else "the state is of no mode yet")
    fix = f"give it a directory of its own, as STATE_DIR={settings.state_dir}_{settings.trading_mode}"
    if trying_live:
        return warn("STA-05", f"the state is of {mode} trading; live trading needs another directory", fix)
    return bad("STA-05", f"the state is of {mode} trading, and {settings.trading_mode} was asked for", fix)


def _whole(database: Path, damage: str) -> Finding:
    if damage:
        return bad("STA-06", f"{database.name} is damaged: {damage}", _RESTORE)
    size = database.stat().st_size
    word = "is of this version, and too large to be looked through here" if size > LARGE_BYTES else "is whole"
    return ok("STA-06", f"{database.name} {word} ({max(1, size // MEGABYTE)} MB)")


def _copies(database: Path, now: datetime) -> Finding:
    fix = "python bot.py backup --help shows how to make one, and where else to keep it"
    newest = next(iter(backups_of(database)), None)
    if newest is None:
        return note("STA-07", f"no copy of the database is beside it; {fix}")
    age = now.timestamp() - newest.stat().st_mtime
    text = f"the newest copy of the database beside it is {describe_age(timedelta(seconds=age))} old ({newest.name})"
    return warn("STA-07", text, fix) if timedelta(seconds=age) > OLD_COPY else ok("STA-07", text)
