"""Which orders a client order id stands for.

OKX knows the id of a live order only once; when the order is gone the id may be used again, and a query gives the
latest that had it. Algo orders have ids of their own, which may equal those of orders.
"""

from __future__ import annotations

from collections import defaultdict

from paper_exchange.engine import Engine
from paper_exchange.okx.algo_ids import is_algo
from paper_exchange.orders import Order


class ClientIds:
    """Orders by account and client order id. Read from the engine once an account, so it survives a restart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._order_ids: dict[tuple[str, bool], defaultdict[str, list[str]]] = {}

    def orders(self, account_id: str, client_id: str, *, algo: bool = False) -> list[Order]:
        """All that had the id, the latest first."""
        known = self._of(account_id, algo).get(client_id, ())
        return [self._engine.order(order_id) for order_id in reversed(known)]

    def live(self, account_id: str, client_id: str, *, algo: bool = False) -> Order | None:
        """The one that has it now; of an algo order, as long as it waits for its trigger."""
        for order in self.orders(account_id, client_id, algo=algo)[:1]:
            if order.is_live and not (algo and order.triggered_at_ns):
                return order
        return None

    def note(self, order: Order) -> None:
        """Remember an order just placed."""
        ids = self._of(order.account_id, is_algo(order))
        if order.client_order_id is not None and order.order_id not in ids[order.client_order_id]:
            ids[order.client_order_id].append(order.order_id)

    def _of(self, account_id: str, algo: bool) -> defaultdict[str, list[str]]:
        if (account_id, algo) not in self._order_ids:
            ids: defaultdict[str, list[str]] = defaultdict(list)
            known = (*self._engine.closed_orders(account_id), *self._engine.open_orders(account_id))
            for order in sorted(known, key=lambda order: order.opened_at_ns):
                if order.client_order_id is not None and is_algo(order) is algo:
                    ids[order.client_order_id].append(order.order_id)
            self._order_ids[account_id, algo] = ids
        return self._order_ids[account_id, algo]
