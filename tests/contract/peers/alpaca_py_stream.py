"""alpaca-py's stream of trade updates, with nothing changed but its addresses."""

from __future__ import annotations

import queue
import threading
from typing import Any

from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest
from alpaca.trading.stream import TradingStream
from report import Report

SECONDS = 30.0
PROBE_SECONDS = 0.3
MOST_PROBES = 100


class Listener:
    """Keeps the updates in the order in which the library hands them over."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.updates: queue.Queue[Any] = queue.Queue()
        stream = TradingStream(options["api_key"], options["api_secret"], url_override=options["stream_url"])
        stream.subscribe_trade_updates(self._take)
        threading.Thread(target=stream.run, daemon=True).start()

    async def _take(self, update: Any) -> None:
        self.updates.put(update)

    def until(self, client_order_id: str, event: str) -> list[dict[str, Any]]:
        """What is told of an order up to an event."""
        found: list[dict[str, Any]] = []
        while not found or found[-1]["event"] != event:
            update = self.updates.get(timeout=SECONDS).model_dump(mode="json")
            if update["order"]["client_order_id"] == client_order_id:
                found.append(update)
        return found


def _order(client_order_id: str, price: float) -> LimitOrderRequest:
    return LimitOrderRequest(
        symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=price,
        client_order_id=client_order_id,
    )  # fmt: skip


def wait_until_it_listens(client: TradingClient, listener: Listener) -> int:
    """The library doesn't say when it does: orders are placed until one is told of."""
    for number in range(MOST_PROBES):
        client.submit_order(_order(f"probe-{number}", 150))
        try:
            listener.updates.get(timeout=PROBE_SECONDS)
            return number
        except queue.Empty:
            continue
    raise TimeoutError("the stream tells nothing")


def main() -> None:
    report = Report()
    options = report.options
    client = TradingClient(options["api_key"], options["api_secret"], url_override=options["url"])
    listener = Listener(options)
    report.call("probes", lambda: wait_until_it_listens(client, listener))
    resting = client.submit_order(_order("rests", 151))
    client.cancel_order_by_id(resting.id)
    report.call("canceled", lambda: listener.until("rests", "canceled"))
    client.cancel_orders()
    bought = MarketOrderRequest(
        symbol="AAPL", qty=2, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="fills"
    )
    client.submit_order(bought)
    report.call("filled", lambda: listener.until("fills", "fill"))
    report.print()


if __name__ == "__main__":
    main()
