"""Which orders a client order id has stood for: it is unique only among open orders, so there may be several."""

from __future__ import annotations

from collections import defaultdict

from paper_exchange.engine import Engine
from paper_exchange.orders import Order


class ClientOrders:
    """Orders by account and client order id. Read from the engine once an account, so it survives a restart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._order_ids: dict[str, defaultdict[str, list[str]]] = {}

    def find(self, account_id: str, client_order_id: str) -> list[Order]:
        """All orders that had the id, the newest first."""
        order_ids = self._of(account_id).get(client_order_id, [])
        return [self._engine.order(order_id) for order_id in reversed(order_ids)]

    def note(self, order: Order) -> None:
        """Remember an order just placed."""
        if order.client_order_id is not None:
            order_ids = self._of(order.account_id)[order.client_order_id]
            if order.order_id not in order_ids:
                order_ids.append(order.order_id)

    def _of(self, account_id: str) -> defaultdict[str, list[str]]:
        if account_id not in self._order_ids:
            known = [*self._engine.closed_orders(account_id), *self._engine.open_orders(account_id)]
            found: defaultdict[str, list[str]] = defaultdict(list)
            for order in sorted(known, key=lambda order: order.sequence):
                if order.client_order_id is not None:
                    found[order.client_order_id].append(order.order_id)
            self._order_ids[account_id] = found
        return self._order_ids[account_id]
