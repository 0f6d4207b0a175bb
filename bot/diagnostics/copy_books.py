"""`python bot.py copy-books`: all books of this installation into an empty PostgreSQL database, and compared."""

import json
from collections.abc import Mapping

from sqlalchemy import URL

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, name
from bot.diagnostics.copied_rows import Refused, copy_into, in_words
from bot.diagnostics.listing import refused
from bot.diagnostics.store_reading import NoStore, bot_state, now, read_store
from bot.domain.errors import ConfigurationError
from bot.settings import Settings
from bot.settings.loading import process_environment
from bot.storage.place import database_url, describe
from bot.storage.postgres import postgres_url

TARGET = "TARGET_DATABASE_URL"


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "copy-books",
        "copy all books into an empty PostgreSQL database, compare every row, and say how to go on there",
        lambda settings, words: run(settings, words.to_env, environ=process_environment(), as_json=words.json),
        codes="0 copied and compared, 2 refused (nothing was written there), 3 there is nothing to copy yet",
        examples=["copy-books", "copy-books --to-env NEW_DATABASE"],
    )
    made.add_argument(
        "--to-env",
        type=name,
        default=TARGET,
        metavar="VARIABLE",
        help=f"the environment variable that has the new database's URL, so that its password is in no command line "
        f"(default {TARGET})",
    )


def run(settings: Settings, variable: str, *, environ: Mapping[str, str], as_json: bool) -> int:
    """The bot must be stopped: what it writes after the copy would be missing there."""
    try:
        url = _target(variable, environ)
        with read_store(settings) as source:
            state = bot_state(source, now=now(settings))
            if state.running:
                raise Refused(f"{state.sentence}. Stop it first: what it writes after the copy would be missing there")
            if url == database_url(settings):
                raise Refused(f"{variable} names the database that is in use already")
            rows = {each.name: each.rows for each in copy_into(source, url)}
    except NoStore as error:
        return refused(str(error), as_json=as_json, code=exit_codes.NOT_RUNNING)
    except (Refused, ConfigurationError) as error:
        return refused(f"Nothing was copied: {error}.", as_json=as_json, code=exit_codes.WRONG_USE)
    if as_json:
        print(json.dumps({"to": describe(url), "rows": rows, "equal": True}, indent=2))
    else:
        print(f"Copied into {describe(url)}, and every row is equal: {in_words(rows)}.")
        print("Set DATABASE_URL to it, keep STATE_DIR as it is, and start the bot. The old file may stay as a backup.")
    return exit_codes.OK


def _target(variable: str, environ: Mapping[str, str]) -> URL:
    text = environ.get(variable, "").strip()
    if not text:
        raise Refused(f"set {variable} to the new database's URL, postgresql://user:password@host:5432/name")
    try:
        return postgres_url(text)
    except ConfigurationError as error:
        raise Refused(str(error).replace("DATABASE_URL", variable)) from error
