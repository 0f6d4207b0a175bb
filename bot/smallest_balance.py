"""The smallest balance with which a user would have copied what its master has bought. Pure.

By the very `PositionSizer` that sizes the copies: an entry is copied from some balance on and with every larger one, so
that balance is found by halving. Each entry is taken by itself, with all of the balance as cash and nothing held.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil

from bot.domain.instrument import Instrument
from bot.position_sizer import BelowMinimum, CopyMode, CopyRules, EntryToCopy, PositionSizer, Size

# No account has more; what is not copied with it is never copied.
MOST_CENTS = 10**12
_SIZER = PositionSizer()


@dataclass(frozen=True, kw_only=True)
class PastEntry:
    """What a master has bought (base units, quote per base) out of what it had before (quote units).

    `instrument` None = the venue's minimums are not known.
    """

    symbol: str
    quantity: Decimal
    price: Decimal
    master_balance: Decimal | None
    master_equity: Decimal | None
    instrument: Instrument | None


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a copy is bound to besides the user's rules; an account worth less than `least_funded` copies nothing."""

    reserve_percent: Decimal
    least_funded: Decimal
    at_par: AbstractSet[str]


@dataclass(frozen=True)
class Smallest:
    """`entries` were looked at, `unknown` of them tell nothing (no minimum, no balance of the master's).

    `for_90` and `for_99` (quote units) would have copied so many percent of the others; None = no balance would.
    `never` of them no balance would copy: they are not on the user's list, or a cap is below the minimum.
    """

    entries: int
    unknown: int
    never: int
    for_90: Decimal | None
    for_99: Decimal | None
    copied_with_present: int | None

    @property
    def known(self) -> int:
        return self.entries - self.unknown

    @property
    def caution(self) -> str:
        """What the numbers do not say; empty when there are enough of them."""
        if self.known == 0:
            return "nothing is known of any entry"
        if self.known < 10:
            return f"{self.known} entries are too few to mean anything: both figures are those of single entries"
        if self.known < 100:
            return f"with {self.known} entries, 99 % of them are all of them"
        return ""


def would_copy(entry: PastEntry, rules: CopyRules, balance: Decimal, terms: Terms) -> bool:
    """Whether a user with this balance would have got an order."""
    if entry.instrument is None or balance < terms.least_funded:
        return False
    to_copy = EntryToCopy(
        symbol=entry.symbol,
        quantity=entry.quantity,
        price=entry.price,
        master_balance=entry.master_balance,
        user_balance=balance,
        user_available=balance,
        reserve_percent=terms.reserve_percent,
        user_exposure_by_symbol={},
        at_par=terms.at_par,
        master_equity=entry.master_equity,
        user_equity=balance,
    )
    return isinstance(_SIZER.size_entry(to_copy, rules, entry.instrument), Size)


def smallest_for(entry: PastEntry, rules: CopyRules, terms: Terms) -> Decimal | None:
    """The smallest balance, to the cent, with which this entry is copied; None = there is none."""
    if not would_copy(entry, rules, _quote(MOST_CENTS), terms):
        return None
    too_small, enough = 0, MOST_CENTS
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if would_copy(entry, rules, _quote(middle), terms):
            enough = middle
        else:
            too_small = middle
    return _quote(enough)


def smallest_balances(
    entries: Sequence[PastEntry], rules: CopyRules, terms: Terms, *, present: Decimal | None
) -> Smallest:
    """For one user; what it gathers below the minimum (`accumulate`) counts as not copied."""
    if rules.below_minimum is BelowMinimum.ACCUMULATE:
        rules = replace(rules, below_minimum=BelowMinimum.SKIP)
    known = [entry for entry in entries if _is_known(entry, rules)]
    found = [smallest_for(entry, rules, terms) for entry in known]
    some = sorted(balance for balance in found if balance is not None)
    return Smallest(
        entries=len(entries),
        unknown=len(entries) - len(known),
        never=len(found) - len(some),
        for_90=_enough_for(some, 90, len(found)),
        for_99=_enough_for(some, 99, len(found)),
        copied_with_present=None
        if present is None
        else sum(would_copy(entry, rules, present, terms) for entry in known),
    )


def _is_known(entry: PastEntry, rules: CopyRules) -> bool:
    if rules.mode is CopyMode.BALANCE_RATIO and entry.master_balance is None:
        return False
    if rules.mode is CopyMode.EQUITY_RATIO and entry.master_equity is None:
        return False
    return entry.instrument is not None


def _enough_for(balances: Sequence[Decimal], percent: int, number: int) -> Decimal | None:
    """`balances` ascend; of `number` entries at least so many percent are to be copied."""
    wanted = ceil(Decimal(number) * percent / 100)
    return balances[wanted - 1] if 0 < wanted <= len(balances) else None


def _quote(cents: int) -> Decimal:
    return Decimal(cents) / 100
