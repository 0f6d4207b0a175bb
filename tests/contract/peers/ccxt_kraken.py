"""ccxt's Kraken client, with nothing changed but its addresses."""

from __future__ import annotations

from typing import Any

import ccxt
from ccxt_calls import SYMBOL, call_everything
from report import Report


def _client(report: Report, key: str, secret: str) -> Any:
    client = ccxt.kraken({"apiKey": key, "secret": secret, "enableRateLimit": False})
    for part in ("public", "private"):
        client.urls["api"][part] = report.options["url"]
    return client


def _batch(price: float) -> list[dict[str, Any]]:
    order = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01}
    return [{**order, "price": round(price * share, 1)} for share in (0.9, 0.8)]


def main() -> None:
    report = Report()
    options = report.options
    client = _client(report, options["api_key"], options["api_secret"])
    call_everything(report, client, {"clientOrderId": options["client_order_id"]})
    report.call("trading_fee", lambda: client.fetch_trading_fee(SYMBOL))
    report.call("ledger", lambda: client.fetch_ledger())
    report.call("status", lambda: client.fetch_status())
    report.call("tickers", lambda: sorted(client.fetch_tickers([SYMBOL, "ETH/USD"])))
    price = client.fetch_ticker(SYMBOL)["bid"] * 0.8
    report.call("post_only", lambda: client.create_order(SYMBOL, "limit", "buy", 0.01, price, {"postOnly": True}))
    edited = report.call("to_edit", lambda: client.create_order(SYMBOL, "limit", "buy", 0.01, price))
    report.call("edit", lambda: client.edit_order(edited["id"], SYMBOL, "limit", "buy", 0.02, round(price * 0.9, 1)))
    report.call("edited_shown", lambda: client.fetch_order(edited["id"], SYMBOL))
    report.call("batch", lambda: client.create_orders(_batch(price)))
    report.call("cancel_some", lambda: client.cancel_orders([edited["id"]]))
    report.call("switch", lambda: client.cancel_all_orders_after(60_000))
    report.call("switch_off", lambda: client.cancel_all_orders_after(0))
    report.call("deposits", lambda: client.fetch_deposits("USD"))
    report.call("ledger_entry", lambda: client.fetch_ledger_entry(client.fetch_ledger()[0]["id"]))
    report.call("cancel_all", lambda: client.cancel_all_orders())
    report.call("open_orders_after_cancel_all", lambda: client.fetch_open_orders())
    report.call("market_buy_with_cost", lambda: client.create_market_buy_order_with_cost(SYMBOL, 50))
    report.call("bad_key", lambda: _client(report, "unknown", options["api_secret"]).fetch_balance())
    report.call("bad_secret", lambda: _client(report, options["api_key"], options["other_secret"]).fetch_balance())
    report.print()


if __name__ == "__main__":
    main()
