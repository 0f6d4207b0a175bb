"""Entries of a brokerage's users that are planned or sent, and of which not all is in the books yet."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from bot.domain.account import BrokerType
from bot.domain.order import IntentState, Side
from bot.storage.exposure import IS_ENTRY, OPEN
from bot.storage.schema import account, order_intent

# Account by account, because that is what the index is by: the table itself has every order that ever was.
_UNDER_WAY = select(
    order_intent.c.account_id,
    order_intent.c.symbol,
    order_intent.c.quantity,
    order_intent.c.filled_quantity,
    order_intent.c.limit_price,
    order_intent.c.reference_price,
).where(
    order_intent.c.account_id.in_(
        select(account.c.account_id).where(account.c.broker == bindparam("broker"), account.c.user_id.is_not(None))
    ),
    order_intent.c.state.in_((str(IntentState.CREATED), *OPEN)),
    IS_ENTRY,
    order_intent.c.side == str(Side.BUY),
)


class UnderWay(NamedTuple):
    """What may still be bought (base units): at `price` it was planned, at most `highest_price` is paid."""

    symbol: str
    quantity: Decimal
    price: Decimal
    highest_price: Decimal


def entries_under_way(connection: Connection, broker: BrokerType) -> Mapping[str, Sequence[UnderWay]]:
    """By account, for all users of the brokerage at once; who enters nothing is not in it."""
    found: dict[str, list[UnderWay]] = defaultdict(list)
    for row in connection.execute(_UNDER_WAY, {"broker": str(broker)}):
        price = row.reference_price if row.reference_price is not None else row.limit_price
        left = row.quantity - row.filled_quantity
        if price is None or left <= 0:
            continue
        highest = max(price, row.limit_price or price)
        found[row.account_id].append(UnderWay(row.symbol, left, price, highest))
    return found
