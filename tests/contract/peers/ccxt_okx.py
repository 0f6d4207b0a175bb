"""ccxt's OKX client, with nothing changed but its address."""

from __future__ import annotations

from typing import Any

import ccxt
from ccxt_calls import call_everything
from report import Report

SYMBOL = "BTC/USDT"


def _client(report: Report, **changed: str) -> Any:
    options = {**report.options, **changed}
    client = ccxt.okx(
        {
            "apiKey": options["api_key"],
            "secret": options["api_secret"],
            "password": options["passphrase"],
            "enableRateLimit": False,
        }
    )
    client.urls["api"]["rest"] = options["url"]
    return client


def main() -> None:
    report = Report()
    options = report.options
    client = _client(report)
    call_everything(report, client, {"clientOrderId": options["client_order_id"]}, symbol=SYMBOL)
    price = client.fetch_ticker(SYMBOL)["last"]
    unified(report, client, price)
    raw(report, client, price)
    report.call("bad_key", lambda: _client(report, api_key="none").fetch_balance())
    report.call("bad_secret", lambda: _client(report, api_secret=options["other_secret"]).fetch_balance())
    report.call("bad_passphrase", lambda: _client(report, passphrase="none").fetch_balance())
    report.print()


def unified(report: Report, client: Any, price: float) -> None:
    report.call("tickers", lambda: sorted(client.fetch_tickers([SYMBOL, "ETH/USDT"])))
    report.call("trading_fee", lambda: client.fetch_trading_fee(SYMBOL))
    report.call("deposits", lambda: client.fetch_deposits())
    report.call("withdrawals", lambda: client.fetch_withdrawals())
    report.call("status", client.fetch_status)
    report.call("currencies", lambda: len(client.fetch_currencies()))
    report.call("market_buy_with_cost", lambda: client.create_market_buy_order_with_cost(SYMBOL, 50))
    to_edit = report.call("to_edit", lambda: client.create_order(SYMBOL, "limit", "buy", 0.01, price * 0.9))
    report.call("edited", lambda: client.edit_order(to_edit["id"], SYMBOL, "limit", "buy", 0.02, price * 0.91))
    report.call("edited_shown", lambda: client.fetch_order(to_edit["id"], SYMBOL))
    report.call("cancel_some", lambda: client.cancel_orders([to_edit["id"]], SYMBOL))
    stop = {"stopLossPrice": price * 0.9}
    stopped = report.call("stop", lambda: client.create_order(SYMBOL, "market", "sell", 0.001, None, stop))
    report.call("stop_shown", lambda: client.fetch_order(stopped["id"], SYMBOL, {"trigger": True}))
    report.call("stops_open", lambda: client.fetch_open_orders(SYMBOL, params={"ordType": "conditional"}))
    report.call("cancel_stop", lambda: client.cancel_order(stopped["id"], SYMBOL, {"trigger": True}))
    report.call("transfer", lambda: client.transfer("USDT", 10, "spot", "funding"))
    report.call("ledger", lambda: client.fetch_ledger())
    report.call("funding", lambda: client.fetch_balance({"type": "funding"})["USDT"])


def raw(report: Report, client: Any, price: float) -> None:
    """The calls as the brokerage's pages name them, in texts that were formatted before."""
    order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "ioc", "sz": "0.001"}
    order |= {"px": str(round(price * 1.01, 1)), "clOrdId": "ccxtraw1"}
    client.headers = {"expTime": str(client.milliseconds() + 5000)}
    report.call("raw_order", lambda: client.private_post_trade_order(order))
    client.headers = {"expTime": str(client.milliseconds() - 5000)}
    report.call("raw_expired", lambda: client.private_post_trade_order({**order, "clOrdId": "ccxtraw2"}))
    client.headers = {}
    report.call("raw_shown", lambda: client.private_get_trade_order({"instId": "BTC-USDT", "clOrdId": "ccxtraw1"}))
    report.call("raw_unknown", lambda: client.private_get_trade_order({"instId": "BTC-USDT", "clOrdId": "ccxtraw2"}))


if __name__ == "__main__":
    main()
