"""Reads the bodies and queries of control requests, strictly."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request

from paper_exchange.clock import parse_rfc3339


class BadBody(ValueError):
    """A request that can't be understood; the message names the field."""


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object. Numbers come as Decimal, exactly as written."""
    content = await request.body()
    if not content:
        return {}
    try:
        body = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise BadBody("body: it is not JSON") from None
    if not isinstance(body, dict):
        raise BadBody("body: it must be a JSON object")
    return body


def nothing_left(body: dict[str, Any]) -> None:
    if body:
        raise BadBody(f"body has no field {sorted(body)[0]!r}")


def text(body: dict[str, Any], name: str) -> str:
    given = optional_text(body, name)
    if not given:
        raise BadBody(f"{name} is missing or empty")
    return given


def optional_text(body: dict[str, Any], name: str) -> str | None:
    value = body.pop(name, None)
    if value is not None and not isinstance(value, str):
        raise BadBody(f"{name} must be text")
    return value


def time_ns(body: dict[str, Any], name: str) -> int | None:
    """A time in RFC 3339, as nanoseconds since 1970."""
    given = optional_text(body, name)
    try:
        return parse_rfc3339(given) if given is not None else None
    except ValueError as problem:
        raise BadBody(f"{name}: {problem}") from None


def texts(value: object, name: str) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadBody(f"{name} must be a list of texts")
    return value


def flag(body: dict[str, Any], name: str) -> bool:
    value = body.pop(name, False)
    if not isinstance(value, bool):
        raise BadBody(f"{name} must be true or false")
    return value


def whole_number(body: dict[str, Any], name: str) -> int:
    value = body.pop(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadBody(f"{name} must be a whole number from 0")
    return value


def amounts(value: object, name: str) -> dict[str, Decimal]:
    if not isinstance(value, dict):
        raise BadBody(f"{name} must be an object of asset and amount")
    found = {str(asset): amount(given, f"{name}.{asset}") for asset, given in value.items()}
    for asset, given in found.items():
        if given < 0:
            raise BadBody(f"{name}.{asset} must not be negative")
    return found


def amount(value: object, name: str) -> Decimal:
    """A number, as JSON number or text in plain ASCII."""
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)) or not str(value).isascii():
            raise InvalidOperation
        number = Decimal(str(value))
    except InvalidOperation:
        raise BadBody(f"{name} must be a number") from None
    if not number.is_finite() or abs(number) > Decimal(10) ** 15:
        raise BadBody(f"{name} must be a number of at most 15 digits before the point")
    return number


def rules(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        raise BadBody("rules must be an object of names and values")
    return {
        name: rule if name == "mode" else format(amount(rule, f"rules.{name}"), "f") for name, rule in value.items()
    }


def query_number(request: Request, name: str, default: int | None) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise BadBody(f"{name} must be a whole number from 0")
    return int(text)
