"""JSON as Kraken's sockets write it: amounts are numbers with all their decimals, trailing zeros included."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from paper_exchange.clock import rfc3339

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


_stamp_second = [-1, ""]


def stamp(time_ns: int) -> str:
    """RFC 3339 with microseconds. Times of one second come in crowds, so its text is kept."""
    second, rest = divmod(time_ns, 1_000_000_000)
    if _stamp_second[0] != second:
        _stamp_second[:] = [second, rfc3339(second * 1_000_000_000)[:20]]
    return f"{_stamp_second[1]}{rest // 1000:06d}Z"
