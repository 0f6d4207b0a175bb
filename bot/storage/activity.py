"""How much has happened to some markets of an account: equal numbers mean that nothing of ours came in between."""

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from bot.storage.schema import fill, order_event, order_intent


def activity_of(connection: Connection, account_id: str, symbols: Collection[str]) -> tuple[int, int, int]:
    """Orders, their changes of state, and trades so far. Counts, not times: clocks are set back."""
    ours = (order_intent.c.account_id == account_id, order_intent.c.symbol.in_(symbols))
    intents = select(func.count()).select_from(order_intent).where(*ours)
    events = select(func.count()).select_from(order_event.join(order_intent)).where(*ours)
    fills = select(func.count()).select_from(fill).where(fill.c.account_id == account_id, fill.c.symbol.in_(symbols))
    first, second, third = (int(connection.execute(query).scalar_one()) for query in (intents, events, fills))
    return first, second, third
