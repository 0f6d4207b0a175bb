"""ccxt's Coinbase client, with nothing changed but its address."""

from __future__ import annotations

from typing import Any

import ccxt
from ccxt_calls import SYMBOL, call_everything
from report import Report


def _client(report: Report, key: str, secret: str) -> Any:
    client = ccxt.coinbase({"apiKey": key, "secret": secret, "enableRateLimit": False})
    client.urls["api"]["rest"] = report.options["url"]
    return client


def main() -> None:
    report = Report()
    options = report.options
    client = _client(report, options["api_key"], options["api_secret"])
    # ccxt drops its own clientOrderId here and sends a random one, unless the parameter has the venue's name.
    call_everything(report, client, {"client_order_id": options["client_order_id"]})
    report.call("bids_asks", lambda: sorted(client.fetch_bids_asks([SYMBOL, "ETH/USD"])))
    report.call("accounts", lambda: sorted(account["code"] for account in client.fetch_accounts()))
    report.call("balance_by_the_older_endpoint", lambda: client.fetch_balance()["USD"])
    report.call("deposits", lambda: client.fetch_deposits("USD"))
    report.call("ledger", lambda: client.fetch_ledger("USD"))
    report.call("market_buy_with_cost", lambda: client.create_market_buy_order_with_cost(SYMBOL, 50))
    last = client.fetch_ticker(SYMBOL)["bid"]
    stop = {"stopPrice": last * 0.9, "stop_direction": "STOP_DIRECTION_STOP_DOWN"}
    stopped = report.call("stop_limit", lambda: client.create_order(SYMBOL, "limit", "sell", 0.001, last * 0.89, stop))
    report.call("stop_limit_shown", lambda: client.fetch_order(stopped["id"], SYMBOL))
    report.call(
        "post_only_crossing",
        lambda: client.create_order(SYMBOL, "limit", "buy", 0.001, last * 1.1, {"postOnly": True}),
    )
    report.call("orders", lambda: [order["id"] for order in client.fetch_orders(SYMBOL)])
    report.call("canceled_orders", lambda: client.fetch_canceled_orders(SYMBOL))
    report.call("bad_key", lambda: _client(report, options["unknown_key"], options["api_secret"]).fetch_balance())
    report.call("bad_secret", lambda: _client(report, options["api_key"], options["other_secret"]).fetch_balance())
    report.print()


if __name__ == "__main__":
    main()
