"""Numbers of money: one strict way in, one exact way out, and rounding that says its direction."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from bot.domain.errors import NumberRefused

# ASCII digits only: Python's own parsers also take other scripts' digits, `1_0`, `nan` and `inf`.
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
MAX_MAGNITUDE = Decimal("1e15")


def parse_decimal(value: object, *, field: str, minimum: Decimal | None = None) -> Decimal:
    """A finite decimal from a venue's or a file's text (or int, or Decimal), else `NumberRefused` naming the field."""
    number = _to_decimal(value, field)
    if not number.is_finite() or abs(number) > MAX_MAGNITUDE:
        raise NumberRefused(f"{field}: {str(value)[:40]!r} is out of range")
    if minimum is not None and number < minimum:
        raise NumberRefused(f"{field}: {str(value)[:40]!r} is below {minimum}")
    return number + 0 if number else Decimal(0)


def _to_decimal(value: object, field: str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value):
        try:
            return Decimal(value)
        except InvalidOperation as error:  # pragma: no cover - the pattern admits only what Decimal reads
            raise NumberRefused(f"{field}: {value!r} is not a number") from error
    raise NumberRefused(f"{field}: {str(value)[:40]!r} is not a plain number")


def plain(number: Decimal) -> str:
    """Exact text without exponent: `str(Decimal('0.00000001'))` would be `1E-8`, which venues read wrongly."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def floor_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of `step`, so that we never exceed what is available or allowed."""
    return _to_step(quantity, step, ROUND_FLOOR)


def ceil_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """Round up to a multiple of `step` (prices of sell bounds, so that they stay inside the guard)."""
    return _to_step(quantity, step, ROUND_CEILING)


def _to_step(quantity: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step <= 0:
        raise ValueError(f"a step must be positive, not {step}")
    return (quantity / step).to_integral_value(rounding=rounding) * step


def percent_to_fraction(percent: Decimal) -> Decimal:
    """2 (percent) → 0.02 (fraction). Settings and people speak percent; arithmetic speaks fraction."""
    return percent / 100
