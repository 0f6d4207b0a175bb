"""Every endpoint of the front, with what it needs and how often it may be called."""

from __future__ import annotations

from paper_exchange.okx import (
    accounts,
    algo_entry,
    algo_lookup,
    bills,
    dead_mans_switch,
    funding,
    market_data,
    order_entry,
    order_lookup,
)
from paper_exchange.okx.limits import Limit
from paper_exchange.okx.routes import Endpoint, Handler, Scope

ORDERS = Limit(60, by_instrument=True)
BATCHES = Limit(300, by_instrument=True)
ALGO_ORDERS = Limit(20, by_instrument=True)


def endpoints() -> tuple[Endpoint, ...]:
    return (*_market(), *_account(), *_funding(), *_orders(), *_lookups(), *_algo_orders())


def _market() -> tuple[Endpoint, ...]:
    return (
        _public("public/time", market_data.server_time),
        _public("system/status", market_data.system_status),
        _public("public/instruments", market_data.instruments),
        _public("public/price-limit", market_data.price_limit),
        _public("market/ticker", market_data.ticker),
        _public("market/tickers", market_data.tickers),
        _public("market/books", market_data.books),
        _public("market/trades", market_data.trades),
        _public("market/candles", market_data.candles),
        _public("market/history-candles", market_data.old_candles),
    )


def _account() -> tuple[Endpoint, ...]:
    return (
        _read("account/balance", accounts.balance, Limit(10)),
        _read("account/config", accounts.config, Limit(5)),
        _read("account/bills", bills.recent, Limit(5, 1)),
        _read("account/bills-archive", bills.archive, Limit(5)),
        _read("account/positions", accounts.positions, Limit(10)),
        _read("account/trade-fee", accounts.trade_fee, Limit(5)),
        _read("account/instruments", accounts.account_instruments, Limit(20)),
        _write("account/set-account-level", accounts.set_account_level, Limit(5)),
    )


def _funding() -> tuple[Endpoint, ...]:
    return (
        _read("asset/balances", funding.balances, Limit(6, 1)),
        _read("asset/currencies", funding.currencies, Limit(6, 1)),
        _read("asset/deposit-history", funding.deposit_history, Limit(6, 1)),
        _read("asset/withdrawal-history", funding.withdrawal_history, Limit(6, 1)),
        _write("asset/transfer", funding.transfer, Limit(2, 1)),
    )


def _orders() -> tuple[Endpoint, ...]:
    return (
        _write("trade/order", order_entry.place, ORDERS, places=True),
        _write("trade/batch-orders", order_entry.place_batch, BATCHES, places=True),
        _write("trade/cancel-order", order_entry.cancel, ORDERS),
        _write("trade/cancel-batch-orders", order_entry.cancel_batch, BATCHES),
        _write("trade/amend-order", order_entry.amend, ORDERS, places=True),
        _write("trade/amend-batch-orders", order_entry.amend_batch, BATCHES, places=True),
        _write("trade/cancel-all-after", dead_mans_switch.cancel_all_after, Limit(1, 1)),
        _read("trade/order", order_lookup.one_order, ORDERS),
    )


def _lookups() -> tuple[Endpoint, ...]:
    return (
        _read("trade/orders-pending", order_lookup.pending, Limit(60)),
        _read("trade/orders-history", order_lookup.history, Limit(40)),
        _read("trade/orders-history-archive", order_lookup.archive, Limit(20)),
        _read("trade/fills", order_lookup.fills, Limit(60)),
        _read("trade/fills-history", order_lookup.old_fills, Limit(10)),
    )


def _algo_orders() -> tuple[Endpoint, ...]:
    return (
        _write("trade/order-algo", algo_entry.place, ALGO_ORDERS),
        _write("trade/cancel-algos", algo_entry.cancel, ALGO_ORDERS),
        _read("trade/order-algo", algo_lookup.one_order, Limit(20)),
        _read("trade/orders-algo-pending", algo_lookup.pending, Limit(20)),
        _read("trade/orders-algo-history", algo_lookup.history, Limit(20)),
    )


def _public(name: str, handler: Handler) -> Endpoint:
    return Endpoint("GET", name, Scope.PUBLIC, handler)


def _read(name: str, handler: Handler, limit: Limit) -> Endpoint:
    return Endpoint("GET", name, Scope.READ, handler, limit)


def _write(name: str, handler: Handler, limit: Limit, *, places: bool = False) -> Endpoint:
    return Endpoint("POST", name, Scope.TRADE, handler, limit, places)
