"""alpaca-py, with nothing changed but its addresses; it sends a POST again by itself when it is answered 504."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from alpaca.common.exceptions import APIError
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
)
from report import Report

BUY, SELL, DAY, GTC, IOC = OrderSide.BUY, OrderSide.SELL, TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC


def shown(model: Any) -> Any:
    """What a model of the library holds, as JSON."""
    return model.model_dump(mode="json")


def refusal(action: Any) -> dict[str, object]:
    """Status, code and message of the APIError that a call must raise."""
    try:
        return {"accepted": shown(action())}
    except APIError as problem:
        return {"status": problem.status_code, "code": problem.code, "message": problem.message}


def limit(client_order_id: str, price: float, **more: Any) -> LimitOrderRequest:
    terms = {"symbol": "AAPL", "qty": 1, "side": BUY, "time_in_force": GTC, "limit_price": price, **more}
    return LimitOrderRequest(client_order_id=client_order_id, **terms)


def market(client_order_id: str, **more: Any) -> MarketOrderRequest:
    terms = {"symbol": "AAPL", "side": BUY, "time_in_force": DAY, **more}
    return MarketOrderRequest(client_order_id=client_order_id, **terms)


def read_everything(report: Report, client: TradingClient) -> None:
    report.call("account", lambda: shown(client.get_account()))
    report.call("configurations", lambda: shown(client.get_account_configurations()))
    report.call("clock", lambda: shown(client.get_clock()))
    days = GetCalendarRequest(start="2026-11-23", end="2026-11-30")
    report.call("calendar", lambda: [shown(day) for day in client.get_calendar(days)])
    report.call("assets", lambda: [asset.symbol for asset in client.get_all_assets(GetAssetsRequest(status="active"))])
    report.call("asset", lambda: shown(client.get_asset("BRK.B")))


def trade(report: Report, client: TradingClient) -> None:
    bought = report.call("market_buy", lambda: shown(client.submit_order(market("market-1", notional=500))))
    report.call("by_id", lambda: shown(client.get_order_by_id(bought["id"])))
    report.call("by_client_id", lambda: shown(client.get_order_by_client_id("market-1")))
    report.call("duplicate", lambda: refusal(lambda: client.submit_order(market("market-1", qty=1))))
    resting = report.call("limit", lambda: shown(client.submit_order(limit("limit-1", 150.25))))
    changed = ReplaceOrderRequest(qty=2, limit_price=151.5, client_order_id="limit-2")
    replaced = report.call("replaced", lambda: shown(client.replace_order_by_id(resting["id"], changed)))
    report.call("replaced_one", lambda: shown(client.get_order_by_id(resting["id"])))
    report.call("open", lambda: [order.client_order_id for order in client.get_orders()])
    report.call("cancel", lambda: client.cancel_order_by_id(replaced["id"]))
    report.call("cancel_again", lambda: refusal(lambda: client.cancel_order_by_id(replaced["id"])))
    report.call("canceled_id_again", lambda: refusal(lambda: client.submit_order(limit("limit-2", 150))))
    report.call("cancel_unknown", lambda: refusal(lambda: client.cancel_order_by_id(client.get_account().id)))
    other_kinds(report, client)
    report.call("cancel_all", lambda: [row.status for row in client.cancel_orders()])
    closed = GetOrdersRequest(status=QueryOrderStatus.CLOSED, symbols=["AAPL"], limit=500)
    report.call("closed", lambda: [order.client_order_id for order in client.get_orders(closed)])


def other_kinds(report: Report, client: TradingClient) -> None:
    ioc = limit("ioc", 150, time_in_force=IOC)
    report.call("ioc", lambda: shown(client.submit_order(ioc)))
    stop = StopOrderRequest(symbol="MSFT", qty=1, side=BUY, time_in_force=GTC, stop_price=600, client_order_id="stop")
    report.call("stop", lambda: shown(client.submit_order(stop)))
    stop_limit = StopLimitOrderRequest(
        symbol="AAPL",
        qty=1,
        side=SELL,
        time_in_force=GTC,
        stop_price=150,
        limit_price=149,
        client_order_id="stop-limit",
    )
    report.call("stop_limit", lambda: shown(client.submit_order(stop_limit)))
    report.call("poor", lambda: refusal(lambda: client.submit_order(market("poor", symbol="SPY", qty=1000))))
    report.call("sub_penny", lambda: refusal(lambda: client.submit_order(limit("penny", 150.001))))
    report.call("fraction", lambda: refusal(lambda: client.submit_order(market("part", symbol="NOK", qty=0.5))))


def positions(report: Report, client: TradingClient) -> None:
    report.call("positions", lambda: [shown(position) for position in client.get_all_positions()])
    report.call("position", lambda: shown(client.get_open_position("AAPL")))
    half = ClosePositionRequest(percentage="50")
    report.call("close_half", lambda: shown(client.close_position("AAPL", half)))
    report.call("close_all", lambda: [row.status for row in client.close_all_positions(cancel_orders=True)])
    report.call("none_left", lambda: refusal(lambda: client.get_open_position("AAPL")))
    report.call("fills", lambda: client.get("/account/activities/FILL", {"page_size": 2, "direction": "asc"}))
    others = {"category": "non_trade_activity", "direction": "asc", "page_size": 1}
    report.call("first", lambda: client.get("/account/activities", others))
    token = client.get("/account/activities", others)[0]["id"]
    report.call("second", lambda: client.get("/account/activities", {**others, "page_token": token}))
    report.call("deposits", lambda: client.get("/account/activities", {"activity_types": "CSD"}))


def market_data(report: Report, client: StockHistoricalDataClient) -> None:
    quote = StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "SPY"])
    report.call("quotes", lambda: {name: shown(row) for name, row in client.get_stock_latest_quote(quote).items()})
    trades = StockLatestTradeRequest(symbol_or_symbols="AAPL")
    report.call("trades", lambda: {name: shown(row) for name, row in client.get_stock_latest_trade(trades).items()})
    latest = StockLatestBarRequest(symbol_or_symbols="AAPL")
    report.call("latest_bars", lambda: sorted(client.get_stock_latest_bar(latest)))
    snapshots = StockSnapshotRequest(symbol_or_symbols=["AAPL", "SPY"])
    report.call("snapshots", lambda: sorted(client.get_stock_snapshot(snapshots)))
    start = datetime.now(UTC) - timedelta(days=30)
    for name, frame in (("days", TimeFrame.Day), ("quarters", TimeFrame(15, TimeFrameUnit.Minute))):
        asked = StockBarsRequest(symbol_or_symbols=["AAPL", "SPY"], timeframe=frame, start=start)
        report.call(name, lambda asked=asked: {s: len(rows) for s, rows in client.get_stock_bars(asked).data.items()})
    few = StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Day, start=start, limit=5)
    report.call("few_bars", lambda: [shown(bar) for bar in client.get_stock_bars(few).data["AAPL"]])


def main() -> None:
    report = Report()
    options = report.options
    keys = {"api_key": options["api_key"], "secret_key": options["api_secret"], "url_override": options["url"]}
    client = TradingClient(**keys)
    data = StockHistoricalDataClient(**keys)
    if options.get("only") == "resend":
        report.call("lost", lambda: refusal(lambda: client.submit_order(market("lost", qty=1))))
        report.call("found", lambda: shown(client.get_order_by_client_id("lost")))
    else:
        read_everything(report, client)
        trade(report, client)
        positions(report, client)
        market_data(report, data)
        forged = TradingClient(**{**keys, "secret_key": "wrong"})
        report.call("bad_secret", lambda: refusal(forged.get_account))
    report.print()


if __name__ == "__main__":
    main()
