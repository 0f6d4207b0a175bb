"""How large a copy is. Pure: values in, a size or a reason out."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from bot.domain.instrument import Instrument
from bot.domain.money import ceil_to_step, percent_to_fraction, plain
from bot.domain.signal import CopyReason
from bot.domain.symbol import quote_of
from bot.settings.users import CopySettings

_ZERO = Decimal(0)


class CopyMode(StrEnum):
    """What a user's size is derived from."""

    BALANCE_RATIO = "balance_ratio"
    EQUITY_RATIO = "equity_ratio"
    FIXED_AMOUNT = "fixed_amount"
    FIXED_RATIO = "fixed_ratio"


class BelowMinimum(StrEnum):
    """What becomes of a share that is smaller than the venue's smallest order."""

    SKIP = "skip"
    ROUND_UP = "round_up"
    ACCUMULATE = "accumulate"


@dataclass(frozen=True, kw_only=True)
class CopyRules:
    """One user's copy settings. Amounts are in the currency of the limits (USD); None = no cap.

    `round_up_max_factor`: with `round_up`, the smallest order may be at most so many times the share.
    """

    mode: CopyMode = CopyMode.BALANCE_RATIO
    risk_multiplier: Decimal = Decimal(1)
    fixed_amount_quote: Decimal | None = None
    fixed_ratio: Decimal | None = None
    max_trade_notional_quote: Decimal | None = None
    max_symbol_notional_quote: Decimal | None = None
    max_total_notional_quote: Decimal | None = None
    allow_symbols: frozenset[str] = frozenset()
    deny_symbols: frozenset[str] = frozenset()
    below_minimum: BelowMinimum = BelowMinimum.SKIP
    round_up_max_factor: Decimal = Decimal(2)
    accumulate_hours: Decimal = Decimal(24)


def rules_of(settings: CopySettings) -> CopyRules:
    """What a user's file and the section `copying` say."""
    return CopyRules(
        mode=CopyMode(settings.copy_mode),
        risk_multiplier=settings.risk_multiplier,
        fixed_amount_quote=settings.fixed_amount_usd,
        fixed_ratio=settings.fixed_ratio,
        max_trade_notional_quote=settings.max_trade_notional_usd,
        max_symbol_notional_quote=settings.max_symbol_notional_usd,
        max_total_notional_quote=settings.max_total_notional_usd,
        allow_symbols=frozenset(settings.allow_symbols),
        deny_symbols=frozenset(settings.deny_symbols),
        below_minimum=BelowMinimum(settings.below_minimum),
        round_up_max_factor=settings.round_up_max_factor,
        accumulate_hours=settings.accumulate_hours,
    )


@dataclass(frozen=True)
class EarlierParts:
    """What a user has got of the parts of the master's order, or of its chain of orders, that were traded before.

    `ratio` is that of the first part: what it has cost since makes the user no smaller for the next. `due` is what caps
    have left of its shares, `planned` what was ordered of that (base units).
    """

    ratio: Decimal | None
    due: Decimal
    planned: Decimal

    @property
    def left(self) -> Decimal:
        """What rounding down and minimums have left over for the next part (base units); below zero what rounding up
        has bought beyond the shares."""
        return self.due - self.planned


@dataclass(frozen=True, kw_only=True)
class EntryToCopy:
    """The master's entry and both balances from before its order (cash in the quote currency).

    `master_equity` and `user_equity` are cash and everything held at the prices of now, in the quote currency, from
    before the order too; None = not known, and `equity_problem` says why. `kept` is what was too small of earlier
    entries (base units). `reserve_percent` of the price is kept back for the fee and the price bound. `at_par` are the
    currencies that count one to one as that of the caps; an amount in any other is not compared with them.
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
    master_equity: Decimal | None = None
    user_equity: Decimal | None = None
    equity_problem: str = ""
    kept: Decimal = _ZERO
    earlier: EarlierParts | None = None

    def not_comparable(self, symbols: AbstractSet[str]) -> str:
        """Which of these markets is paid in a currency that nobody can put into that of the caps; empty = none."""
        return next((symbol for symbol in sorted(symbols) if quote_of(symbol) not in self.at_par), "")


@dataclass(frozen=True)
class Size:
    """A size that may be sent; `ratio` is user to master, frozen for the position's life.

    `capped` is what caps and the cash that is there have left of the user's share, before it was rounded (base units).
    `words` tell what made the size another than the share, in the order in which it was done.
    """

    quantity: Decimal
    ratio: Decimal
    capped: Decimal | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoSize:
    """Why there is no size. `detail` has the numbers that were compared.

    `kept` is what is kept for a later entry, all in all (base units); None = that is left as it was.
    """

    reason: CopyReason
    detail: str
    ratio: Decimal | None = None
    capped: Decimal | None = None
    kept: Decimal | None = None


@dataclass(frozen=True)
class _Room:
    """What caps and cash leave (quote units; None = nothing binds), and the word of each cap that has cut."""

    notional: Decimal
    words: tuple[str, ...]


class PositionSizer:
    """`user_size = master_size × user_balance / master_balance`, then caps, then down to the lot, then the minimum.

    Rounding is down: a copy never exceeds its share, its cap or the cash that is there. Only who has chosen `round_up`
    gets more than its share, and never more than its caps and its cash.
    """

    def size_entry(self, entry: EntryToCopy, rules: CopyRules, instrument: Instrument) -> Size | NoSize:
        """The quantity (base units) of a user's entry, or the reason why there is none."""
        ratio = _ratio(entry, rules)
        if not _allowed(entry.symbol, rules):
            why = f"{entry.symbol} is not on this user's list"
            return NoSize(CopyReason.SYMBOL_NOT_ALLOWED, why, ratio if isinstance(ratio, Decimal) else None)
        if isinstance(ratio, NoSize):
            return ratio
        share = entry.quantity * ratio
        uncapped, words = _with_kept(entry, rules, share)
        wanted = uncapped * entry.price
        room = _room(entry, rules, wanted)
        if isinstance(room, NoSize):
            return replace(room, ratio=ratio)
        # A division rounds: what no cap has touched is not divided.
        capped = min(uncapped, room.notional / entry.price) if room.notional < wanted else uncapped
        # Of what a cap has cut, the share of this part goes first.
        own = share if capped == uncapped else min(share, capped)
        quantity = instrument.floor_quantity(capped)
        too_small = instrument.below_minimum(quantity, entry.price)
        if too_small:
            return _below_minimum(entry, rules, instrument, ratio, own=own, capped=capped, too_small=too_small)
        return Size(quantity, ratio, own, (*words, *room.words))

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


def _with_kept(entry: EntryToCopy, rules: CopyRules, share: Decimal) -> tuple[Decimal, tuple[str, ...]]:
    """The share with what was left over before (base units), and the word that tells of it.

    What is kept for all later entries of the market includes what is left over of this one's parts.
    """
    if rules.below_minimum is BelowMinimum.ACCUMULATE:
        return share + entry.kept, (f"with {plain(entry.kept)} kept of earlier entries",) if entry.kept > 0 else ()
    left = _ZERO if entry.earlier is None else entry.earlier.left
    if left == 0:
        return share, ()
    word = f"with {plain(left)} left over" if left > 0 else f"less {plain(-left)} that were rounded up"
    return max(_ZERO, share + left), (f"{word} of the order's earlier parts",)


def _allowed(symbol: str, rules: CopyRules) -> bool:
    return (not rules.allow_symbols or symbol in rules.allow_symbols) and symbol not in rules.deny_symbols


def _ratio(entry: EntryToCopy, rules: CopyRules) -> Decimal | NoSize:
    """The same for all parts of one order; a fixed amount is bought with the first."""
    if entry.earlier is None or entry.earlier.ratio is None:
        return _first_ratio(entry, rules)
    return _ZERO if rules.mode is CopyMode.FIXED_AMOUNT else entry.earlier.ratio


def _first_ratio(entry: EntryToCopy, rules: CopyRules) -> Decimal | NoSize:
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
    if rules.mode is CopyMode.EQUITY_RATIO:
        return _equity_ratio(entry, rules)
    if entry.master_balance is None or entry.master_balance <= 0:
        return NoSize(CopyReason.MASTER_BALANCE_UNKNOWN, "the master's balance before its order is not known")
    return rules.risk_multiplier * entry.user_balance / entry.master_balance


def _equity_ratio(entry: EntryToCopy, rules: CopyRules) -> Decimal | NoSize:
    if entry.master_equity is None or entry.user_equity is None or entry.master_equity <= 0:
        why = entry.equity_problem or "what both accounts are worth is not known"
        return NoSize(CopyReason.EQUITY_UNKNOWN, why)
    return rules.risk_multiplier * entry.user_equity / entry.master_equity


def _room(entry: EntryToCopy, rules: CopyRules, wanted: Decimal) -> _Room | NoSize:
    """What may be spent: caps in this order: per trade, per symbol, in total, and the cash that is there with the fee.

    Each cap that makes it less leaves its word.
    """
    exposure, room, words = entry.user_exposure_by_symbol, wanted, []
    for name, cap, used in _caps(entry, rules):
        if cap is None:
            continue
        unknown = entry.not_comparable({entry.symbol, *(symbol for symbol in used if exposure.get(symbol))})
        if unknown:
            return _not_known(unknown, name)
        held = sum((exposure.get(symbol, _ZERO) for symbol in used), _ZERO)
        if cap - held <= 0:
            total = sum(exposure.values(), _ZERO)
            return NoSize(CopyReason.CAP_REACHED, f"{name} leaves no room (already {total:f} held)")
        if cap - held < room:
            words.append(f"{name} cut {room:.2f} to {cap - held:.2f}")
            room = cap - held
    affordable = entry.user_available / (1 + percent_to_fraction(entry.reserve_percent))
    if affordable <= 0:
        return NoSize(CopyReason.INSUFFICIENT_FUNDS, f"available cash is {entry.user_available:f}")
    if affordable < room:
        words.append(f"available cash cut {room:.2f} to {affordable:.2f}")
    return _Room(min(room, affordable), tuple(words))


def _caps(entry: EntryToCopy, rules: CopyRules) -> tuple[tuple[str, Decimal | None, AbstractSet[str]], ...]:
    """(setting, cap, the symbols of which holdings count against it)."""
    return (
        ("max_trade_notional_usd", rules.max_trade_notional_quote, frozenset()),
        ("max_symbol_notional_usd", rules.max_symbol_notional_quote, {entry.symbol}),
        ("max_total_notional_usd", rules.max_total_notional_quote, entry.user_exposure_by_symbol.keys()),
    )


def least_quantity(instrument: Instrument, price: Decimal) -> Decimal:
    """The venue's smallest order at this price, in whole lots (base units)."""
    by_notional = instrument.minimum_notional / price
    least = ceil_to_step(max(instrument.minimum_quantity, by_notional, instrument.lot_step), instrument.lot_step)
    # The quotient was rounded, perhaps downwards.
    return least if instrument.below_minimum(least, price) is None else least + instrument.lot_step


def _below_minimum(
    entry: EntryToCopy,
    rules: CopyRules,
    instrument: Instrument,
    ratio: Decimal,
    *,
    own: Decimal,
    capped: Decimal,
    too_small: str,
) -> Size | NoSize:
    """`capped` is less than the venue takes; `own` of it is this part's share."""
    least = least_quantity(instrument, entry.price)
    if rules.below_minimum is BelowMinimum.ACCUMULATE:
        detail = f"kept for later: {plain(capped)} of {plain(least)}"
        return NoSize(CopyReason.BELOW_MINIMUM, detail, ratio, own, capped)
    gathered, words = _with_kept(entry, rules, entry.quantity * ratio)
    detail = f"{too_small} (before rounding {gathered:f})"
    if rules.below_minimum is BelowMinimum.ROUND_UP:
        why = _why_not_up(entry, rules, gathered, least)
        if not why:
            return Size(least, ratio, own, (*words, f"rounded up from {plain(gathered)} to the minimum"))
        return NoSize(CopyReason.BELOW_MINIMUM, f"{detail}; {why}", ratio, own)
    return NoSize(CopyReason.BELOW_MINIMUM, detail, ratio, own)


def _why_not_up(entry: EntryToCopy, rules: CopyRules, share: Decimal, least: Decimal) -> str:
    """Why the smallest order is not bought in the place of the share; empty = it is."""
    if least > rules.round_up_max_factor * share:
        return f"not rounded up: {plain(least)} is more than {plain(rules.round_up_max_factor)} times the share"
    room = _room(entry, rules, least * entry.price)
    if isinstance(room, NoSize):
        return f"not rounded up: {room.detail}"
    return f"not rounded up: {room.words[-1]}" if room.notional < least * entry.price else ""


def _not_known(symbol: str, setting: str) -> NoSize:
    return NoSize(CopyReason.CAP_REACHED, f"{setting} cannot be held: what {symbol} is worth in USD is not known")
