"""Reading what a venue wrote: strict JSON and typed fields. Everything else is an unreadable reply, never a value."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from bot.domain.errors import NumberRefused, UnreadableReply
from bot.domain.money import parse_decimal

MAX_INTEGER_DIGITS = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZERO = Decimal(0)


def decode_json(body: bytes, *, where: str) -> object:
    """The document with numbers as `int` or exact `Decimal`.

    Refuses what Python's own reader lets through: NaN, infinities, a key that appears twice, enormous integers and
    nesting that exhausts the stack. Raises `UnreadableReply` naming `where`.
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except (ValueError, RecursionError, InvalidOperation) as error:
        words = str(error) if not isinstance(error, InvalidOperation) else "a number is out of range"
        raise UnreadableReply(f"{where}: the answer is not readable JSON ({words[:120]})") from error


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not a number")


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def as_object(value: object, *, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UnreadableReply(f"{where}: expected an object, not {type(value).__name__}")
    return value


def as_list(value: object, *, where: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise UnreadableReply(f"{where}: expected a list, not {type(value).__name__}")
    return value


def field_of(fields: Mapping[str, object], name: str, *, where: str) -> object:
    value = fields.get(name)
    if value is None:
        raise UnreadableReply(f"{where}: the field {name} is missing")
    return value


def text_of(fields: Mapping[str, object], name: str, *, where: str) -> str:
    value = field_of(fields, name, where=where)
    if not isinstance(value, str):
        raise UnreadableReply(f"{where}: the field {name} should be text")
    return value


def optional_text(fields: Mapping[str, object], name: str) -> str | None:
    """Text, or None when the field is absent, empty or something else: only for fields that decide nothing."""
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def flag_of(fields: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = fields.get(name)
    return value if isinstance(value, bool) else default


def number(value: object, *, where: str, minimum: Decimal | None = ZERO) -> Decimal:
    """An amount: plain, finite, not negative unless `minimum` says otherwise."""
    try:
        return parse_decimal(value, field=where, minimum=minimum)
    except NumberRefused as error:
        raise UnreadableReply(str(error)) from error


def number_of(fields: Mapping[str, object], name: str, *, where: str, minimum: Decimal | None = ZERO) -> Decimal:
    return number(field_of(fields, name, where=where), where=f"{where} {name}", minimum=minimum)


def optional_number(fields: Mapping[str, object], name: str, *, where: str, default: Decimal = ZERO) -> Decimal:
    """A missing, null or empty field is `default`; a field that is there must be a number."""
    value = fields.get(name)
    return default if value is None or value == "" else number(value, where=f"{where} {name}")


def unix_time(value: object, *, where: str) -> datetime:
    """Unix seconds with a fraction, as text or number; exact to the microsecond."""
    seconds = number(value, where=where)
    try:
        return EPOCH + timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError as error:
        raise UnreadableReply(f"{where}: {seconds} is not a time") from error


def iso_time(text: str, *, where: str) -> datetime:
    """ISO 8601 with a zone (a text without one is taken as UTC: venues mean that)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnreadableReply(f"{where}: {text[:40]!r} is not a time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def unix_text(moment: datetime) -> str:
    """Unix seconds as exact decimal text with six places."""
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"
