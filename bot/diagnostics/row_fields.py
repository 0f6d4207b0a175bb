"""How values are shown in answers: amounts as exact text, times as UTC text, ages in seconds."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from bot.domain.money import plain
from bot.seams.clock import format_time


def shown(value: object) -> Any:
    """A column's value as JSON has it."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return format_time(value)
    return value


def fields_of(row: Row[Any], names: Iterable[str]) -> dict[str, Any]:
    """Some of a row's columns."""
    return {name: shown(getattr(row, name)) for name in names}


def age_seconds(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())


def with_age(fields: Mapping[str, Any], moment: datetime | None, now: datetime) -> dict[str, Any]:
    return {**fields, "age_seconds": age_seconds(moment, now)}
