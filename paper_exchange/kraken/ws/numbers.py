"""JSON as Kraken's sockets write it: amounts are numbers with all their decimals, trailing zeros included."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

_UNITS = tuple(Decimal(1).scaleb(-decimals) for decimals in range(31))
encode = msgspec.json.Encoder().encode
"""Everything but amounts as any encoder writes it; amounts come as ``number``."""


def number(amount: Decimal, decimals: int) -> msgspec.Raw:
    """``0.00100000``: exactly ``decimals`` decimals. A float would lose zeros and write ``1e-08``."""
    return msgspec.Raw(number_text(amount, decimals).encode())


def number_text(amount: Decimal, decimals: int) -> str:
    return format(amount.quantize(_UNITS[decimals], rounding=ROUND_HALF_EVEN), "f")


def whole(value: int) -> msgspec.Raw:
    """A number that may exceed 64 bits."""
    return msgspec.Raw(str(value).encode())
