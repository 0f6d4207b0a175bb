"""What the judge must know beside journal and books: the rules of the market and of the installation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

EXPIRY_SECONDS: Mapping[str, float] = {"kraken": 8.0, "coinbase": 120.0}
"""How late after its sending a brokerage may still accept an order: Kraken's deadline, the life of Coinbase's token."""

SETTLE_SECONDS: Mapping[str, float] = {"kraken": 68.0, "coinbase": 130.0}
"""How long a bot must look for an order in vain, after its start, before it may believe that there is none."""
SETTLE_MARGIN_SECONDS = 30.0


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
    settled_seconds: float = inf
    """How long the last bot lived: an order that never arrived may be waited for until it counts as absent."""
    max_signal_age_seconds: float = 60.0
    max_copy_slippage_percent: Decimal = Decimal("0.5")

    def brokerage_of(self, account: str) -> str:
        return next(brokerage for brokerage, users in self.users.items() if account == brokerage or account in users)

    def may_still_wait(self, account: str) -> bool:
        """Whether the bot has not yet had the time to prove that an order of this account does not exist."""
        return self.settled_seconds < SETTLE_SECONDS[self.brokerage_of(account)] + SETTLE_MARGIN_SECONDS

    def all_users(self) -> frozenset[str]:
        return frozenset().union(*self.users.values())

    def is_dust(self, symbol: str, quantity: Decimal, price: Decimal) -> bool:
        """Whether the brokerage would refuse to sell this little."""
        market = self.markets[symbol]
        return quantity < market.minimum_quantity or quantity * price < market.minimum_notional
