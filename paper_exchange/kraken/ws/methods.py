"""The trading methods of the sockets and the permissions that open them."""

from __future__ import annotations

from dataclasses import dataclass

from paper_exchange.kraken.front import CANCEL, MODIFY
from paper_exchange.kraken.ws import changing, trading


@dataclass(frozen=True, slots=True)
class Method:
    """A trading method: any one of ``permissions`` opens it, or only all of them."""

    trade: trading.Trade
    permissions: tuple[str, ...]
    needs_all: bool = False

    def opens_to(self, permissions: frozenset[str]) -> bool:
        held = [name in permissions for name in self.permissions]
        return all(held) if self.needs_all else any(held)


TRADES = {
    "add_order": Method(trading.add_order, (MODIFY,)),
    "batch_add": Method(trading.batch_add, (MODIFY, CANCEL), needs_all=True),
    "amend_order": Method(changing.amend_order, (MODIFY, CANCEL)),
    "edit_order": Method(changing.edit_order, (MODIFY, CANCEL), needs_all=True),
    "cancel_order": Method(trading.cancel_order, (MODIFY, CANCEL)),
    "cancel_all": Method(trading.cancel_all, (MODIFY, CANCEL)),
    "cancel_all_orders_after": Method(changing.cancel_all_orders_after, (MODIFY, CANCEL)),
    "batch_cancel": Method(trading.batch_cancel, (MODIFY, CANCEL)),
}
