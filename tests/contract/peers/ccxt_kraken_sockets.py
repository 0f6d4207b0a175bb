"""ccxt.pro's Kraken client, with nothing changed but its addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import ccxt.pro
from report import Report

SECONDS = 40.0
SYMBOL = "BTC/USD"


def _client(report: Report) -> Any:
    options = report.options
    client = ccxt.pro.kraken({"apiKey": options["api_key"], "secret": options["api_secret"], "enableRateLimit": False})
    for part in ("public", "private"):
        client.urls["api"][part] = options["url"]
    client.urls["api"]["ws"]["publicV2"] = options["ws"] + "/v2"
    client.urls["api"]["ws"]["privateV2"] = options["ws_auth"] + "/v2"
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
        ticker = await note("ticker", client.watch_ticker(SYMBOL))
        await note("trades", client.watch_trades(SYMBOL))
        await note("candles", client.watch_ohlcv(SYMBOL, "1m"))
        for name in ("book", "book_later"):
            book = await note(name, client.watch_order_book(SYMBOL))
            results[name] = {side: book[side][:3] for side in ("bids", "asks")} if "bids" in book else book
        await note("tickers", client.watch_tickers([SYMBOL, "ETH/USD"]))
        await note("balance", client.watch_balance())
        orders = asyncio.ensure_future(client.watch_orders(SYMBOL))
        trades = asyncio.ensure_future(client.watch_my_trades(SYMBOL))
        low = round(ticker["last"] * 0.8, 1)
        name = report.options["client_order_id"]
        resting = await note(
            "limit_buy", client.create_order_ws(SYMBOL, "limit", "buy", 0.01, low, {"clientOrderId": name})
        )
        await note("orders", orders)
        await note("edit", client.edit_order_ws(resting["id"], SYMBOL, "limit", "buy", 0.02, low))
        await note("cancel", client.cancel_order_ws(resting["id"]))
        await note("market_buy", client.create_order_ws(SYMBOL, "market", "buy", 0.001))
        await note("my_trades", trades)
        await note("too_expensive", client.create_order_ws(SYMBOL, "limit", "buy", 100, low))
        await note("cancel_unknown", client.cancel_order_ws("OAAAAA-BBBBB-CCCCCC"))
        await note("cancel_all", client.cancel_all_orders_ws())
    finally:
        await client.close()
    return results


def main() -> None:
    report = Report()
    report.call("sockets", lambda: asyncio.run(run(report)))
    report.print()


if __name__ == "__main__":
    main()
