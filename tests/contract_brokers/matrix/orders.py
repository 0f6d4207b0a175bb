"""Orders of a rig's size in a rig's market."""

from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import OrderRequest, OrderType, Side
from tests.contract_brokers.matrix.rigs import Rig
from tests.contract_brokers.orders import an_order, resting_price
from tests.exchange_process import ExchangeProcess

D = Decimal
# What may become of a reading that fails.
OF_A_READING = (UnreadableReply, RetryLater, CredentialsRejected)


def market_order(rig: Rig, side: Side = Side.BUY, *, client_order_id: str | None = None) -> OrderRequest:
    return an_order(side, rig.quantity, symbol=rig.symbol, client_order_id=client_order_id)


def resting_order(rig: Rig, broker: BaseBroker, *, client_order_id: str | None = None) -> OrderRequest:
    """Far below the market: it stays open."""
    return an_order(
        quantity=rig.quantity,
        price=resting_price(broker, rig.symbol),
        order_type=OrderType.LIMIT_GTC,
        symbol=rig.symbol,
        client_order_id=client_order_id,
    )


def hopeless_order(rig: Rig, broker: BaseBroker) -> OrderRequest:
    """Immediate or cancel, far below the market: it ends without a fill."""
    return an_order(quantity=rig.quantity, price=resting_price(broker, rig.symbol), symbol=rig.symbol)


def accepted(exchange: ExchangeProcess, rig: Rig, since: int, request: OrderRequest) -> list[str]:
    """The orders that the exchange made of it by its journal, named as the broker names them."""
    lines = exchange.journal(since, type="accept", brokerage=rig.name, client_order_id=request.client_order_id)
    return [f"{rig.order_prefix}{line['order_id']}" for line in lines]


def received(fill: Fill, asset: str) -> Decimal:
    """What a fill brings of the asset it buys, after a fee taken from it."""
    return fill.quantity - (fill.fee if fill.fee_currency == asset else D(0))


def paid(fill: Fill, cash: str) -> Decimal:
    """What a buy costs in cash, with a fee taken in it."""
    return fill.notional + (fill.fee if fill.fee_currency == cash else D(0))
