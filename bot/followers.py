"""The users of a brokerage as whoever plans their copies needs to see them."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.money import percent_to_fraction
from bot.position_sizer import CopyRules
from bot.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Follower:
    """A user of a brokerage as the engine needs to see it. `leaving` is set for one that is switched off.

    A `shadow` user has no connection and no key: it began with `paper_balance`, and answers without an order.
    """

    account: AccountRef
    name: str
    rules: CopyRules
    shadow: bool = False
    paper_balance: Decimal = Decimal(0)
    leaving: WhenDisabled | None = None


class Followers(Protocol):
    """What the engine may ask about users; answers come from memory, never from a venue."""

    def followers_of(self, broker: BrokerType) -> Sequence[Follower]:
        """Every user of the brokerage: the active ones, and those who left and are not done yet."""

    def balance_of(self, account: AccountRef) -> BalanceReading:
        """The user's last balance reading."""

    def taker_fee_percent(self, account: AccountRef, symbol: str) -> Decimal:
        """What it pays of the notional for taking liquidity, as it was told last; the venue's dearest before that."""

    def not_ready_reason(self, account: AccountRef) -> str:
        """Why this account cannot trade now, or an empty text."""

    def instrument_of(self, broker: BrokerType, symbol: str) -> Instrument | None:
        """The market's rules, if they were read."""

    def copying_armed(self, broker: BrokerType) -> bool:
        """Whether the brokerage's users have all had their chance to connect."""


@dataclass(frozen=True, kw_only=True)
class CopyLimits:
    """Bounds of a copied entry. An account worth less than `minimum_funded_quote` does not trade.

    `at_par` are the currencies that count one to one as that of `minimum_funded_quote` and of the users' caps.
    """

    max_copy_slippage_percent: Decimal
    max_signal_age_seconds: float
    minimum_funded_quote: Decimal
    at_par: AbstractSet[str] = frozenset({"USD"})

    def entry_reserve_percent(self, taker_fee_percent: Decimal) -> Decimal:
        """Kept back of the cash: an entry may cost as much more than its price as the bound says, and the fee on it."""
        bound, fee = percent_to_fraction(self.max_copy_slippage_percent), percent_to_fraction(taker_fee_percent)
        return ((1 + bound) * (1 + fee) - 1) * 100


def copy_limits(settings: Settings) -> CopyLimits:
    """As configured."""
    return CopyLimits(
        max_copy_slippage_percent=settings.copying.max_copy_slippage_percent,
        max_signal_age_seconds=settings.copying.max_signal_age_seconds,
        minimum_funded_quote=settings.minimum_funded_usd,
        at_par=settings.currencies_at_par(),
    )
