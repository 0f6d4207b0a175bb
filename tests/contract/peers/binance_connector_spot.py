"""binance-connector's client, with nothing changed but its address."""

from __future__ import annotations

from typing import Any

from binance.error import ClientError, ServerError
from binance.spot import Spot
from report import Report

SYMBOL = "BTCUSDT"
TIMEOUT_SECONDS = 10


def _client(report: Report, key: str, secret: str) -> Any:
    return Spot(key, secret, base_url=report.options["url"], timeout=TIMEOUT_SECONDS, show_limit_usage=True)


def _error(action: Any) -> dict[str, Any]:
    """What the client made of an error: its class, and the parts it carries."""
    try:
        action()
    except ClientError as problem:
        return {
            "class": "ClientError",
            "status": problem.status_code,
            "code": problem.error_code,
            "text": problem.error_message,
        }
    except ServerError as problem:
        return {"class": "ServerError", "status": problem.status_code, "text": problem.message}
    return {"class": None}


def _read_market(report: Report, client: Any) -> None:
    report.call("ping", client.ping)
    report.call("time", client.time)
    report.call("exchange_info", lambda: client.exchange_info(symbol=SYMBOL))
    report.call("book_ticker", lambda: client.book_ticker(symbols=[SYMBOL, "ETHUSDT"]))
    report.call("ticker_price", lambda: client.ticker_price(SYMBOL))
    report.call("ticker_24hr", lambda: client.ticker_24hr(SYMBOL))
    report.call("avg_price", lambda: client.avg_price(SYMBOL))
    report.call("depth", lambda: client.depth(SYMBOL, limit=5))
    report.call("trades", lambda: client.trades(SYMBOL, limit=3))
    report.call("klines", lambda: client.klines(SYMBOL, "1m", limit=10))


def _trade(report: Report, client: Any) -> None:
    market = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "newClientOrderId": "connector-1"}
    report.call("market_buy", lambda: client.new_order(quantity="0.01", **market))
    report.call("market_buy_again", lambda: client.new_order(quantity="0.01", **market))
    report.call("shown", lambda: client.get_order(SYMBOL, origClientOrderId="connector-1"))
    limit = {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.02",
        "price": "40000.0", "newClientOrderId": "connector-2",
    }  # fmt: skip
    report.call("limit_buy", lambda: client.new_order(**limit))
    report.call("duplicate", lambda: _error(lambda: client.new_order(**limit)))
    report.call("open_orders", lambda: client.get_open_orders(SYMBOL))
    report.call("cancel", lambda: client.cancel_order(SYMBOL, origClientOrderId="connector-2"))
    report.call("cancel_again", lambda: _error(lambda: client.cancel_order(SYMBOL, origClientOrderId="connector-2")))
    report.call("unknown", lambda: _error(lambda: client.get_order(SYMBOL, origClientOrderId="nobody")))
    report.call("orders", lambda: client.get_orders(SYMBOL))
    report.call("my_trades", lambda: client.my_trades(SYMBOL))
    report.call("float_quantity", lambda: _error(lambda: client.new_order(quantity=0.00001, **market)))
    report.call("test_order", lambda: client.new_order_test(quantity="0.01", **market))


def _read_account(report: Report, client: Any) -> None:
    report.call("account", lambda: client.account(omitZeroBalances="true"))
    report.call("commission", lambda: client.query_commission_rates(SYMBOL))
    report.call("order_counts", client.get_order_rate_limit)
    report.call("system_status", client.system_status)
    report.call("api_key_permissions", client.api_key_permissions)
    report.call("deposits", client.deposit_history)
    report.call("withdrawals", client.withdraw_history)
    report.call("distributions", lambda: client.asset_dividend_record(limit=10))
    report.call("dust", client.dust_log)
    report.call("transfers", lambda: client.user_universal_transfer_history("MAIN_FUNDING"))
    report.call("coins", lambda: len(client.coin_info()["data"]))


def main() -> None:
    report = Report()
    options = report.options
    client = _client(report, options["api_key"], options["api_secret"])
    _read_market(report, client)
    _trade(report, client)
    _read_account(report, client)
    forged = _client(report, options["api_key"], options["other_secret"])
    report.call("bad_secret", lambda: _error(forged.account))
    unknown = _client(report, "A" * 64, options["other_secret"])
    report.call("bad_key", lambda: _error(unknown.account))
    report.print()


if __name__ == "__main__":
    main()
