"""What taking liquidity costs, in percent of the notional, in the first tier of each brokerage's dearest region.

It is assumed for an account as long as nobody has told its own fee: unknown is never free.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.domain.account import BrokerType

_DEAREST_OF_ALL = Decimal("1.2")
_BY_BROKER: Mapping[BrokerType, Decimal] = MappingProxyType(
    {
        # Its first tier of 2026; stablecoins and currencies are cheaper.
        BrokerType.KRAKEN: Decimal("0.4"),
        BrokerType.COINBASE: _DEAREST_OF_ALL,
        BrokerType.OKX: Decimal("0.35"),
        BrokerType.BINANCE: Decimal("0.6"),
        BrokerType.ALPACA: Decimal(0),
    }
)


def dearest_taker_fee_percent(broker: BrokerType) -> Decimal:
    """Of a brokerage that is not listed here: the dearest of all."""
    return _BY_BROKER.get(broker, _DEAREST_OF_ALL)
