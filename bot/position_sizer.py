"""How large a copy is. Pure: values in, a size or a reason out."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from bot.domain.instrument import Instrument
from bot.domain.money import percent_to_fraction
from bot.domain.signal import CopyReason
from bot.domain.symbol import quote_of

_ZERO = Decimal(0)


class CopyMode(StrEnum):
    """What a user's size is derived from."""

    BALANCE_RATIO = "balance_ratio"
    FIXED_AMOUNT = "fixed_amount"
    FIXED_RATIO = "fixed_ratio"


@dataclass(frozen=True, kw_only=True)
class CopyRules:
    """One user's copy settings. Amounts are in the currency of the limits (USD); None = no cap."""

    mode: CopyMode = CopyMode.BALANCE_RATIO
    risk_multiplier: Decimal = Decimal(1)
    fixed_amount_quote: Decimal | None = None
    fixed_ratio: Decimal | None = None
    max_trade_notional_quote: Decimal | None = None
    max_symbol_notional_quote: Decimal | None = None
    max_total_notional_quote: Decimal | None = None
    allow_symbols: frozenset[str] = frozenset()
    deny_symbols: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class EntryToCopy:
    """The master's entry and both balances from before its order (cash in the quote currency).

    `reserve_percent` of the price is kept back for the fee and the price bound. `at_par` are the currencies that count
    one to one as that of the caps; an amount in any other is not compared with them.
    """

    symbol: str
    quantity: Decimal
    price: Decimal
    master_balance: Decimal | None
    user_balance: Decimal
    user_available: Decimal
    reserve_percent: Decimal
    user_exposure_by_symbol: Mapping[str, Decimal]
    at_par: AbstractSet[str] = frozenset({"USD"})

    def not_comparable(self, symbols: AbstractSet[str]) -> str:
        """Which of these markets is paid in a currency that nobody can put into that of the caps; empty = none."""
        return next((symbol for symbol in sorted(symbols) if quote_of(symbol) not in self.at_par), "")


@dataclass(frozen=True)
class Size:
    """A size that may be sent; `ratio` is user to master, frozen for the position's life.

    `capped` is what caps and the cash that is there have left of the user's share, before it was rounded (base units).
    """

    quantity: Decimal
    ratio: Decimal
    capped: Decimal | None = None


@dataclass(frozen=True)
class NoSize:
    """Why there is no size. `detail` has the numbers that were compared."""

    reason: CopyReason
    detail: str
    ratio: Decimal | None = None
    capped: Decimal | None = None


class PositionSizer:
    """`user_size = master_size × user_balance / master_balance`, then caps, then down to the lot, then the minimum.

    Rounding is always down: a copy never exceeds its share, its cap or the cash that is there.
    """

    def size_entry(self, entry: EntryToCopy, rules: CopyRules, instrument: Instrument) -> Size | NoSize:
        """The quantity (base units) of a user's entry, or the reason why there is none."""
        ratio = _ratio(entry, rules)
        if not _allowed(entry.symbol, rules):
            why = f"{entry.symbol} is not on this user's list"
            return NoSize(CopyReason.SYMBOL_NOT_ALLOWED, why, ratio if isinstance(ratio, Decimal) else None)
        if isinstance(ratio, NoSize):
            return ratio
        wanted = entry.quantity * entry.price * ratio
        notional = _capped_notional(entry, rules, wanted)
        if isinstance(notional, NoSize):
            return replace(notional, ratio=ratio)
        uncapped = entry.quantity * ratio
        # A division rounds: what no cap has touched is not divided.
        capped = uncapped if notional == wanted else min(uncapped, notional / entry.price)
        quantity = instrument.floor_quantity(capped)
        too_small = instrument.below_minimum(quantity, entry.price)
        if too_small:
            return NoSize(CopyReason.BELOW_MINIMUM, f"{too_small} (before rounding {uncapped:f})", ratio, capped)
        return Size(quantity, ratio, capped)

    def ratio_of(self, entry: EntryToCopy, rules: CopyRules) -> Decimal | None:
        """User to master by these rules, whether or not it may be copied; None = it cannot be known."""
        ratio = _ratio(entry, rules)
        return ratio if isinstance(ratio, Decimal) else None

    def size_exit(self, *, due: Decimal, held: Decimal, instrument: Instrument, price: Decimal) -> Size | NoSize:
        """How much of a holding to sell when `due` of it should go; all when less than the minimum would remain."""
        if held <= 0:
            return NoSize(CopyReason.NOTHING_HELD, "nothing of this symbol is held for copying")
        sellable = instrument.floor_quantity(held)
        quantity = min(sellable, instrument.floor_quantity(due))
        if instrument.below_minimum(held - quantity, price):
            quantity = sellable
        too_small = instrument.below_minimum(quantity, price)
        if too_small and instrument.below_minimum(sellable, price):
            return NoSize(CopyReason.DUST, f"all that is held cannot be sold: {too_small}")
        if too_small:
            return NoSize(CopyReason.BELOW_MINIMUM, too_small)
        return Size(quantity, due / held)

    def size_master_entry(
        self, *, cash_quote: Decimal, percent_of_cash: Decimal, price: Decimal, instrument: Instrument
    ) -> Size | NoSize:
        """A master's own entry: a percentage of its available cash at this price."""
        quantity = instrument.floor_quantity(cash_quote * percent_to_fraction(percent_of_cash) / price)
        too_small = instrument.below_minimum(quantity, price)
        if too_small:
            return NoSize(CopyReason.BELOW_MINIMUM, too_small)
        return Size(quantity, Decimal(1))


def _allowed(symbol: str, rules: CopyRules) -> bool:
    return (not rules.allow_symbols or symbol in rules.allow_symbols) and symbol not in rules.deny_symbols


def _ratio(entry: EntryToCopy, rules: CopyRules) -> Decimal | NoSize:
    if rules.mode is CopyMode.FIXED_AMOUNT:
        if rules.fixed_amount_quote is None:
            return NoSize(CopyReason.CAP_REACHED, "copy mode fixed_amount has no amount set")
        if entry.not_comparable({entry.symbol}):
            return _not_known(entry.symbol, "fixed_amount_usd")
        return rules.risk_multiplier * rules.fixed_amount_quote / (entry.quantity * entry.price)
    if rules.mode is CopyMode.FIXED_RATIO:
        if rules.fixed_ratio is None:
            return NoSize(CopyReason.CAP_REACHED, "copy mode fixed_ratio has no ratio set")
        return rules.risk_multiplier * rules.fixed_ratio
    if entry.master_balance is None or entry.master_balance <= 0:
        return NoSize(CopyReason.MASTER_BALANCE_UNKNOWN, "the master's balance before its order is not known")
    return rules.risk_multiplier * entry.user_balance / entry.master_balance


def _capped_notional(entry: EntryToCopy, rules: CopyRules, notional: Decimal) -> Decimal | NoSize:
    """Caps in this order: per trade, per symbol, in total, and the cash that is there including the fee."""
    exposure = entry.user_exposure_by_symbol
    for name, cap, used in (
        ("max_trade_notional_usd", rules.max_trade_notional_quote, None),
        ("max_symbol_notional_usd", rules.max_symbol_notional_quote, {entry.symbol}),
        ("max_total_notional_usd", rules.max_total_notional_quote, exposure.keys()),
    ):
        if cap is None:
            continue
        unknown = entry.not_comparable({entry.symbol, *(symbol for symbol in used or () if exposure.get(symbol))})
        if unknown:
            return _not_known(unknown, name)
        room = cap if used is None else cap - sum((exposure.get(symbol, _ZERO) for symbol in used), _ZERO)
        if room <= 0:
            total = sum(exposure.values(), _ZERO)
            return NoSize(CopyReason.CAP_REACHED, f"{name} leaves no room (already {total:f} held)")
        notional = min(notional, room)
    affordable = entry.user_available / (1 + percent_to_fraction(entry.reserve_percent))
    if affordable <= 0:
        return NoSize(CopyReason.INSUFFICIENT_FUNDS, f"available cash is {entry.user_available:f}")
    return min(notional, affordable)


def _not_known(symbol: str, setting: str) -> NoSize:
    return NoSize(CopyReason.CAP_REACHED, f"{setting} cannot be held: what {symbol} is worth in USD is not known")
