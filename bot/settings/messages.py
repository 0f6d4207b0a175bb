"""What is wrong with a setting, as a sentence that names the place where it was written."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.settings.exchanges import ExchangeSettings
from bot.settings.model import OperatorSettings
from bot.settings.origins import Given, Location, dotted
from bot.settings.values import shown
from bot.settings.yaml_source import YamlFile


def sentences(error: ValidationError, file: YamlFile, given: Mapping[Location, Given]) -> Iterator[str]:
    """One sentence for each error, in the file's order. The value of a secret is never part of one."""
    for item in sorted(error.errors(include_url=False), key=lambda item: file.line(item["loc"])):
        location = item["loc"]
        wrong = _what_is_wrong(item["type"], item.get("ctx", {}), item["input"], location)
        yield f"{_named(location, file, given)} {wrong}"


def _named(location: Location, file: YamlFile, given: Mapping[Location, Given]) -> str:
    """The variable that said it (or something inside it, or the section it is in), else the place in the file."""
    for place, said in given.items():
        if place[: len(location)] == location:
            return said.named
    for length in range(len(location), 0, -1):
        if location[:length] in given:
            return given[location[:length]].named
    return f"{file.place(location)}: {dotted(location)}"


def _what_is_wrong(kind: str, context: Mapping[str, Any], value: object, location: Location) -> str:
    if kind == "extra_forbidden":
        return _no_such_setting(location)
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return "is missing"
    if kind in _LIMITS:
        # A limit that is a Decimal comes as Python would write it.
        limit = str(next(iter(context.values()))).removeprefix("Decimal('").removesuffix("')")
        return f"must be {_LIMITS[kind]} {limit}, not {shown(value)}"
    if kind in ("literal_error", "enum"):
        return f"must be {context['expected']}, not {shown(value)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"must be a section of name: value, not {shown(value)}"
    if kind == "string_type":
        return f"must be text, not {shown(value)}"
    if kind == "tuple_type":
        return f"must be a list, not {shown(value)}"
    if kind == "string_pattern_mismatch":
        return f"must look like {context['pattern']}, not {shown(value)}"
    return f"cannot be used ({kind.replace('_', ' ')})"


_LIMITS = {
    "greater_than": "more than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}


def _no_such_setting(location: Location) -> str:
    known = _names_at(OperatorSettings, location[:-1])
    written = str(location[-1])
    begun = [name for name in known if written and name.startswith(written)]
    near = begun or get_close_matches(written, known, n=1, cutoff=0.6)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"is not a setting; {advice}"


def _names_at(model: type[BaseModel], location: Location) -> list[str]:
    """The names of the settings in a section."""
    if location[:1] == ("exchanges",) and len(location) > 1:
        model = ExchangeSettings
    for step in location:
        model = _model_below(model, step) or model
    return sorted(info.alias or name for name, info in model.model_fields.items())


def _model_below(model: type[BaseModel], step: str | int) -> type[BaseModel] | None:
    for name, info in model.model_fields.items():
        if step == (info.alias or name):
            inner = getattr(info.annotation, "__args__", (info.annotation,))[0]
            return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
    return None
