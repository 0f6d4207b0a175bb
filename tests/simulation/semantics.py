"""How the five brokerages differ in what makes an order happen twice or late: as the bot's own brokers have it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from bot.brokers.capabilities import RepeatedId
from bot.domain.account import BrokerType
from tests.lone_brokers import facts_of

LOOKUP_LAG_SECONDS = 3.0
# No network holds a request longer: assumed, and said so where it is published.
LONGEST_DELAY_SECONDS = 120.0
# Their order is that of the draws of a seed.
BROKERS = (BrokerType.KRAKEN, BrokerType.OKX, BrokerType.BINANCE, BrokerType.COINBASE, BrokerType.ALPACA)


@dataclass(frozen=True, kw_only=True)
class Semantics:
    """`expiry_seconds`: the deadline a request carries; None where the venue knows none.

    `settle_seconds`: after this long the bot believes of an order that is not shown that there is none.
    `rising_nonces`: a request whose nonce is older than one that came before it is dropped.
    `deadline_from_leaving`: an order that waited for its turn is good for as long again when it leaves; elsewhere its
    time began when it was written down as being sent.
    """

    broker: BrokerType
    repeated_id: RepeatedId
    expiry_seconds: float | None
    settle_seconds: float
    rising_nonces: bool = False
    deadline_from_leaving: bool = False


def _semantics_of(broker: BrokerType) -> Semantics:
    facts = facts_of(broker)
    return Semantics(
        broker=broker,
        repeated_id=facts.capabilities.repeated_id,
        expiry_seconds=facts.order_expiry_seconds,
        settle_seconds=facts.settle_seconds,
        rising_nonces=broker is BrokerType.KRAKEN,
        deadline_from_leaving=broker is BrokerType.KRAKEN,
    )


class _Venues(Mapping[str, Semantics]):
    """By the brokerage's name; a broker is made when it is first asked for."""

    def __getitem__(self, name: str) -> Semantics:
        return _cached(BrokerType(name))

    def __iter__(self) -> Iterator[str]:
        return iter(map(str, BROKERS))

    def __len__(self) -> int:
        return len(BROKERS)


_cached = cache(_semantics_of)
VENUES: Mapping[str, Semantics] = _Venues()
