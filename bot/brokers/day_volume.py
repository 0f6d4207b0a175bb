"""What a venue tells of the day's trade, which is never a reason to do without its prices."""

from collections.abc import Mapping
from decimal import Decimal

from bot.brokers.replies import number_of
from bot.domain.errors import UnreadableReply


def told_volume(fields: Mapping[str, object], name: str, *, where: str) -> Decimal | None:
    """A volume, 0 or more; None where it is missing, empty or no number."""
    try:
        return number_of(fields, name, where=where)
    except UnreadableReply:
        return None
