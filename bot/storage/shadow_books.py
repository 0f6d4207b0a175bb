"""What a shadow user would hold: its answers, traded at the master's prices and without fees."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import Connection, bindparam, select

from bot.domain.order import Side
from bot.domain.signal import CopyReason, CopyStatus
from bot.domain.symbol import quote_of
from bot.storage.schema import copy_result, signal

_ZERO = Decimal(0)
_ANSWERED = (
    select(
        copy_result.c.account_id,
        signal.c.symbol,
        signal.c.side,
        signal.c.reference_price,
        copy_result.c.planned_quantity,
    )
    .join(signal, signal.c.signal_id == copy_result.c.signal_id)
    .where(
        copy_result.c.account_id.in_(bindparam("accounts", expanding=True)),
        copy_result.c.status == str(CopyStatus.SKIPPED),
        copy_result.c.reason == str(CopyReason.SHADOW),
        copy_result.c.planned_quantity.is_not(None),
    )
    .order_by(signal.c.sequence)
)


@dataclass
class ShadowBook:
    """`spent` by quote currency (less what sales brought), `units` and their `costs` by symbol; none of it is real."""

    spent: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    units: dict[str, Decimal] = field(default_factory=dict)
    costs: dict[str, Decimal] = field(default_factory=dict)

    def take(self, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> None:
        """Trade in thought."""
        held, cost = self.units.get(symbol, _ZERO), self.costs.get(symbol, _ZERO)
        if side is Side.BUY:
            self._hold(symbol, held + quantity, cost + quantity * price)
            self.spent[quote_of(symbol)] += quantity * price
            return
        sold = min(quantity, held)
        self._hold(symbol, held - sold, cost - cost * sold / held if held else _ZERO)
        self.spent[quote_of(symbol)] -= sold * price

    def _hold(self, symbol: str, quantity: Decimal, cost: Decimal) -> None:
        if quantity > 0:
            self.units[symbol], self.costs[symbol] = quantity, cost
        else:
            self.units.pop(symbol, None)
            self.costs.pop(symbol, None)


def shadow_books(connection: Connection, accounts: Sequence[str]) -> Mapping[str, ShadowBook]:
    """A book for each of these accounts, from all of its answers."""
    books = {label: ShadowBook() for label in accounts}
    if books:
        for row in connection.execute(_ANSWERED, {"accounts": list(books)}):
            books[row.account_id].take(row.symbol, Side(row.side), row.planned_quantity, row.reference_price)
    return books
