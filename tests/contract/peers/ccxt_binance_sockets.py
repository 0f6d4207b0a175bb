"""ccxt.pro's Binance client watching an account, with nothing changed but its addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import ccxt.pro
from report import Report

SECONDS = 40.0
SYMBOL = "BTC/USDT"
REAL_HOST = "https://api.binance.com"


def _client(report: Report) -> Any:
    options = report.options
    client = ccxt.pro.binance(
        {
            "apiKey": options["api_key"],
            "secret": options["api_secret"],
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["spot"]}},
        }
    )
    urls = client.urls["api"]
    for name in ("public", "private", "sapi"):
        urls[name] = urls[name].replace(REAL_HOST, options["url"])
    urls["ws"]["ws-api"]["spot"] = options["ws_auth"] + "/ws-api/v3"
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
        await client.authenticate()
        watched = {
            "orders": asyncio.ensure_future(client.watch_orders(SYMBOL)),
            "my_trades": asyncio.ensure_future(client.watch_my_trades(SYMBOL)),
            "balance": asyncio.ensure_future(client.watch_balance()),
        }
        await asyncio.sleep(0)
        await note("placed", client.create_order(SYMBOL, "market", "buy", 0.01))
        for name, work in watched.items():
            await note(name, work)
    finally:
        await client.close()
    return results


def main() -> None:
    report = Report()
    report.call("sockets", lambda: asyncio.run(run(report)))
    report.print()


if __name__ == "__main__":
    main()
