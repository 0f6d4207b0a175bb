"""Which order a client order id stands for."""

from __future__ import annotations

from paper_exchange.engine import Engine
from paper_exchange.orders import Order


class ClientOrders:
    """Orders by account and client order id. Read from the engine once an account, so it survives a restart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._order_ids: dict[str, dict[str, str]] = {}

    def find(self, account_id: str, client_order_id: str) -> Order | None:
        order_id = self._of(account_id).get(client_order_id)
        return None if order_id is None else self._engine.order(order_id)

    def note(self, order: Order) -> None:
        """Remember an order just placed."""
        if order.client_order_id is not None:
            self._of(order.account_id)[order.client_order_id] = order.order_id

    def _of(self, account_id: str) -> dict[str, str]:
        if account_id not in self._order_ids:
            known = (*self._engine.closed_orders(account_id), *self._engine.open_orders(account_id))
            self._order_ids[account_id] = {
                order.client_order_id: order.order_id for order in known if order.client_order_id is not None
            }
        return self._order_ids[account_id]
