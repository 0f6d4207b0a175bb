"""Where a setting's value came from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bot.domain.money import plain

DEFAULT = "default"
COMMAND_LINE = "command line"

# Where a value stands: ("pace", "paper", "cycle_seconds"), ("masters", 0, "enabled").
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """A value as text (a secret masked) and its source, such as `default`, `config/nija.yaml:12` or `environment X`."""

    value_text: str
    source: str


@dataclass(frozen=True)
class Given:
    """A value that somebody wrote. `named` is how its author knows it: a variable, or file:line and key."""

    text: str = field(repr=False)
    source: str
    named: str


def dotted(location: Location) -> str:
    """`pace.paper.cycle_seconds`; the name of a setting in messages and in `config show`."""
    return ".".join(str(part) for part in location)


_UNITS = frozenset({"seconds", "milliseconds", "minutes", "percent", "fraction", "usd"})


def leaves(model: BaseModel, above: Location = ()) -> Iterator[tuple[Location, object, FieldInfo]]:
    """Every single setting below `model`, with its value and its field."""
    for name, field_info in type(model).model_fields.items():
        value = getattr(model, name)
        location = (*above, field_info.alias or name)
        if isinstance(value, BaseModel):
            yield from leaves(value, location)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for index, item in enumerate(value):
                yield from leaves(item, (*location, index))
        elif isinstance(value, Mapping) and value and all(isinstance(item, BaseModel) for item in value.values()):
            for name_of_item, item in value.items():
                yield from leaves(item, (*location, name_of_item))
        else:
            yield location, value, field_info


def value_text(value: object) -> str:
    """A value as it would be written in `config/nija.yaml`; a secret is masked."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, SecretStr):
        return masked(value.get_secret_value())
    if isinstance(value, float):
        return plain(Decimal(repr(value)))
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value)


def masked(secret: str) -> str:
    """`****` and the last four characters, enough for its owner to know it by; a short secret shows nothing."""
    return f"****{secret[-4:]}" if len(secret) >= 16 else "****"


def unit_of(name: str, field_info: FieldInfo) -> str:
    """The unit that the end of a setting's name says, or that its field has; blank for what has none."""
    extra = field_info.json_schema_extra
    if isinstance(extra, dict) and "unit" in extra:
        return str(extra["unit"])
    last = name.rsplit("_", 1)[-1]
    return last if last in _UNITS else ""
