"""What a fill does to a position. Pure."""

from dataclasses import replace
from decimal import Decimal

from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.position import ExitPlan, Position
from bot.domain.symbol import base_of


def received_quantity(fill: Fill) -> Decimal:
    """Base units that a buy really added: a fee taken in the base asset reduces it."""
    fee = fill.fee if fill.fee_currency == base_of(fill.symbol) else Decimal(0)
    return fill.quantity - fee


def after_fill(
    position: Position | None, fill: Fill, *, account_id: str, exit_plan: ExitPlan, signal_id: str | None
) -> Position | None:
    """The position after one fill, or None when it does not touch one (a sale of something we had not booked).

    A position of zero is returned as such, so that the caller deletes it.
    """
    if fill.side is Side.SELL:
        if position is None:
            return None
        left = max(Decimal(0), position.quantity - fill.quantity)
        return replace(position, quantity=left, owed_quantity=min(position.owed_quantity, left))
    added = received_quantity(fill)
    if position is None:
        return Position(
            account_id=account_id,
            symbol=fill.symbol,
            quantity=added,
            average_entry_price=fill.price,
            opened_at=fill.executed_at,
            highest_price=fill.price,
            exit_plan=exit_plan,
            signal_id=signal_id,
        )
    quantity = position.quantity + added
    average = (position.cost_quote + added * fill.price) / quantity
    return replace(
        position,
        quantity=quantity,
        average_entry_price=average,
        highest_price=max(position.highest_price, fill.price),
    )
