"""ccxt.pro's OKX client, with nothing changed but its addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import ccxt.pro
from report import Report

SECONDS = 40.0
SYMBOL = "BTC/USDT"


def _client(report: Report) -> Any:
    options = report.options
    client = ccxt.pro.okx(
        {
            "apiKey": options["api_key"],
            "secret": options["api_secret"],
            "password": options["passphrase"],
            "enableRateLimit": False,
        }
    )
    client.urls["api"]["rest"] = options["url"]
    client.urls["api"]["ws"] = options["ws_auth"] + "/ws/v5"
    return client


async def run(report: Report) -> dict[str, Any]:
    client, results = _client(report), {}

    async def note(name: str, work: Awaitable[Any]) -> Any:
        try:
            results[name] = await asyncio.wait_for(work, SECONDS)
        except Exception as problem:  # noqa: BLE001 - whatever a client raises is what the test wants to see
            results[name] = {"error": type(problem).__name__, "message": str(problem)[:500]}
        return results[name]

    try:
        await client.load_markets()
        await note("balance", client.watch_balance())
        low = 41000
        orders = asyncio.ensure_future(client.watch_orders(SYMBOL))
        await asyncio.sleep(0)
        name = report.options["client_order_id"]
        resting = await note(
            "limit_buy", client.create_order_ws(SYMBOL, "limit", "buy", 0.01, low, {"clientOrderId": name})
        )
        # The client changes the orders that it has given out; what it said first is what counts.
        results["orders"] = [dict(order) for order in await note("orders", orders)]
        await note("edit", client.edit_order_ws(resting["id"], SYMBOL, "limit", "buy", 0.02, low))
        await note("cancel", client.cancel_order_ws(resting["id"], SYMBOL))
        trades = asyncio.ensure_future(client.watch_my_trades(SYMBOL))
        await note("market_buy", client.create_order_ws(SYMBOL, "market", "buy", 0.001))
        await note("my_trades", trades)
        await note("too_expensive", client.create_order_ws(SYMBOL, "limit", "buy", 100, low))
        await note("cancel_unknown", client.cancel_order_ws("1", SYMBOL))
    finally:
        await client.close()
    return results


def main() -> None:
    report = Report()
    for name, result in asyncio.run(run(report)).items():
        report.call(name, lambda result=result: result)
    report.print()


if __name__ == "__main__":
    main()
