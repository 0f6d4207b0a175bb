"""Rows of favourites: markets that a person wants to be looked at closely."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from bot.storage.schema import favourite


def favourites_of(connection: Connection, broker: str) -> frozenset[str]:
    return frozenset(connection.execute(select(favourite.c.symbol).where(favourite.c.broker == broker)).scalars())


def add_favourite(connection: Connection, broker: str, symbol: str, *, set_by: str, now: datetime) -> bool:
    """False when it is one already."""
    if symbol in favourites_of(connection, broker):
        return False
    connection.execute(insert(favourite).values(broker=broker, symbol=symbol, set_by=set_by, at=now))
    return True


def remove_favourite(connection: Connection, broker: str, symbol: str) -> bool:
    """False when it is none."""
    query = delete(favourite).where(favourite.c.broker == broker, favourite.c.symbol == symbol)
    return connection.execute(query).rowcount > 0
