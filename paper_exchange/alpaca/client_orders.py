"""Which order a client order id stands for, for good: an id is never free again, not even of a canceled order."""

from __future__ import annotations

from paper_exchange.alpaca.order_terms import Terms
from paper_exchange.engine import Engine
from paper_exchange.orders import Order


class ClientOrders:
    """Orders by account and client order id, and by the order that they replace.

    Read from the engine once an account, so both survive a restart.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._order_ids: dict[str, dict[str, str]] = {}
        self._replacements: dict[str, str] = {}

    def find(self, account_id: str, client_order_id: str) -> Order | None:
        order_id = self._of(account_id).get(client_order_id)
        return None if order_id is None else self._engine.order(order_id)

    def note(self, order: Order) -> None:
        """Remember an order just placed."""
        self._add(self._of(order.account_id), order)

    def replacement_of(self, order: Order) -> str | None:
        """The id of the order that took another's place."""
        self._of(order.account_id)
        return self._replacements.get(order.order_id)

    def _of(self, account_id: str) -> dict[str, str]:
        if account_id not in self._order_ids:
            known: dict[str, str] = {}
            for order in (*self._engine.closed_orders(account_id), *self._engine.open_orders(account_id)):
                self._add(known, order)
            self._order_ids[account_id] = known
        return self._order_ids[account_id]

    def _add(self, known: dict[str, str], order: Order) -> None:
        if order.client_order_id is not None:
            known[order.client_order_id] = order.order_id
        replaced = Terms.of(order.new).replaces
        if replaced is not None:
            self._replacements[replaced] = order.order_id
