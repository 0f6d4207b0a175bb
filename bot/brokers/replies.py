"""Reading what a venue wrote: strict JSON and typed fields. Everything else is an unreadable reply, never a value."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from bot.domain.errors import NumberRefused, UnreadableReply
from bot.domain.money import parse_decimal

MAX_INTEGER_DIGITS = 25
MAX_FRACTION_CHARACTERS = 60
MAX_NESTING = 24
SMALLEST_EXPONENT = -30
# Half a pair of surrogates: no text, and nothing that can be written down or sent.
_MAYBE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Ids of orders and trades: what may stand in a path, a row or a log line as it is.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZERO = Decimal(0)
PLAUSIBLE_YEARS = (2000, 2200)


def decode_json(body: bytes, *, where: str) -> object:
    """The document with numbers as `int` or exact `Decimal`.

    Refuses what Python's own reader lets through: NaN, infinities, a key that appears twice, enormous numbers, halves
    of surrogate pairs and deep nesting. Raises `UnreadableReply` naming `where`.
    """
    try:
        document: object = json.loads(
            body.decode("utf-8"),
            parse_float=_fraction,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
        _refuse_deep_nesting(document)
        if _MAYBE_SURROGATE.search(body):
            json.dumps(document, ensure_ascii=False, default=str).encode("utf-8")
        return document
    except (ValueError, RecursionError, InvalidOperation) as error:
        words = str(error) if not isinstance(error, InvalidOperation) else "a number is out of range"
        raise UnreadableReply(f"{where}: the answer is not readable JSON ({words[:120]})") from error


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _fraction(text: str) -> Decimal:
    if len(text) > MAX_FRACTION_CHARACTERS:
        raise ValueError(f"a number of {len(text)} characters")
    return Decimal(text)


def _refuse_deep_nesting(document: object) -> None:
    """Not recursive: what is nested too deeply for the stack is what it looks for."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if depth > MAX_NESTING:
            raise ValueError(f"nested more than {MAX_NESTING} deep")
        waiting += [(item, depth + 1) for item in inside if isinstance(item, dict | list)]


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


def id_of(fields: Mapping[str, object], name: str, *, where: str) -> str:
    """The id of an order or a trade."""
    return as_id(field_of(fields, name, where=where), where=f"{where} {name}")


def as_id(value: object, *, where: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise UnreadableReply(f"{where}: {str(value)[:40]!r} is not an id")
    return value


def flag_of(fields: Mapping[str, object], name: str, *, default: bool, where: str) -> bool:
    """A missing or null flag is `default`; one that is there must be true or false."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise UnreadableReply(f"{where}: the field {name} should be true or false")
    return value


def number(value: object, *, where: str, minimum: Decimal | None = ZERO) -> Decimal:
    """An amount: plain, finite, exact, not negative unless `minimum` says otherwise."""
    try:
        read = parse_decimal(value, field=where, minimum=minimum)
    except NumberRefused as error:
        raise UnreadableReply(str(error)) from error
    exponent = read.as_tuple().exponent
    if read != Decimal(str(value)) or not isinstance(exponent, int) or exponent < SMALLEST_EXPONENT:
        raise UnreadableReply(f"{where}: {str(value)[:40]!r} has more digits than can be kept")
    return read


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


def clock_time(seconds: Decimal, *, where: str) -> datetime:
    """A venue's own time now, from unix seconds. One of another century would spoil every reckoning with it."""
    moment = unix_time(seconds, where=where)
    if not PLAUSIBLE_YEARS[0] <= moment.year <= PLAUSIBLE_YEARS[1]:
        raise UnreadableReply(f"{where}: {moment:%Y-%m-%d} is not the time of now")
    return moment


def iso_time(text: str, *, where: str) -> datetime:
    """ISO 8601 with a zone (a text without one is taken as UTC: venues mean that)."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableReply(f"{where}: {text[:40]!r} is not a time") from error


def unix_text(moment: datetime) -> str:
    """Unix seconds as exact decimal text with six places."""
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"
