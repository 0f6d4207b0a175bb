"""ccxt's Binance client, with nothing changed but its addresses and that it reads the spot markets only."""

from __future__ import annotations

from typing import Any

import ccxt
from ccxt_calls import call_everything
from report import Report

SYMBOL = "BTC/USDT"
REAL_HOST = "https://api.binance.com"


def _client(report: Report, key: str, secret: str) -> Any:
    client = ccxt.binance(
        {"apiKey": key, "secret": secret, "enableRateLimit": False, "options": {"fetchMarkets": {"types": ["spot"]}}}
    )
    urls = client.urls["api"]
    for name in ("public", "private", "sapi"):
        urls[name] = urls[name].replace(REAL_HOST, report.options["url"])
    return client


def _call_the_rest(report: Report, client: Any) -> None:
    last = client.fetch_ticker(SYMBOL)["bid"]
    report.call("bids_asks", lambda: sorted(client.fetch_bids_asks([SYMBOL, "ETH/USDT"])))
    report.call("tickers", lambda: sorted(client.fetch_tickers([SYMBOL, "ETH/USDT"])))
    report.call("currencies", lambda: len(client.fetch_currencies()))
    report.call("status", client.fetch_status)
    report.call("trading_fee", lambda: client.fetch_trading_fee(SYMBOL))
    report.call("deposits", lambda: client.fetch_deposits("USDT"))
    report.call("withdrawals", lambda: client.fetch_withdrawals("USDT"))
    report.call("distributions", lambda: client.sapi_get_asset_assetdividend({"limit": 500}))
    report.call("dust", client.fetch_my_dust_trades)
    report.call("transfers", lambda: client.fetch_transfers(params={"type": "FUNDING_MAIN"}))
    report.call("converted", lambda: client.fetch_convert_trade_history(None, client.milliseconds() - 60_000))
    report.call("market_buy_with_cost", lambda: client.create_market_buy_order_with_cost(SYMBOL, 50))
    stop = {"stopPrice": last * 0.9}
    report.call("stop_loss", lambda: client.create_order(SYMBOL, "STOP_LOSS", "sell", 0.001, None, stop))
    report.call("stop_limit", lambda: client.create_order(SYMBOL, "limit", "sell", 0.001, last * 0.89, stop))
    report.call(
        "post_only_crossing",
        lambda: client.create_order(SYMBOL, "limit", "buy", 0.001, last * 1.1, {"postOnly": True}),
    )
    report.call("orders", lambda: [order["id"] for order in client.fetch_orders(SYMBOL)])
    report.call("cancel_all", lambda: [order["id"] for order in client.cancel_all_orders(SYMBOL)])


def main() -> None:
    report = Report()
    options = report.options
    client = _client(report, options["api_key"], options["api_secret"])
    call_everything(
        report, client, {"newClientOrderId": options["client_order_id"]}, symbol=SYMBOL, unknown="123456789"
    )
    _call_the_rest(report, client)
    report.call("bad_key", lambda: _client(report, "A" * 64, options["api_secret"]).fetch_balance())
    report.call("bad_secret", lambda: _client(report, options["api_key"], options["other_secret"]).fetch_balance())
    report.print()


if __name__ == "__main__":
    main()
