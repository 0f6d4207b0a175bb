"""The seed of the order in which users are served: made once for an installation, the same for all its processes."""

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from bot.storage.process import get_meta
from bot.storage.schema import meta

ROTATION_SEED = "rotation_seed"


def rotation_seed(connection: Connection, *, fresh: str) -> str:
    """The installation's seed; `fresh` is what it becomes when there is none yet."""
    known = get_meta(connection, ROTATION_SEED)
    if known is not None:
        return known
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(make(meta).values(key=ROTATION_SEED, value=fresh).on_conflict_do_nothing())
    made = get_meta(connection, ROTATION_SEED)
    assert made is not None, "it is there by now, from here or from another process"
    return made
