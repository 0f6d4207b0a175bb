"""One entry before its judges: the order, the limits, and what the books say at this moment."""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from bot.domain.instrument import Instrument
from bot.domain.money import plain
from bot.domain.symbol import quote_of
from bot.risk.books import Books, MastersTrade, Place
from bot.storage.exposure import Held, OpenEntry, Rough
from bot.storage.intents import OrderIntent

InstrumentOf = Callable[[str, str], Instrument | None]
# What one unit of a currency trades for in USD, of late; None = no market here tells.
PegOf = Callable[[str], Decimal | None]


class NotKnown(Exception):
    """A rule needs a number that nobody knows; the message says which. An entry is vetoed, never let out by it."""


@dataclass(frozen=True, kw_only=True)
class LimitRules:
    """Every limit; None = off. Percents are of what the name says, `_quote` is in `quote_currency`.

    `at_par` are other currencies that count one to one as that; what is paid in any else is not known in it.
    """

    max_positions: int | None = None
    max_positions_all_accounts: int | None = None
    max_order_notional_quote: Decimal | None = None
    max_symbol_notional_quote: Decimal | None = None
    max_account_notional_quote: Decimal | None = None
    max_total_notional_quote: Decimal | None = None
    max_daily_loss_percent: Decimal | None = None
    max_drawdown_percent: Decimal | None = None
    max_entries_per_minute: int | None = None
    max_entries_per_minute_all_accounts: int | None = None
    max_rejects_in_a_row: int | None = None
    rejects_pause_seconds: float = 900.0
    price_collar_percent: Decimal | None = None
    duplicate_entry_seconds: float | None = None
    max_depeg_percent: Decimal | None = None
    cooldown_after_loss_minutes: int | None = None
    max_losses_in_a_row: int | None = None
    losing_streak_pause_minutes: int = 60
    # A mark older than this says nothing about the present profit.
    mark_stale_seconds: float = 600.0
    quote_currency: str = "USD"
    at_par: AbstractSet[str] = frozenset()

    @cached_property
    def currencies(self) -> AbstractSet[str]:
        """All in which an amount counts as it stands."""
        return {self.quote_currency, *self.at_par}


class Case:
    """What the rules ask of the books; each thing at most once."""

    def __init__(
        self,
        books: Books,
        intent: OrderIntent,
        *,
        now: datetime,
        rules: LimitRules,
        listed: InstrumentOf,
        peg_of: PegOf = lambda _currency: None,
    ) -> None:
        self.books = books
        self.intent = intent
        self.now = now
        self.rules = rules
        self._listed = listed
        self.peg_of = peg_of

    @cached_property
    def held(self) -> Sequence[Held]:
        """The account's positions."""
        return self.books.held_of(self.intent.account_id)

    @cached_property
    def entries(self) -> Sequence[OpenEntry]:
        """The account's open entries, without this one."""
        return self.books.entries_of(self.intent.account_id, besides=self.intent.client_order_id)

    @cached_property
    def rough_of_all(self) -> Rough:
        """About what all accounts hold and are entering, without this entry."""
        return self.books.rough_of_all(currencies=self.rules.currencies, besides=self.intent.client_order_id)

    def cost_of_all(self) -> Decimal:
        """What all accounts hold and may still buy, without this entry. Raises `NotKnown`."""
        return self.books.cost_of_all(self, besides=self.intent.client_order_id)

    def places_of_all(self) -> AbstractSet[Place]:
        """(account, symbol) of all that is held, dust apart, or being entered, without this entry."""
        return self.books.places_of_all(self, besides=self.intent.client_order_id)

    @cached_property
    def masters_trade(self) -> MastersTrade:
        """(what names the order or chain of orders, price) of the trade that this entry copies."""
        signal_id = self.intent.signal_id
        return (None, None) if signal_id is None else self.books.masters_trade(signal_id)

    @property
    def reference_price(self) -> Decimal | None:
        """The price this entry was sized at."""
        price = self.intent.reference_price
        return self.masters_trade[1] if price is None else price

    @cached_property
    def notional(self) -> Decimal:
        """What the entry may cost. Raises `NotKnown` for one without any price."""
        self.check_currency(self.intent.symbol)
        price = self.intent.limit_price
        price = self.reference_price if price is None else price
        if price is None:
            raise NotKnown("the price that this entry was sized at is not known")
        return positive(self.intent.quantity, "its quantity") * positive(price, "its price")

    def is_dust(self, held: Held) -> bool:
        """Whether the venue is known to refuse to sell as little as this."""
        quantity = positive(held.quantity, f"the quantity of {held.symbol}")
        return is_dust(quantity, held.average_entry_price, self._listed(held.account_id, held.symbol))

    def check_currency(self, symbol: str) -> None:
        """Raises `NotKnown` for a market that is not paid in the currency of the limits, nor in one at par."""
        if quote_of(symbol) not in self.rules.currencies:
            raise NotKnown(f"what {symbol} is worth in {self.rules.quote_currency} is not known")

    def cost_of(self, held: Iterable[Held]) -> Decimal:
        """What positions have cost, by their average entry price."""
        total = Decimal(0)
        for one in held:
            self.check_currency(one.symbol)
            total += positive(one.quantity, f"the quantity of {one.symbol}") * positive(
                one.average_entry_price, f"the entry price of {one.symbol}"
            )
        return total

    def cost_of_open(self, entries: Iterable[OpenEntry]) -> Decimal:
        """What open entries may still cost."""
        total = Decimal(0)
        for one in entries:
            self.check_currency(one.symbol)
            price = one.reference_price if one.limit_price is None else one.limit_price
            if price is None:
                raise NotKnown(f"the price of the open order {one.client_order_id} is not known")
            total += max(Decimal(0), one.quantity - one.filled_quantity) * positive(price, "its price")
        return total


def is_dust(quantity: Decimal, price: Decimal, instrument: Instrument | None) -> bool:
    """Whether the venue would not buy as little as this (base units); False while its rules are not known."""
    if instrument is None:
        return False
    return instrument.below_minimum(instrument.floor_quantity(quantity), price) is not None


def positive(number: Decimal, what: str) -> Decimal:
    """The number itself. Raises `NotKnown` for one that is no finite amount above zero."""
    if not number.is_finite() or number <= 0:
        raise NotKnown(f"{what} is no amount: {number}")
    return number


def shown(number: Decimal) -> str:
    """For people and rows: exact up to eight digits after the point."""
    return plain(number.quantize(Decimal("0.00000001"))) if abs(number) < Decimal("1e15") else plain(number)
