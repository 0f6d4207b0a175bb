"""How a setting's text becomes a value. Every source gives text, so that one strict rule holds for all of them."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from bot.domain.errors import NumberRefused
from bot.domain.money import parse_decimal

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DRILL = re.compile(r"[A-Za-z0-9_.-]+:(kill|raise|hang=[0-9]{1,6}(\.[0-9]{1,6})?)", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3,5}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9.]{1,20}/[A-Z0-9.]{1,20}", re.ASCII)

T = TypeVar("T")


def read_boolean(value: object) -> bool:
    """`true`/`false`, `yes`/`no`, `on`/`off`, `1`/`0`, in any case."""
    if isinstance(value, bool):
        return value
    text = value.lower() if isinstance(value, str) else None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"must be true or false, not {shown(value)}")


def read_boolean_or_auto(value: object) -> Literal["auto"] | bool:
    """The same, or `auto`: the program decides by where it runs."""
    if isinstance(value, str) and value.lower() == "auto":
        return "auto"
    try:
        return read_boolean(value)
    except ValueError as error:
        raise ValueError(f"must be auto, true or false, not {shown(value)}") from error


def read_whole_number(value: object) -> int:
    """ASCII digits only: Python alone would also take `1_000` and other scripts' digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise ValueError(f"must be a whole number, not {shown(value)}")


def read_decimal(value: object) -> Decimal:
    """A finite decimal number in ASCII digits; a float is taken as what it prints."""
    text = repr(value) if isinstance(value, float) else value
    try:
        return parse_decimal(text, field="number")
    except NumberRefused as error:
        raise ValueError(f"must be a number, not {shown(value)}") from error


def read_float(value: object) -> float:
    """For durations and other figures that are no money."""
    return float(read_decimal(value))


def read_text(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError(f"must be text, not {shown(value)}")


def read_any_text(value: object) -> str:
    """Text that may be blank."""
    return "" if value is None else read_text(value) if value else ""


def read_optional(value: object) -> object:
    """`null` and blank text mean: none."""
    return None if isinstance(value, str) and value.lower() in ("", "null", "none", "~") else value


def read_symbols(value: object) -> object:
    """A list, or one text with commas (as a variable would have it), of symbols such as `BTC/USD`."""
    items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(items, list | tuple | frozenset):
        raise ValueError(f"must be a list of symbols such as BTC/USD, not {shown(value)}")
    for item in items:
        if not isinstance(item, str) or not _SYMBOL.fullmatch(item):
            raise ValueError(f"has {shown(item)}, which is not a symbol such as BTC/USD")
    return tuple(items)


def read_currencies(value: object) -> object:
    """A list, or one text with commas, of currencies such as `USDT`."""
    items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(items, list | tuple | frozenset):
        raise ValueError(f"must be a list of currencies such as USDT, not {shown(value)}")
    return tuple(a_currency(item) for item in items)


def a_currency(value: object) -> str:
    """`USD`, `USDT`: capitals, as the venues spell them."""
    if isinstance(value, str) and _CURRENCY.fullmatch(value):
        return value
    raise ValueError(f"has {shown(value)}, which is not a currency such as USDT")


def read_parameters(value: object) -> object:
    """A mapping of names to plain values, kept as text: only the strategy knows their types."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a section of name: value, not {shown(value)}")
    for name, item in value.items():
        if not isinstance(item, str):
            raise ValueError(f"{shown(name)} must be one plain value, not {shown(item)}")
    return dict(value)


def read_path(value: object) -> Path:
    """A path; `~` is the home directory."""
    if isinstance(value, Path):
        return value
    text = read_text(value)
    if "\0" in text:
        raise ValueError("must be a path; it contains a NUL character")
    return Path(text).expanduser()


def shown(value: object) -> str:
    """What was found, short enough for a message."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 42 else f"{text[:40]}…"


def _a_base_url(value: str) -> str:
    url = value.removesuffix("/")
    if not re.fullmatch(r"https?://[^\s/?#@]+", url):
        raise ValueError("must be a base URL such as https://api.kraken.com, without path, query or user name")
    return url


def _a_socket_url(value: str) -> str:
    url = value.removesuffix("/")
    if not re.fullmatch(r"wss?://[^\s/?#@]+", url):
        raise ValueError("must be a base URL such as wss://ws.kraken.com, without path, query or user name")
    return url


def _a_drill_plan(value: str) -> str:
    if value and not all(_DRILL.fullmatch(item.strip()) for item in value.split(",")):
        raise ValueError(f"must be like name:kill,name:raise,name:hang=30, not {shown(value)}")
    return value


Flag = Annotated[bool, BeforeValidator(read_boolean)]
FlagOrAuto = Annotated[Literal["auto"] | bool, BeforeValidator(read_boolean_or_auto)]
Whole = Annotated[int, BeforeValidator(read_whole_number)]
Number = Annotated[Decimal, BeforeValidator(read_decimal)]
Positive = Annotated[Number, Field(gt=0, le=Decimal("1e12"))]
NotNegative = Annotated[Number, Field(ge=0, le=Decimal("1e12"))]
Percent = Annotated[Number, Field(gt=0, le=100)]
# Of a stop below a price, and of a target above one: less is a fraction (0.02) that was written for a percent (2).
StopDistance = Annotated[Number, Field(ge=Decimal("0.05"), lt=100)]
TargetDistance = Annotated[Number, Field(ge=Decimal("0.05"), lt=10_000)]
Seconds = Annotated[float, BeforeValidator(read_float), Field(ge=0, le=86_400)]
# A limit of zero would fail everything at once.
SomeSeconds = Annotated[float, BeforeValidator(read_float), Field(gt=0, le=86_400)]
Fraction = Annotated[float, BeforeValidator(read_float), Field(ge=0, le=1)]
DrillPlan = Annotated[str, BeforeValidator(read_any_text), AfterValidator(_a_drill_plan)]
Text = Annotated[str, BeforeValidator(read_text)]
Currency = Annotated[Text, Field(pattern="^[A-Z]{3,5}$")]
Currencies = Annotated[tuple[str, ...], BeforeValidator(read_currencies)]
Symbols = Annotated[tuple[str, ...], BeforeValidator(read_symbols)]
Parameters = Annotated[
    Mapping[str, str], BeforeValidator(read_parameters), AfterValidator(MappingProxyType), PlainSerializer(dict)
]
BaseUrl = Annotated[str, BeforeValidator(read_text), AfterValidator(_a_base_url)]
SocketUrl = Annotated[str, BeforeValidator(read_text), AfterValidator(_a_socket_url)]
FilePath = Annotated[Path, BeforeValidator(read_path)]
Optional = Annotated[T | None, BeforeValidator(read_optional)]
