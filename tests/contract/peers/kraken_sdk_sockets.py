"""python-kraken-sdk's socket client, with nothing changed but its addresses."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable
from typing import Any

from kraken.spot import SpotWSClient
from report import Report

SECONDS = 40.0
SYMBOL = "BTC/USD"
LIMIT = {"order_type": "limit", "side": "buy", "symbol": SYMBOL, "order_qty": 0.01, "limit_price": 20000.0}
MARKET = {"order_type": "market", "side": "buy", "symbol": SYMBOL, "order_qty": 0.001}
Message = dict[str, Any]


class Listener:
    """Keeps every message and waits for the one that is wanted."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._news = asyncio.Event()

    async def hear(self, message: Message) -> None:
        self.messages.append(message)
        self._news.set()

    async def first(self, wanted: Callable[[Message], Any], after: int = 0) -> Message:
        async with asyncio.timeout(SECONDS):
            while True:
                found = next((one for one in self.messages[after:] if wanted(one)), None)
                if found is not None:
                    return found
                self._news.clear()
                await self._news.wait()


async def run(report: Report) -> dict[str, Any]:
    options, heard, results = report.options, Listener(), {}
    client = SpotWSClient(
        key=options["api_key"], secret=options["api_secret"], callback=heard.hear, rest_url=options["url"],
        ws_url=options["ws"], auth_ws_url=options["ws_auth"],
    )  # fmt: skip
    async with client:
        for channel in ("ticker", "book", "trade", "ohlc"):
            await client.subscribe(params={"channel": channel, "symbol": [SYMBOL]})
        await client.subscribe(params={"channel": "instrument"})
        for channel in ("ticker", "book", "ohlc", "instrument"):
            await heard.first(lambda one, channel=channel: one.get("channel") == channel)
            results[channel] = True
        for channel in ("executions", "balances"):
            wishes = {"snap_trades": True} if channel == "executions" else {}
            await client.subscribe(params={"channel": channel, **wishes})
            snapshot = await heard.first(lambda one, channel=channel: one.get("channel") == channel)
            results[channel] = {name: snapshot[name] for name in ("type", "sequence")}
        results["market_buy"] = await _ask(client, heard, "add_order", MARKET, 1)
        results["filled"] = await heard.first(lambda one: _exec_type(one) == "filled")
        named = {**LIMIT, "cl_ord_id": options["client_order_id"]}
        results["limit_buy"] = await _ask(client, heard, "add_order", named, 2)
        order_id = results["limit_buy"]["result"]["order_id"]
        results["amend"] = await _ask(client, heard, "amend_order", {"order_id": order_id, "order_qty": 0.02}, 3)
        results["cancel"] = await _ask(client, heard, "cancel_order", {"order_id": [order_id]}, 4)
        results["too_expensive"] = await _ask(client, heard, "add_order", {**LIMIT, "order_qty": 100.0}, 5)
        results["pong"] = bool(await heard.first(lambda one: one.get("method") == "pong"))
        await _break_both(report, heard, results)
        results["market_buy_after"] = await _ask(client, heard, "add_order", MARKET, 6)
        results["subscriptions"] = [
            sorted(one["channel"] for one in client.active_public_subscriptions),
            sorted(one["channel"] for one in client.active_private_subscriptions),
        ]
    return results


async def _break_both(report: Report, heard: Listener, results: dict[str, Any]) -> None:
    """The exchange closes both connections; the client is to come back and subscribe again by itself."""
    after = len(heard.messages)
    for channel in ("heartbeat", "ticker"):
        body = f'{{"match":{{"endpoint":"ws/{channel}"}},"action":{{"kind":"close","code":1001}}}}'.encode()
        headers = {"X-Paper-Token": report.options["control_token"], "Content-Type": "application/json"}
        request = urllib.request.Request(report.options["control_url"] + "/faults", data=body, headers=headers)
        await asyncio.to_thread(lambda request=request: urllib.request.urlopen(request).read())
    for channel in ("executions", "balances", "book"):
        again = await heard.first(
            lambda one, channel=channel: one.get("channel") == channel and one.get("type") == "snapshot", after
        )
        results[f"{channel}_again"] = again.get("sequence", 1)


async def _ask(client: SpotWSClient, heard: Listener, method: str, params: Message, req_id: int) -> Message:
    await client.send_message({"method": method, "params": dict(params), "req_id": req_id})
    return await heard.first(lambda one: one.get("req_id") == req_id)


def _exec_type(message: Message) -> str | None:
    data = message.get("data")
    return data[0]["exec_type"] if message.get("channel") == "executions" and data else None


def main() -> None:
    report = Report()
    report.call("sockets", lambda: asyncio.run(run(report)))
    report.print()


if __name__ == "__main__":
    main()
