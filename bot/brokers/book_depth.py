"""How much an order book offers near its best price."""

from collections.abc import Iterable
from decimal import Decimal

from bot.brokers.replies import as_list, as_object, number, number_of
from bot.domain.money import percent_to_fraction

# A master's entry waits for the book, and does without it after this.
DEPTH_CALL_SECONDS = 1.0
# Levels of each side that are asked for.
DEPTH_LEVELS = 100


def offered_within(levels: Iterable[tuple[Decimal, Decimal]], *, within_percent: Decimal) -> Decimal | None:
    """What is for sale up to `within_percent` above the best price (quote units); None = nothing is known to be.

    `levels` are (price, quantity in base) of the asks, the best first. Where they end before the bound there may be
    more than this.
    """
    total, highest = Decimal(0), None
    for price, quantity in levels:
        highest = price * (1 + percent_to_fraction(within_percent)) if highest is None else highest
        if price > highest:
            break
        total += price * quantity
    return total if total > 0 else None


def listed_levels(rows: object, *, where: str) -> Iterable[tuple[Decimal, Decimal]]:
    """Levels that are lists of price, quantity and perhaps more. Raises `UnreadableReply`."""
    for row in as_list(rows, where=where):
        price, quantity = [*as_list(row, where=where), None, None][:2]
        yield number(price, where=f"{where} price"), number(quantity, where=f"{where} quantity")


def named_levels(rows: object, *, where: str) -> Iterable[tuple[Decimal, Decimal]]:
    """Levels that are objects with `price` and `size`. Raises `UnreadableReply`."""
    for row in as_list(rows, where=where):
        fields = as_object(row, where=where)
        yield number_of(fields, "price", where=where), number_of(fields, "size", where=where)
