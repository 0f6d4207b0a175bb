"""Arithmetic without rounding: whatever precision a thread has set, products and sums of money keep every digit."""

from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow

# Amounts have at most 40 digits, quotients 28: room for sums of products of many of them, which costs nothing while it
# is not used. What would not fit even here raises instead of being rounded.
EXACT = Context(prec=500, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])

add = EXACT.add
subtract = EXACT.subtract
multiply = EXACT.multiply
negate = EXACT.minus

# Quotients are rounded to this, one part in 1e18 of a unit of money: below every venue's last digit.
_LAST_DIGIT = Decimal("1e-18")


def quotient(amount: Decimal, divisor: Decimal) -> Decimal:
    """To 18 digits after the point, half to even."""
    return _ROUNDING.quantize(_ROUNDING.divide(amount, divisor), _LAST_DIGIT)


def share(whole: Decimal, *, before: Decimal, after: Decimal, of: Decimal) -> Decimal:
    """The part of `whole` that belongs to the way from `before` to `after`, of `of`; the parts add up to the whole."""
    return subtract(_share_until(whole, after, of), _share_until(whole, before, of))


def _share_until(whole: Decimal, reached: Decimal, of: Decimal) -> Decimal:
    return whole if reached == of else quotient(_ROUNDING.multiply(whole, reached), of)
