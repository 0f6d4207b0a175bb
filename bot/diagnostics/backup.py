"""`python bot.py backup`: all of the books in one file, while the bot runs or not."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.copied_rows import Refused, copy_into, in_words, opened_copy
from bot.diagnostics.listing import refused
from bot.diagnostics.store_reading import NoStore, now, read_store
from bot.settings import Settings
from bot.storage.backups import copy_database
from bot.storage.copying import count_by_table
from bot.storage.place import database_url, describe, is_a_file
from bot.storage.sqlite import sqlite_url


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "backup",
        "copy all books into one file and check it, while the bot runs or not, from SQLite or PostgreSQL",
        lambda settings, words: run(settings, words.to, as_json=words.json),
        codes="0 written and checked, 2 refused (nothing was written), 3 there is nothing to copy yet",
        examples=["backup /srv/backups", "backup november.db --json"],
    )
    made.add_argument("to", type=Path, metavar="FILE", help="a file that is not there yet, or a directory for one")


def run(settings: Settings, to: Path, *, as_json: bool) -> int:
    """Write the file. Kraken's nonces, the log and the paper exchange are not in it: they are no books."""
    file = _named(to, now(settings))
    try:
        _write(settings, file)
        with opened_copy(file) as connection:
            rows = count_by_table(connection)
    except NoStore as error:
        return refused(str(error), as_json=as_json, code=exit_codes.NOT_RUNNING)
    except (Refused, OSError, sqlite3.Error) as error:
        return refused(f"No backup was made: {error}.", as_json=as_json, code=exit_codes.WRONG_USE)
    if as_json:
        print(json.dumps({"file": str(file), "bytes": file.stat().st_size, "rows": rows}, indent=2))
    else:
        print(f"Written to {file} and checked: {in_words(rows)}; {file.stat().st_size:,} bytes.")
        print("Keep it on another machine. `python bot.py restore FILE` puts it back.")
    return exit_codes.OK


def _named(to: Path, moment: datetime) -> Path:
    return to / f"nija-{moment:%Y%m%dT%H%M%SZ}.db" if to.is_dir() else to


def _write(settings: Settings, file: Path) -> None:
    if file.exists():
        raise Refused(f"{file} is there already, and a backup overwrites nothing")
    url = database_url(settings)
    if not is_a_file(url):
        write_rows(settings, file)
        return
    with read_store(settings):
        copy_database(Path(describe(url)), file)


def write_rows(settings: Settings, file: Path) -> None:
    """Make the file row by row, of one state of a server's database."""
    fresh = file.with_name(file.name + ".new")
    try:
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with read_store(settings) as source:
            copy_into(source, sqlite_url(fresh))
        with closing(sqlite3.connect(fresh)) as connection:
            # A single file, whoever reads it: nothing beside it can be lost or left over.
            connection.execute("PRAGMA journal_mode=DELETE")
        fresh.replace(file)
    finally:
        for left in (fresh, *(fresh.with_name(fresh.name + end) for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)
