"""Milliseconds since 1970, as OKX (text) and Binance (numbers) write times."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.brokers.replies import EPOCH, clock_time, number, number_of, unix_time


def milliseconds(moment: datetime) -> int:
    """Unix milliseconds, rounded down."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def time_of(fields: Mapping[str, object], name: str, *, where: str) -> datetime:
    """A field of milliseconds. Raises `UnreadableReply`."""
    return unix_time(number_of(fields, name, where=where) / 1000, where=f"{where} {name}")


def time_from(value: object, *, where: str) -> datetime:
    """Milliseconds as a moment. Raises `UnreadableReply`."""
    return unix_time(number(value, where=where) / 1000, where=where)


def venue_time(value: object, *, where: str) -> datetime:
    """The venue's own time now. Raises `UnreadableReply` for one of another century as well."""
    return clock_time(number(value, where=where) / 1000, where=where)
