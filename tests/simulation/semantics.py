"""How the five brokerages differ in what makes an order happen twice or late: the weakest of what each documents."""

from dataclasses import dataclass
from enum import Enum

from bot.domain.account import BrokerType

LOOKUP_LAG_SECONDS = 3.0
MARGIN_SECONDS = 2.0
# No network holds a request longer: assumed, and said so where it is published.
LONGEST_DELAY_SECONDS = 120.0


class RepeatedId(Enum):
    """What becomes of a second order with a client id that was used before."""

    NEW_ORDER = "taken as a new order, unless the first is still open"
    SAME_ORDER = "answered with the first order"
    REFUSED = "refused for ever"


@dataclass(frozen=True, kw_only=True)
class Semantics:
    """`expiry_seconds`: the deadline a request carries; None where the venue knows none.

    `rising_nonces`: a request whose nonce is older than one that came before it is dropped.
    """

    broker: BrokerType
    repeated_id: RepeatedId
    expiry_seconds: float | None
    rising_nonces: bool = False

    @property
    def settle_seconds(self) -> float:
        """After this long an order that was sent is there and shown, or never will be."""
        arrives = LONGEST_DELAY_SECONDS if self.expiry_seconds is None else self.expiry_seconds
        return arrives + LOOKUP_LAG_SECONDS + MARGIN_SECONDS


KRAKEN = Semantics(
    broker=BrokerType.KRAKEN, repeated_id=RepeatedId.NEW_ORDER, expiry_seconds=8.0, rising_nonces=True
)
OKX = Semantics(broker=BrokerType.OKX, repeated_id=RepeatedId.NEW_ORDER, expiry_seconds=8.0)
BINANCE = Semantics(broker=BrokerType.BINANCE, repeated_id=RepeatedId.NEW_ORDER, expiry_seconds=5.0)
COINBASE = Semantics(broker=BrokerType.COINBASE, repeated_id=RepeatedId.SAME_ORDER, expiry_seconds=120.0)
ALPACA = Semantics(broker=BrokerType.ALPACA, repeated_id=RepeatedId.REFUSED, expiry_seconds=None)

VENUES = {str(each.broker): each for each in (KRAKEN, OKX, BINANCE, COINBASE, ALPACA)}
