"""What the judge must know beside journal and books: the rules of the market and of the installation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class VenueTimes:
    """How late after its sending a brokerage may accept an order, and how much later it may still come to light.

    A bot must look in vain for the sum of both, counted from its own start, before it may believe that there is none.
    """

    deadline_seconds: int
    margin_seconds: int


REAL_TIMES: Mapping[str, VenueTimes] = {
    "kraken": VenueTimes(8, 60),
    "coinbase": VenueTimes(120, 10),
    "okx": VenueTimes(8, 15),
    "binance": VenueTimes(8, 15),
    "alpaca": VenueTimes(15, 110),
}
"""What the bot uses unless told otherwise."""
SHORT_TIMES: Mapping[str, VenueTimes] = {
    "kraken": VenueTimes(8, 5),
    "coinbase": VenueTimes(15, 5),
    "okx": VenueTimes(8, 5),
    "binance": VenueTimes(5, 5),
    "alpaca": VenueTimes(8, 5),
}
"""Enough for this exchange, which keeps no order longer than the drill's faults say; they make settling short."""


@dataclass(frozen=True)
class Market:
    """A symbol's smallest order and lot, in base units, and its smallest notional in quote units."""

    minimum_quantity: Decimal
    minimum_notional: Decimal
    lot_step: Decimal


@dataclass(frozen=True)
class Terms:
    """`own_coins` and `balances` are base units by account and asset, at the start and at the end."""

    users: Mapping[str, frozenset[str]]
    """Accounts that copy, by brokerage."""
    markets: Mapping[str, Market]
    own_coins: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    balances: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    by_hand: frozenset[str] = frozenset()
    """Order ids of what users themselves left resting at the exchange before the bot ever ran."""
    times: Mapping[str, VenueTimes] = field(default_factory=lambda: REAL_TIMES)
    max_signal_age_seconds: float = 60.0
    max_copy_slippage_percent: Decimal = Decimal("0.5")

    def brokerage_of(self, account: str) -> str:
        return next(brokerage for brokerage, users in self.users.items() if account == brokerage or account in users)

    def all_users(self) -> frozenset[str]:
        return frozenset().union(*self.users.values())

    def is_dust(self, symbol: str, quantity: Decimal, price: Decimal) -> bool:
        """Whether the brokerage would refuse to sell this little."""
        market = self.markets[symbol]
        return quantity < market.minimum_quantity or quantity * price < market.minimum_notional
