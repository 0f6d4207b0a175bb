"""What a brokerage can and cannot do, as its adapter drives it. Asked before an order is made, not after a reject."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bot.domain.order import OrderRequest, OrderType


class RepeatedId(StrEnum):
    """What becomes of a second order with a client order id that was used before."""

    NEW_ORDER = "refused while the first is open, afterwards a new order"
    SAME_ORDER = "answered with the first order, for ever"
    REFUSED = "refused for ever"


class Deadline(StrEnum):
    """What keeps an order that is late on its way from being taken."""

    IN_ORDER = "a time in the order"
    IN_SIGNATURE = "the time its signature is good for"
    NONE = "nothing"


class FeeTaken(StrEnum):
    """In what, and when, the fee of a trade is taken."""

    QUOTE = "quote currency, with the trade"
    RECEIVED = "what was received, with the trade"
    LATER = "account currency, booked later"
    TOLD = "as each trade says"


class Fractions(StrEnum):
    """Whether less than one unit can be traded."""

    EVERY_MARKET = "in every market"
    SOME_MARKETS = "only where the venue says so"


class PrivateStream(StrEnum):
    """What the venue pushes to an account, and what of it is believed. Readings go on beside it everywhere."""

    ACCOUNT = "orders, trades and balances; orders go out over it too"
    TRADES = "orders with their trades"
    BELL = "that something was traded; what, is read"
    NONE = "nothing"


class Ledger(StrEnum):
    """Where the venue tells what changed the account's units besides trades."""

    WHOLE = "one list of everything"
    BY_WALLET = "a list for each wallet"
    BY_MATTER = "a list for each kind of matter"
    NONE = "nowhere that is read"


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """One brokerage's. What is true of a single market stands in its `Instrument`.

    `order_types`: those that `place_order` sends, with the venue's word for each. `stop_orders`: the venue's kinds of
    stop order; one is sent where `order_types` names it, to guard a position while nobody watches, and with a limit
    where the venue knows no others (`stops_have_limits`). `market_by_quote`: the venue takes a market buy by its cost;
    it is sent by quantity all the same. `client_id`: what an id of ours must look like in full. `sessions`: the venue
    is closed at times. `withdraw_right_told`: the venue tells whether a key can move money out. `ledger`: see
    `get_cash_events`.
    """

    order_types: Mapping[OrderType, str]
    stop_orders: tuple[str, ...]
    stops_have_limits: bool = False
    market_by_quote: bool
    repeated_id: RepeatedId
    client_id: str
    deadline: Deadline
    fee: FeeTaken
    private_stream: PrivateStream
    fractions: Fractions = Fractions.EVERY_MARKET
    sessions: bool = False
    passphrase: bool = False
    withdraw_right_told: bool = True
    ledger: Ledger = Ledger.NONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "order_types", MappingProxyType(dict(self.order_types)))
        re.compile(self.client_id)

    @property
    def client_ids_are_forever(self) -> bool:
        """One id can never name two orders."""
        return self.repeated_id is not RepeatedId.NEW_ORDER

    def refusal_of(self, request: OrderRequest) -> str:
        """Why this order can never be placed here, whatever its market; "" when it can."""
        if request.order_type not in self.order_types:
            return f"there are no {request.order_type} orders at this brokerage"
        if re.fullmatch(self.client_id, request.client_order_id) is None:
            return f"the client order id {request.client_order_id!r} is not one that this brokerage takes"
        return ""


# Of a broker that states nothing of itself: whatever can be asked is placed.
UNSTATED = Capabilities(
    order_types={each: each.value for each in OrderType},
    stop_orders=(),
    market_by_quote=False,
    repeated_id=RepeatedId.NEW_ORDER,
    client_id=".+",
    deadline=Deadline.NONE,
    fee=FeeTaken.QUOTE,
    private_stream=PrivateStream.NONE,
)
