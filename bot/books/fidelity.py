"""How faithfully a user's trade followed the master's, in money, and what made the difference.

The ideal is the master's trade times the user's ratio: q_i units at the master's average price P_m with the master's
share of the fee, f_i. What happened: q_a units at P_a with the fee f_a. Both are compared at one price m, at which what
was bought is worth something: what the master's later exits brought, as far as it has sold, and else the price now. For
a purchase

    whole = [q_a (m - P_a) - f_a] - [q_i (m - P_m) - f_i]

and for a sale the same with the other sign of both brackets' prices. It is split without remainder into

    latency   q_a (P_m - P_s)        P_s = the market's best price when the copies were planned
    price     q_a (P_s - P_a)        the spread, and what the order itself and those before it have moved
    fee       f_i - f_a
    quantity  (q_a - q_i)(m - P_m)   by what made it: a cap, rounding and minimums, a part that was not filled, a skip

Where P_s is not known, latency and price are one part, `price`. A trade by hand in a copied market has no ideal: all of
it is difference. What is not known stays unknown, and is in no sum.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from bot.books.exactly import add, multiply, quotient, subtract
from bot.domain.order import Side
from bot.domain.signal import CopyReason

_ZERO = Decimal(0)
_CENT = Decimal("0.01")


class Cause(StrEnum):
    """What made a part of the difference. The values are for people."""

    LATENCY = "latency"
    PRICE = "price"
    FEE = "fee"
    CAP = "cap"
    ROUNDING = "rounding or minimum"
    UNFILLED = "not filled"
    SKIPPED = "skipped"
    MANUAL = "trade by hand"


# Skips that say which step of the sizing has left nothing; every other reason keeps its own word.
_CAUSES: Mapping[str, Cause] = {
    CopyReason.CAP_REACHED: Cause.CAP,
    CopyReason.LIMIT: Cause.CAP,
    CopyReason.INSUFFICIENT_FUNDS: Cause.CAP,
    CopyReason.BELOW_MINIMUM: Cause.ROUNDING,
    CopyReason.DUST: Cause.ROUNDING,
    CopyReason.NOT_FILLED: Cause.UNFILLED,
    CopyReason.PRICE_MOVED: Cause.UNFILLED,
}
_SAID_BY_THE_CAUSE = (CopyReason.NONE, CopyReason.NOT_FILLED, CopyReason.BELOW_MINIMUM, CopyReason.CAP_REACHED)


@dataclass(frozen=True)
class Part:
    """A part of the difference in quote units: above zero the user did better than the ideal. `reason` is a word."""

    cause: Cause
    amount: Decimal
    reason: str = ""

    @property
    def name(self) -> str:
        """`skipped: balance_stale`."""
        return f"{self.cause}: {self.reason}" if self.reason else str(self.cause)


@dataclass(frozen=True, kw_only=True)
class Copied:
    """One copy as it was meant and as it came out. Quantities in base units, prices and fees in quote units.

    `ideal_quantity` is None when the user's ratio is not known; `master_fee` and `fee` are None when they are in an
    asset whose price is not known, and then count as nothing. `seen_price` is P_s. `capped_quantity` is what caps left,
    `planned_quantity` that after rounding; None = it never came to that. `reason` says why less was traded than meant.
    """

    side: Side
    ideal_quantity: Decimal | None
    master_price: Decimal
    master_fee: Decimal | None
    quantity: Decimal
    price: Decimal | None
    fee: Decimal | None
    seen_price: Decimal | None = None
    capped_quantity: Decimal | None = None
    planned_quantity: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True)
class Difference:
    """The whole and its parts, which add up to it exactly; None and no parts = not known, and `why`."""

    whole: Decimal | None
    parts: Sequence[Part] = ()
    why: str = ""


def difference_of(copy: Copied, reference: Decimal | None) -> Difference:
    """The copy against its ideal, both worth `reference` (m) a unit; None = m is not known."""
    if copy.ideal_quantity is None:
        return Difference(None, why="the user's share is not known")
    sign = 1 if copy.side is Side.BUY else -1
    parts = [*_prices(copy, sign), *_fees(copy)]
    steps = [(cause, step, word) for cause, step, word in _steps(copy, copy.ideal_quantity) if step]
    if steps and reference is None:
        return Difference(None, why="what the master's trade is worth now is not known")
    gain = _ZERO if reference is None else multiply(Decimal(sign), subtract(reference, copy.master_price))
    parts += [Part(cause, multiply(step, gain), word) for cause, step, word in steps]
    parts = [part for part in parts if part.amount]
    return Difference(total(part.amount for part in parts), parts)


def difference_by_hand(
    *, side: Side, quantity: Decimal, price: Decimal, fee: Decimal | None, reference: Decimal | None
) -> Difference:
    """A trade that the ideal does not have."""
    if reference is None:
        return Difference(None, why="what it is worth now is not known")
    gain = subtract(reference, price) if side is Side.BUY else subtract(price, reference)
    whole = subtract(multiply(quantity, gain), fee or _ZERO)
    return Difference(whole, [Part(Cause.MANUAL, whole)] if whole else [])


def _prices(copy: Copied, sign: int) -> list[Part]:
    if copy.price is None or not copy.quantity:
        return []
    traded = multiply(Decimal(sign), copy.quantity)
    if copy.seen_price is None:
        return [Part(Cause.PRICE, multiply(traded, subtract(copy.master_price, copy.price)))]
    return [
        Part(Cause.LATENCY, multiply(traded, subtract(copy.master_price, copy.seen_price))),
        Part(Cause.PRICE, multiply(traded, subtract(copy.seen_price, copy.price))),
    ]


def _fees(copy: Copied) -> list[Part]:
    return [Part(Cause.FEE, subtract(copy.master_fee or _ZERO, copy.fee or _ZERO))]


def _steps(copy: Copied, ideal: Decimal) -> Iterable[tuple[Cause, Decimal, str]]:
    """(cause, how many units it made of the way from the ideal to what was traded, a word)."""
    capped = ideal if copy.capped_quantity is None else copy.capped_quantity
    yield Cause.CAP, subtract(capped, ideal), ""
    planned = capped if copy.planned_quantity is None else copy.planned_quantity
    yield Cause.ROUNDING, subtract(planned, capped), ""
    cause = _CAUSES.get(copy.reason, Cause.SKIPPED) if copy.reason else Cause.UNFILLED
    word = "" if copy.reason in _SAID_BY_THE_CAUSE else copy.reason
    yield cause, subtract(copy.quantity, planned), word


@dataclass(frozen=True)
class MasterTrade:
    """A signal as the reference needs it; `fraction` of its position is what the master sold, None = it bought."""

    signal_id: str
    price: Decimal
    fraction: Decimal | None
    at: datetime


@dataclass(frozen=True)
class Reference:
    """m, and how much of it is not sold yet and stands at the price of now: 0 = all of it is sold."""

    price: Decimal | None
    open_fraction: Decimal


def references(trades: Sequence[MasterTrade], mark: Decimal | None) -> Mapping[str, Reference]:
    """For each trade of a master in one market, in their order, what a unit held after it is worth.

    Each exit sells its fraction of whatever is held, as it does with the users' lots; what is left stands at `mark`,
    the price of now (None = not known).
    """
    found: dict[str, Reference] = {}
    after = Reference(mark, Decimal(1))
    for trade in reversed(trades):
        found[trade.signal_id] = after
        if trade.fraction is not None:
            after = _with_exit(after, trade.price, trade.fraction)
    return found


def _with_exit(after: Reference, price: Decimal, fraction: Decimal) -> Reference:
    """A price of comparison and nothing that is booked: digits beyond the eighteenth are of no meaning to it."""
    kept = subtract(Decimal(1), min(fraction, Decimal(1)))
    left = quotient(multiply(after.open_fraction, kept), Decimal(1))
    if not kept:
        return Reference(price, _ZERO)
    if after.price is None:
        return Reference(None, left)
    mixed = add(multiply(fraction, price), multiply(kept, after.price))
    return Reference(quotient(mixed, Decimal(1)), left)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    found = _ZERO
    for amount in amounts:
        found = add(found, amount)
    return found


def to_cents(amounts: Sequence[Decimal]) -> Sequence[Decimal]:
    """The amounts in whole cents that add up to their sum in whole cents: what is cut off goes to the largest rests."""
    floors = [amount.quantize(_CENT, ROUND_FLOOR) for amount in amounts]
    wanted = total(amounts).quantize(_CENT, ROUND_HALF_EVEN)
    missing = int(subtract(wanted, total(floors)) / _CENT)
    by_rest = sorted(range(len(amounts)), key=lambda n: (floors[n] - amounts[n], n))
    raised = frozenset(by_rest[:missing])
    return [add(floor, _CENT) if n in raised else floor for n, floor in enumerate(floors)]
