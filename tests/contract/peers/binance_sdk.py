"""binance-sdk-spot's client, with nothing changed but its address."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketAPI
from binance_common.errors import Error
from binance_sdk_spot.spot import Spot
from report import Report

SYMBOL = "BTCUSDT"
TIMEOUT_MILLISECONDS = 10_000
EVENT_SECONDS = 20.0


class Complaints(logging.Handler):
    """Keeps what the client logs: it warns of replies that do not fit its own models."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage()[:500])


def _client(report: Report, key: str, secret: str) -> Any:
    configuration = ConfigurationRestAPI(
        api_key=key, api_secret=secret, base_path=report.options["url"], timeout=TIMEOUT_MILLISECONDS
    )
    return Spot(config_rest_api=configuration).rest_api


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if getattr(value, "actual_instance", None) is not None:
        return _plain(value.actual_instance)
    return value.to_dict() if hasattr(value, "to_dict") else value


def _call(report: Report, name: str, action: Callable[[], Any]) -> Any:
    return report.call(name, lambda: _plain(action().data()))


def _error(action: Callable[[], Any]) -> dict[str, Any]:
    """What the client made of an error; its ``status_code`` holds the venue's code."""
    try:
        action()
    except Error as problem:
        return {"class": type(problem).__name__, "code": getattr(problem, "status_code", None), "text": str(problem)}
    return {"class": None}


def _read_market(report: Report, client: Any) -> None:
    _call(report, "ping", client.ping)
    _call(report, "time", client.time)
    _call(report, "exchange_info", lambda: client.exchange_info(symbols=[SYMBOL, "ETHUSDT"]))
    _call(report, "book_ticker", lambda: client.ticker_book_ticker(symbol=SYMBOL))
    _call(report, "ticker_price", lambda: client.ticker_price(symbol=SYMBOL))
    _call(report, "ticker_24hr", lambda: client.ticker24hr(symbol=SYMBOL))
    _call(report, "avg_price", lambda: client.avg_price(symbol=SYMBOL))
    _call(report, "depth", lambda: client.depth(symbol=SYMBOL, limit=5))
    _call(report, "trades", lambda: client.get_trades(symbol=SYMBOL, limit=3))
    _call(report, "klines", lambda: client.klines(symbol=SYMBOL, interval="1m", limit=10))


def _trade(report: Report, client: Any) -> None:
    def market(**more: Any) -> Any:
        return client.new_order(symbol=SYMBOL, side="BUY", type="MARKET", **more)

    def limit() -> Any:
        return client.new_order(
            symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity="0.02", price="40000.0",
            new_client_order_id="sdk-2",
        )  # fmt: skip

    _call(report, "market_buy", lambda: market(quantity="0.01", new_client_order_id="sdk-1"))
    _call(report, "market_buy_by_money", lambda: market(quote_order_qty="100"))
    _call(report, "shown", lambda: client.get_order(symbol=SYMBOL, orig_client_order_id="sdk-1"))
    _call(report, "limit_buy", limit)
    report.call("duplicate", lambda: _error(limit))
    _call(report, "open_orders", lambda: client.get_open_orders(symbol=SYMBOL))
    _call(report, "replaced", lambda: _replace(client))
    _call(report, "cancel", lambda: client.delete_order(symbol=SYMBOL, orig_client_order_id="sdk-3"))
    report.call("unknown", lambda: _error(lambda: client.get_order(symbol=SYMBOL, orig_client_order_id="nobody")))
    report.call("too_dear", lambda: _error(lambda: market(quantity="1000")))
    report.call("too_small", lambda: _error(lambda: market(quantity="0.00000001")))
    _call(report, "all_orders", lambda: client.all_orders(symbol=SYMBOL))
    _call(report, "my_trades", lambda: client.my_trades(symbol=SYMBOL))
    _call(report, "account", lambda: client.get_account(omit_zero_balances=True))
    _call(report, "commission", lambda: client.account_commission(symbol=SYMBOL))
    _call(report, "order_counts", client.rate_limit_order)


def _replace(client: Any) -> Any:
    return client.order_cancel_replace(
        symbol=SYMBOL, side="BUY", type="LIMIT", cancel_replace_mode="STOP_ON_FAILURE", time_in_force="GTC",
        quantity="0.02", price="41000.0", cancel_orig_client_order_id="sdk-2", new_client_order_id="sdk-3",
    )  # fmt: skip


async def _watch(report: Report) -> list[dict[str, Any]]:
    """What the client makes of an account's stream while an order is placed over the same connection."""
    options = report.options
    configuration = ConfigurationWebSocketAPI(
        api_key=options["api_key"], api_secret=options["api_secret"], stream_url=options["ws_auth"] + "/ws-api/v3"
    )
    connection = await Spot(config_ws_api=configuration).websocket_api.create_connection()
    events: asyncio.Queue[Any] = asyncio.Queue()
    answer = await connection.user_data_stream_subscribe_signature()
    answer.stream.on("message", events.put_nowait)
    order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.001", "new_client_order_id": "sdk-ws"}
    placed = _plain((await connection.order_place(**order)).data())
    report.call("placed_over_the_socket", lambda: placed)
    seen = [_plain(await asyncio.wait_for(events.get(), EVENT_SECONDS)) for _ in range(4)]
    await connection.close_connection(close_session=True)
    return seen


def main() -> None:
    report = Report()
    options = report.options
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    client = _client(report, options["api_key"], options["api_secret"])
    _read_market(report, client)
    report.call("events", lambda: asyncio.run(_watch(report)))
    _trade(report, client)
    report.call("bad_secret", lambda: _error(_client(report, options["api_key"], options["other_secret"]).get_account))
    report.call("bad_key", lambda: _error(_client(report, "A" * 64, options["other_secret"]).get_account))
    report.call("complaints", lambda: complaints.texts)
    report.print()


if __name__ == "__main__":
    main()
