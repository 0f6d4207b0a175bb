"""How money is shown to people: cents, a sign where it is a gain or a loss, and "unknown" where it is not known."""

from decimal import ROUND_HALF_EVEN, Decimal

from bot.domain.money import plain

UNKNOWN = "unknown"
_CENT = Decimal("0.01")


def cents(amount: Decimal | None) -> str:
    """`1,234.56`; the JSON has every digit."""
    return UNKNOWN if amount is None else f"{rounded(amount):,f}"


def signed(amount: Decimal | None) -> str:
    """`+12.30`, `-4.00`, `0.00`."""
    if amount is None:
        return UNKNOWN
    value = rounded(amount)
    return f"{value:+,f}" if value else "0.00"


def rounded(amount: Decimal) -> Decimal:
    """To the cent, half to even; never -0.00."""
    return amount.quantize(_CENT, ROUND_HALF_EVEN) + Decimal(0)


def fraction(value: Decimal | None, *, nothing: str) -> str:
    """`61.5 %` of 0.615; `nothing` where there is nothing to measure."""
    return nothing if value is None else f"{value * 100:.1f} %"


def exact(amount: Decimal | None) -> str | None:
    """For JSON: exact text, or null for what is not known."""
    return None if amount is None else plain(amount)


def units(quantity: Decimal) -> str:
    """Units of an asset, as they are."""
    return f"{Decimal(plain(quantity)):,f}"
