"""`python bot.py restore`: the books of a backup in the place of those that are there. Never under a running bot."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.copied_rows import Refused, check_file, copy_into, in_words, opened_copy
from bot.diagnostics.listing import refused
from bot.diagnostics.store_reading import NoStore, now, read_store
from bot.settings import Settings
from bot.storage import backups
from bot.storage.copying import count_by_table
from bot.storage.place import database_url, describe, is_a_file
from bot.supervision.instance_lock import AlreadyRunning, InstanceLock

# Beside the file: what SQLite wrote last of the books that are replaced.
_ENDS = ("-wal", "-shm")


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "restore",
        "put the books of a backup in the place of those that are there, which are kept beside it",
        lambda settings, words: run(settings, words.file, sure=words.yes, as_json=words.json),
        codes="0 put back, 1 shown and not done (say --yes), 2 refused (nothing was changed)",
        examples=["restore nija-20261121T210000Z.db", "restore nija-20261121T210000Z.db --yes"],
    )
    made.add_argument("file", type=Path, metavar="FILE", help="what `python bot.py backup` has written")
    made.add_argument("--yes", action="store_true", help="do it; without it only what would happen is shown")


def run(settings: Settings, file: Path, *, sure: bool, as_json: bool) -> int:
    """What the brokerages did since the backup is found again at the next start, as far as they show it."""
    try:
        check_file(file)
        with _nobody_runs(settings):
            said = _replace(settings, file, sure=sure)
    except (Refused, NoStore, OSError, sqlite3.Error) as error:
        return refused(f"Nothing was restored: {error}.", as_json=as_json, code=exit_codes.WRONG_USE)
    print(json.dumps({"done": sure, "said": said}, indent=2) if as_json else said)
    return exit_codes.OK if sure else exit_codes.SOMETHING_WRONG


@contextmanager
def _nobody_runs(settings: Settings) -> Iterator[None]:
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = InstanceLock(settings.state_dir)
    try:
        lock.acquire()  # lint: refuses at once instead of waiting
    except AlreadyRunning as error:
        raise Refused(f"the bot runs ({error})") from error
    try:
        yield
    finally:
        lock.release()


def _replace(settings: Settings, file: Path, *, sure: bool) -> str:
    url = database_url(settings)
    there = _there_now(settings)
    if not is_a_file(url):
        if there.strip():
            raise Refused(
                f"{describe(url)} has books already ({there}). Make an empty database, name it in DATABASE_URL, and "
                "say this again"
            )
        if not sure:
            return f"{file} would be copied into {describe(url)}, which is empty. Say --yes to do it."
        with opened_copy(file) as source:
            copy_into(source, url)
        return f"Restored into {describe(url)}: {_here(file)}."
    database = Path(describe(url))
    if not sure:
        kept = f"{database} has {there}, which would be kept aside" if there else f"{database} has no books yet"
        return f"{kept}. {file} would be put there: {_here(file)}. Say --yes to do it."
    fresh = database.with_name(f"{database.name}.restored")
    # Whole and on the disk before anything is moved.
    backups.copy_database(file, fresh)
    aside = _put_aside(settings, database)
    fresh.replace(database)
    kept = f" What was there is kept in {aside}." if aside else ""
    return (
        f"Restored: {_here(file)}.{kept} At its start the bot asks the brokerages what happened since, and says what "
        "it cannot know."
    )


def _there_now(settings: Settings) -> str:
    """What would be replaced, in words; empty when there are no books."""
    try:
        with read_store(settings) as connection:
            rows = count_by_table(connection)
    except NoStore as error:
        url = database_url(settings)
        if is_a_file(url):
            return "a database that cannot be read" if Path(describe(url)).exists() else ""
        if "no tables" in str(error):
            return ""
        raise
    return in_words(rows) if sum(rows.values()) else ""


def _here(file: Path) -> str:
    try:
        with opened_copy(file) as connection:
            return in_words(count_by_table(connection))
    except NoStore:
        return "books of an older version, which the next start brings up to date"


def _put_aside(settings: Settings, database: Path) -> Path | None:
    """Even a damaged file is kept, with what belongs to it."""
    if not database.exists():
        return None
    directory = database.parent / backups.DIRECTORY
    directory.mkdir(mode=0o700, exist_ok=True)
    aside = directory / f"replaced-{now(settings):%Y%m%dT%H%M%S%fZ}.db"
    for end in ("", *_ENDS):
        part = database.with_name(database.name + end)
        if part.exists():
            part.replace(aside.with_name(aside.name + end))
    return aside
