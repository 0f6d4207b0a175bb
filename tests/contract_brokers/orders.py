"""Orders to try a broker with, and the names that the venues have for placing one and for reading balances."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from bot.brokers.base import BaseBroker
from bot.domain.account import BrokerType
from bot.domain.errors import RetryLater
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side
from bot.seams.ids import SystemIds

D = Decimal
BTC = "BTC/USD"
PLACE = {BrokerType.KRAKEN: "AddOrder", BrokerType.COINBASE: "orders"}
BALANCE = {BrokerType.KRAKEN: "BalanceEx", BrokerType.COINBASE: "accounts"}
Answer = TypeVar("Answer")


def an_order(
    side: Side = Side.BUY,
    quantity: str = "0.001",
    *,
    price: Decimal | None = None,
    order_type: OrderType | None = None,
    client_order_id: str | None = None,
    symbol: str = BTC,
) -> OrderRequest:
    return OrderRequest(
        client_order_id=client_order_id or SystemIds().token(),
        symbol=symbol,
        side=side,
        kind=OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT,
        order_type=order_type or (OrderType.MARKET if price is None else OrderType.LIMIT_IOC),
        quantity=D(quantity),
        limit_price=price,
    )


def now() -> datetime:
    return datetime.now(UTC)


def resting_price(broker: BaseBroker, symbol: str = BTC) -> Decimal:
    """Far below the market, on the tick."""
    return broker.get_trading_pairs()[symbol].buy_cap(broker.get_best_bid_ask(symbol).bid / 2)


def after_parking(ask: Callable[[], Answer]) -> Answer:
    """Ask again once: the key may be parked for a moment after a call that overran."""
    try:
        return ask()
    except RetryLater as error:
        assert error.retry_after_seconds <= 0.2
        threading.Event().wait(error.retry_after_seconds)
        return ask()
