"""Units and prices by asset as exact text, in columns of tables."""

import json
from collections.abc import Mapping
from decimal import Decimal

from bot.books.equity import Mark
from bot.domain.money import plain
from bot.seams.clock import format_time, parse_time


def units_text(units: Mapping[str, Decimal]) -> str:
    return json.dumps({asset: plain(quantity) for asset, quantity in sorted(units.items())})


def units_of(text: str) -> dict[str, Decimal]:
    return {asset: Decimal(quantity) for asset, quantity in json.loads(text).items()}


def marks_text(marks: Mapping[str, Mark]) -> str:
    return json.dumps(
        {asset: {"price": plain(mark.price), "at": format_time(mark.at)} for asset, mark in sorted(marks.items())}
    )


def marks_of(text: str) -> dict[str, Mark]:
    return {asset: Mark(Decimal(mark["price"]), parse_time(mark["at"])) for asset, mark in json.loads(text).items()}
