"""Rows of costs: an operator's dated word on what coins cost that no trade of ours has bought. They only grow."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, insert, select

from bot.books.entries import CostEntry
from bot.storage.schema import cost_entry

_OF_ACCOUNT = select(cost_entry).where(cost_entry.c.account_id == bindparam("account_id")).order_by(cost_entry.c.id)
_ADD = insert(cost_entry)


@dataclass(frozen=True, kw_only=True)
class WrittenCost:
    """`cost` is for all of `quantity` (units of `asset`), in `currency`. `sequence` is 0 until it is written."""

    account_id: str
    asset: str
    quantity: Decimal
    cost: Decimal
    currency: str
    acquired_at: datetime
    said_by: str
    reason: str
    written_at: datetime
    sequence: int = 0

    @property
    def entry(self) -> CostEntry:
        """As the books take it."""
        return CostEntry(
            asset=self.asset,
            quantity=self.quantity,
            cost=self.cost,
            currency=self.currency,
            acquired_at=self.acquired_at,
            entry_id=f"{self.sequence:012d}",
        )

    def __post_init__(self) -> None:
        if self.quantity <= 0 or self.cost < 0:
            raise ValueError(f"{self.asset}: a quantity of {self.quantity} at a cost of {self.cost} says nothing")
        if self.acquired_at.tzinfo is None:
            raise ValueError(f"{self.asset}: a time without a zone")
        if not self.said_by or not self.reason:
            raise ValueError(f"{self.asset}: who says it, and from where it is known, must be said")


def add_cost(connection: Connection, cost: WrittenCost) -> None:
    """Write a cost down; days that it is about are computed anew by the account's own thread."""
    values = asdict(cost)
    del values["sequence"]
    connection.execute(_ADD, values)


def costs_of(connection: Connection, account_id: str) -> Sequence[WrittenCost]:
    """In the order in which they were written."""
    rows = connection.execute(_OF_ACCOUNT, {"account_id": account_id})
    return [
        WrittenCost(**{name: value for name, value in row._mapping.items() if name != "id"}, sequence=row.id)
        for row in rows
    ]
