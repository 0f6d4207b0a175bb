"""Which markets this installation has ever had to do with."""

from sqlalchemy import Connection, select, union

from bot.storage.schema import fill, order_intent, position, signal


def traded_symbols(connection: Connection) -> list[str]:
    """Every symbol of a signal, an order, a fill or a position, in order of the alphabet."""
    columns = (signal.c.symbol, order_intent.c.symbol, fill.c.symbol, position.c.symbol)
    return sorted(connection.execute(union(*[select(column).distinct() for column in columns])).scalars())
