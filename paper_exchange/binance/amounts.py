"""Amounts and times as Binance writes them: eight decimals in text, milliseconds since 1970."""

from __future__ import annotations

from decimal import Decimal

NANOSECONDS_PER_MILLISECOND = 1_000_000
DECIMALS = 8
UNIT = Decimal(1).scaleb(-DECIMALS)


def text(amount: Decimal) -> str:
    """Plain decimal text with eight decimals; more only where the amount has them, so that nothing is rounded away."""
    if amount == amount.quantize(UNIT):
        return format(amount.quantize(UNIT), "f")
    return format(amount, "f").rstrip("0")


def milliseconds(time_ns: int) -> int:
    return time_ns // NANOSECONDS_PER_MILLISECOND
