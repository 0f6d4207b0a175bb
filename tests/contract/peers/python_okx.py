"""python-okx's REST clients, with nothing changed but their address."""

from __future__ import annotations

import json
from typing import Any

from okx.Account import AccountAPI
from okx.Funding import FundingAPI
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI
from okx.Status import StatusAPI
from okx.Trade import TradeAPI
from report import Report

INSTRUMENT = "BTC-USDT"
CASH = {"instId": INSTRUMENT, "tdMode": "cash"}
LIVE, DEMO = "0", "1"


class Clients:
    """One client for each group of endpoints, as the library has them."""

    def __init__(self, report: Report, *, flag: str = LIVE, **changed: str) -> None:
        options = {**report.options, **changed}
        keys = (options["api_key"], options["api_secret"], options["passphrase"])

        def made(kind: Any) -> Any:
            return kind(*keys, flag=flag, domain=options["url"])

        self.account, self.funding, self.trade = made(AccountAPI), made(FundingAPI), made(TradeAPI)
        self.market, self.public, self.status = made(MarketAPI), made(PublicAPI), made(StatusAPI)


def main() -> None:
    report = Report()
    clients = Clients(report)
    read_market(report, clients)
    read_account(report, clients)
    trade(report, clients.trade)
    batches_and_changes(report, clients.trade)
    algo_orders(report, clients.trade)
    lists(report, clients.trade)
    move_money(report, clients)
    refusals(report, clients)
    report.print()


def read_market(report: Report, clients: Clients) -> None:
    report.call("time", clients.public.get_system_time)
    report.call("status", clients.status.status)
    report.call("instruments", lambda: clients.public.get_instruments("SPOT", instId=INSTRUMENT))
    report.call("price_limit", lambda: clients.public.get_price_limit(INSTRUMENT))
    report.call("ticker", lambda: clients.market.get_ticker(INSTRUMENT))
    report.call("tickers", lambda: len(clients.market.get_tickers("SPOT")["data"]))
    report.call("candles", lambda: clients.market.get_candlesticks(INSTRUMENT, bar="1H", limit="5"))
    report.call("old_candles", lambda: clients.market.get_history_candlesticks(INSTRUMENT, bar="1Dutc", limit="2"))
    report.call("book", lambda: clients.market.get_orderbook(INSTRUMENT, sz="5"))
    report.call("trades", lambda: clients.market.get_trades(INSTRUMENT, limit="3"))


def read_account(report: Report, clients: Clients) -> None:
    report.call("balance", clients.account.get_account_balance)
    report.call("config", clients.account.get_account_config)
    report.call("fees", lambda: clients.account.get_fee_rates("SPOT", instId=INSTRUMENT))
    report.call("may_trade", lambda: clients.account.get_instruments("SPOT", instId=INSTRUMENT))


def trade(report: Report, client: Any) -> None:
    bought = report.call(
        "market_buy",
        lambda: client.place_order(
            **CASH, side="buy", ordType="market", sz="500", tgtCcy="quote_ccy", clOrdId="pyokxbuy", banAmend=True
        ),
    )
    report.call("market_buy_shown", lambda: client.get_order(INSTRUMENT, bought["data"][0]["ordId"]))
    report.call("fills", lambda: client.get_fills(instType="SPOT", ordId=bought["data"][0]["ordId"]))
    limit = {**CASH, "side": "buy", "ordType": "limit", "sz": "0.01", "px": "41000", "clOrdId": "pyokxlimit"}
    report.call("limit_buy", lambda: client.place_order(**limit))
    report.call("limit_buy_again", lambda: client.place_order(**limit))
    report.call("limit_buy_shown", lambda: client.get_order(INSTRUMENT, clOrdId="pyokxlimit"))
    report.call("pending", lambda: client.get_order_list("SPOT"))
    report.call("cancel", lambda: client.cancel_order(INSTRUMENT, clOrdId="pyokxlimit"))
    report.call("cancel_again", lambda: client.cancel_order(INSTRUMENT, clOrdId="pyokxlimit"))
    report.call("cancelled_shown", lambda: client.get_order(INSTRUMENT, clOrdId="pyokxlimit"))


def batches_and_changes(report: Report, client: Any) -> None:
    orders = [
        {**CASH, "side": "buy", "ordType": "limit", "sz": "0.01", "px": "41000", "clOrdId": f"pyokxbatch{number}"}
        for number in (1, 2)
    ]
    report.call("batch", lambda: client.place_multiple_orders(orders))
    report.call("amend", lambda: client.amend_order(INSTRUMENT, clOrdId="pyokxbatch1", newSz="0.02", reqId="change1"))
    report.call("amended_shown", lambda: client.get_order(INSTRUMENT, clOrdId="pyokxbatch1"))
    ids = [{"instId": INSTRUMENT, "clOrdId": order["clOrdId"]} for order in orders]
    report.call("cancel_batch", lambda: client.cancel_multiple_orders(ids))


def algo_orders(report: Report, client: Any) -> None:
    stop = {**CASH, "side": "sell", "ordType": "conditional", "sz": "0.01", "slTriggerPx": "45000", "slOrdPx": "-1"}
    placed = report.call("stop", lambda: client.place_algo_order(**stop, algoClOrdId="pyokxstop"))
    report.call("stop_shown", lambda: client.get_algo_order_details(algoClOrdId="pyokxstop"))
    report.call("stops_pending", lambda: client.order_algos_list("conditional"))
    ids = [{"instId": INSTRUMENT, "algoId": placed["data"][0]["algoId"]}]
    report.call("cancel_stop", lambda: client.cancel_algo_order(ids))
    report.call("stops_history", lambda: client.order_algos_history("conditional", state="canceled"))


def lists(report: Report, client: Any) -> None:
    report.call("history", lambda: client.get_orders_history("SPOT"))
    report.call("archive", lambda: client.get_orders_history_archive("SPOT"))
    report.call("old_fills", lambda: client.get_fills_history("SPOT"))


def move_money(report: Report, clients: Clients) -> None:
    report.call("to_funding", lambda: clients.funding.funds_transfer("USDT", "100", "18", "6"))
    report.call("funding", clients.funding.get_balances)
    report.call("deposits", clients.funding.get_deposit_history)
    report.call("withdrawals", clients.funding.get_withdrawal_history)
    report.call("bills", lambda: clients.account.get_account_bills(type="1"))
    report.call("old_bills", lambda: clients.account.get_account_bills_archive(ccy="USDT", limit="1"))
    report.call("currencies", lambda: len(clients.funding.get_currencies()["data"]))


def refusals(report: Report, clients: Clients) -> None:
    client = clients.trade
    too_much = {**CASH, "side": "buy", "ordType": "limit", "sz": "1", "px": "45000"}
    report.call("too_expensive", lambda: client.place_order(**too_much))
    report.call("too_small", lambda: client.place_order(**{**too_much, "sz": "0.00000001"}))
    report.call("unknown_order", lambda: client.get_order(INSTRUMENT, clOrdId="never"))
    client.headers["expTime"] = "1700000000000"
    report.call("expired", lambda: client.place_order(**{**too_much, "sz": "0.01"}))
    options = report.options
    for name, changed in (
        ("bad_key", {"api_key": "none"}),
        ("bad_secret", {"api_secret": options["other_secret"]}),
        ("bad_passphrase", {"passphrase": "none"}),
    ):
        report.call(name, Clients(report, **changed).account.get_account_balance)
    report.call("demo", Clients(report, flag=DEMO).account.get_account_balance)
    stranger = json.loads(options["reader"])
    report.call("no_right", lambda: Clients(report, **stranger).trade.cancel_order(INSTRUMENT, ordId="1"))


if __name__ == "__main__":
    main()
