"""What the paper exchange calls the requests that place orders, by brokerage: over REST and over WebSocket."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bot.domain.account import BrokerType

ORDER_ENDPOINTS: Mapping[BrokerType, Sequence[str]] = MappingProxyType(
    {
        BrokerType.KRAKEN: ("AddOrder", "ws/add_order"),
        BrokerType.COINBASE: ("orders",),
        BrokerType.OKX: ("trade/order",),
        BrokerType.BINANCE: ("order",),
        BrokerType.ALPACA: ("orders",),
    }
)
