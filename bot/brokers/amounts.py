"""Numbers on their way out: the one place where an amount or a price becomes the text that a venue reads."""

import re
from decimal import Decimal

from bot.domain.errors import OrderRefused
from bot.domain.money import plain

_WIRE_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


def wire_number(number: Decimal, *, name: str) -> str:
    """Exact plain decimal text, digits and at most one point. Raises `OrderRefused`: nothing is sent then, ever."""
    # A float in disguise would be sent with what its arithmetic lost; numbers with thousands of digits are nobody's.
    if not isinstance(number, Decimal) or not number.is_finite() or abs(number.adjusted()) > 20:
        raise OrderRefused(f"not sent: the {name} {str(number)[:40]} is not an amount")
    text = plain(number)
    if not _WIRE_NUMBER.fullmatch(text) or number <= 0:
        raise OrderRefused(f"not sent: the {name} {text[:40]} is not an amount that a venue reads exactly")
    return text
