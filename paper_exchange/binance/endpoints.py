"""Every endpoint of the front with its weight, as the venue's documents list them."""

from __future__ import annotations

from paper_exchange.binance import market_data, movements, order_entry, order_lookup, tickers, wallet
from paper_exchange.binance.order_form import FORM
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.routes import API_PREFIX, WALLET_PREFIX, Endpoint, Handler, Right, Weight

PAGE = ("startTime", "endTime", "limit")
SYMBOLS = ("symbol", "symbols", "symbolStatus")
CANCEL = ("symbol", "orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions")
REPLACE = FORM | {
    "cancelReplaceMode",
    "cancelNewClientOrderId",
    "cancelOrigClientOrderId",
    "cancelOrderId",
    "cancelRestrictions",
    "orderRateLimitExceededMode",
}
NOTHING: tuple[str, ...] = ()
LOOKUPS = frozenset({"queryOrder", "openOrders", "allOrders", "myTrades"})
ENTRY = frozenset({"order", "cancelReplace"})
"""Endpoints that count as orders."""


def all_endpoints() -> tuple[Endpoint, ...]:
    """Three paths serve several methods, and have a name for each: ``order`` places, ``queryOrder`` and ``cancelOrder``
    are its GET and DELETE; ``openOrders`` lists, ``cancelOpenOrders`` is its DELETE."""
    return (*_market(), *_orders(), *_account(), *_wallet())


def _market() -> tuple[Endpoint, ...]:
    one = ("symbol", "limit")
    aggregate = ("symbol", "fromId", *PAGE)
    return (
        _public("ping", market_data.ping, 1, NOTHING),
        _public("time", market_data.server_time, 1, NOTHING),
        _public("exchangeInfo", market_data.exchange_info, 20, (*SYMBOLS, "permissions", "showPermissionSets")),
        _public("ticker/bookTicker", tickers.book_ticker, tickers.ticker_weight, SYMBOLS),
        _public("ticker/price", tickers.price_ticker, tickers.ticker_weight, SYMBOLS),
        _public("ticker/24hr", tickers.day_ticker, tickers.day_weight, (*SYMBOLS, "type")),
        _public("avgPrice", tickers.average_price, 2, ("symbol",)),
        _public("depth", market_data.depth, market_data.depth_weight, (*one, "symbolStatus")),
        _public("trades", market_data.recent_trades, 25, one),
        _public("historicalTrades", market_data.recent_trades, 25, (*one, "fromId")),
        _public("aggTrades", market_data.aggregate_trades, 4, aggregate),
        _public("klines", market_data.klines, 2, ("symbol", "interval", "timeZone", *PAGE)),
        _public("uiKlines", market_data.klines, 2, ("symbol", "interval", "timeZone", *PAGE)),
    )


def _orders() -> tuple[Endpoint, ...]:
    test = (*FORM, "computeCommissionRates")
    query = ("symbol", "orderId", "origClientOrderId")
    fills = ("symbol", "orderId", "fromId", *PAGE)
    return (
        _trade("POST", "order", order_entry.create, 1, FORM),
        _trade("POST", "order/test", order_entry.test, 1, frozenset(test), to_engine=False),
        _trade("POST", "order/cancelReplace", order_entry.cancel_replace, 1, REPLACE, name="cancelReplace"),
        _trade("DELETE", "order", order_entry.cancel, 1, frozenset(CANCEL), name="cancelOrder"),
        _trade("DELETE", "openOrders", order_entry.cancel_open, 1, frozenset({"symbol"}), name="cancelOpenOrders"),
        _read("order", order_lookup.one_order, 4, query, name="queryOrder"),
        _read("openOrders", order_lookup.open_orders, _open_weight, ("symbol",)),
        _read("allOrders", order_lookup.all_orders, 20, ("symbol", "orderId", *PAGE)),
        _read("myTrades", order_lookup.my_trades, _fills_weight, fills),
    )


def _account() -> tuple[Endpoint, ...]:
    return (
        _read("account", wallet.account, 20, ("omitZeroBalances",)),
        _read("account/commission", wallet.commission, 20, ("symbol",)),
        _read("rateLimit/order", wallet.order_counts, 40, NOTHING),
    )


def _wallet() -> tuple[Endpoint, ...]:
    """These mind no parameter that they don't know."""
    return (
        Endpoint("GET", f"{WALLET_PREFIX}system/status", "system/status", wallet.system_status, 1, None),
        _sapi("account/status", wallet.account_status),
        _sapi("account/apiTradingStatus", wallet.trading_status),
        _sapi("account/apiRestrictions", wallet.key_rights),
        _sapi("asset/tradeFee", wallet.trade_fee),
        _sapi("capital/config/getall", wallet.coins),
        _sapi("capital/deposit/hisrec", wallet.deposits),
        _sapi("capital/withdraw/history", wallet.withdrawals),
        _sapi("asset/assetDividend", movements.distributions),
        _sapi("asset/dribblet", movements.dust),
        _sapi("asset/transfer", movements.transfers),
        _sapi("convert/tradeFlow", movements.conversions),
        _sapi("margin/allPairs", wallet.nothing),
        _sapi("margin/isolated/allPairs", wallet.nothing),
        _sapi("asset/get-funding-asset", wallet.nothing, method="POST"),
    )


def _public(path: str, handler: Handler, weight: Weight, readable: tuple[str, ...]) -> Endpoint:
    return Endpoint("GET", f"{API_PREFIX}{path}", path, handler, weight, frozenset(readable))


def _read(path: str, handler: Handler, weight: Weight, readable: tuple[str, ...], *, name: str = "") -> Endpoint:
    return Endpoint("GET", f"{API_PREFIX}{path}", name or path, handler, weight, frozenset(readable), Right.READ)


def _trade(
    method: str,
    path: str,
    handler: Handler,
    weight: Weight,
    readable: frozenset[str],
    *,
    name: str = "",
    to_engine: bool = True,
) -> Endpoint:
    return Endpoint(method, f"{API_PREFIX}{path}", name or path, handler, weight, readable, Right.TRADE, to_engine)


def _sapi(path: str, handler: Handler, *, method: str = "GET") -> Endpoint:
    return Endpoint(method, f"{WALLET_PREFIX}{path}", path, handler, 1, None, Right.READ)


def _open_weight(parameters: Parameters) -> int:
    return 6 if "symbol" in parameters else 80


def _fills_weight(parameters: Parameters) -> int:
    return 5 if "orderId" in parameters else 20
