"""How Alpaca writes amounts: text in the trading API, numbers in the market data."""

from __future__ import annotations

from decimal import Decimal

AVERAGE_DIGITS = Decimal("1E-9")
CENT = Decimal("0.01")


def text(amount: Decimal) -> str:
    """Plain digits, without zeros at the end of the fraction."""
    whole = amount.to_integral_value()
    return format(whole if amount == whole else amount.normalize(), "f")


def text_or_none(amount: Decimal | None) -> str | None:
    return None if amount is None else text(amount)


def number(amount: Decimal) -> int | float:
    """A JSON number. Prices of stocks have few digits, so that none is lost."""
    whole = int(amount)
    return whole if amount == whole else float(amount)
