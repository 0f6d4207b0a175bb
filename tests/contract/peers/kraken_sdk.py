"""python-kraken-sdk's REST clients, with nothing changed but their address."""

from __future__ import annotations

from kraken.spot import Funding, Market, Trade, User
from report import Report

PAIR = "XBTUSD"


def main() -> None:
    report = Report()
    options = report.options
    access = {"key": options["api_key"], "secret": options["api_secret"], "url": options["url"]}
    market, user, trade = Market(url=options["url"]), User(**access), Trade(**access)
    report.call("system_status", market.get_system_status)
    report.call("assets", lambda: market.get_assets(assets=["XBT", "USD"]))
    report.call("asset_pairs", lambda: market.get_asset_pairs(pair=PAIR))
    ticker = report.call("ticker", lambda: market.get_ticker(pair=PAIR))
    report.call("ohlc", lambda: market.get_ohlc(pair=PAIR, interval=1))
    report.call("order_book", lambda: market.get_order_book(pair=PAIR, count=5))
    report.call("recent_trades", lambda: market.get_recent_trades(pair=PAIR))
    report.call("recent_spreads", lambda: market.get_recent_spreads(pair=PAIR))
    report.call("account_balance", user.get_account_balance)
    report.call("balances", user.get_balances)
    report.call("balance", lambda: user.get_balance(currency="USD"))
    report.call("trade_balance", user.get_trade_balance)
    report.call("trade_volume", lambda: user.get_trade_volume(pair=PAIR))
    _trade(report, trade, user, Funding(**access), float(ticker["XXBTZUSD"]["c"][0]))
    _mistakes(report)
    report.print()


def _trade(report: Report, trade: Trade, user: User, funding: Funding, last: float) -> None:
    low = f"{last * 0.8:.1f}"
    bought = report.call(
        "market_buy", lambda: trade.create_order(ordertype="market", side="buy", pair=PAIR, volume="0.01")
    )
    resting = report.call(
        "limit_buy",
        lambda: trade.create_order(
            ordertype="limit",
            side="buy",
            pair=PAIR,
            volume="0.02",
            price=low,
            cl_ord_id=report.options["client_order_id"],
        ),
    )
    txid = resting["txid"][0]
    report.call("open_orders", lambda: user.get_open_orders(trades=True))
    report.call("orders_info", lambda: user.get_orders_info(txid=[txid, bought["txid"][0]]))
    report.call("cancel", lambda: trade.cancel_order(txid=txid))
    report.call("cancel_again", lambda: trade.cancel_order(txid=txid))
    report.call("closed_orders", user.get_closed_orders)
    history = report.call("trades_history", user.get_trades_history)
    report.call("trades_info", lambda: user.get_trades_info(txid=next(iter(history["trades"]))))
    report.call("ledgers_info", user.get_ledgers_info)
    report.call(
        "too_expensive",
        lambda: trade.create_order(ordertype="limit", side="buy", pair=PAIR, volume="1000", price=low),
    )
    report.call(
        "too_small",
        lambda: trade.create_order(ordertype="limit", side="buy", pair=PAIR, volume="0.00000001", price=low),
    )
    report.call(
        "unknown_pair",
        lambda: trade.create_order(ordertype="limit", side="buy", pair="NOSUCH", volume="1", price="1"),
    )
    _change(report, trade, user, low)
    report.call("deposits", lambda: funding.get_recent_deposits_status(asset="ZUSD"))
    report.call("deposits_by_cursor", lambda: funding.get_recent_deposits_status(cursor=True))
    report.call("withdrawals", funding.get_recent_withdraw_status)
    report.call("cancel_all", trade.cancel_all_orders)


def _change(report: Report, trade: Trade, user: User, low: str) -> None:
    order = {"ordertype": "limit", "side": "buy", "volume": "0.02", "price": low}
    first = report.call("to_change", lambda: trade.create_order(pair=PAIR, **order))["txid"][0]
    report.call("amend", lambda: trade.amend_order(txid=first, order_qty="0.03", limit_price=f"{float(low) - 1:.1f}"))
    report.call("order_amends", lambda: user.get_order_amends(order_id=first))
    edited = report.call("edit", lambda: trade.edit_order(txid=first, pair=PAIR, volume="0.01", price=low))
    legs = [{**order, "type": "buy"}, {**order, "type": "buy", "cl_ord_id": "sdk-leg-2"}]
    for leg in legs:
        del leg["side"]
    batch = report.call("batch", lambda: trade.create_order_batch(orders=legs, pair="BTC/USD"))
    ids = [edited["txid"], *(one["txid"] for one in batch["orders"])]
    report.call("cancel_batch", lambda: trade.cancel_order_batch(orders=ids))
    report.call("switch", lambda: trade.cancel_all_orders_after_x(timeout=60))
    report.call("switch_off", lambda: trade.cancel_all_orders_after_x(timeout=0))
    entries = user.get_ledgers_info()["ledger"]
    report.call("ledgers", lambda: user.get_ledgers(id_=list(entries)[:2]))


def _mistakes(report: Report) -> None:
    options = report.options
    unknown = User(key="unknown", secret=options["api_secret"], url=options["url"])
    forged = User(key=options["api_key"], secret=options["other_secret"], url=options["url"])
    report.call("bad_key", unknown.get_account_balance)
    report.call("bad_secret", forged.get_account_balance)


if __name__ == "__main__":
    main()
