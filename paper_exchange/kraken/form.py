"""Parameters of a Kraken request, whether they came as a query, a form or JSON, as text by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

TRUE_SPELLINGS = frozenset({"true", "1", "yes"})


class Params:
    """Named values; numbers keep the text they had on the wire. Unknown names are ignored by not being asked for."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """The value as text; None if absent or empty."""
        value = self._values.get(name)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return ",".join(str(item) for item in value) or None
        return str(value).strip() or None if value is not None else None

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True, true and 1 are true; anything else that is given is false."""
        text = self.text(name)
        return default if text is None else text.lower() in TRUE_SPELLINGS

    def items(self, name: str) -> list[str]:
        """A list: comma-joined text or a JSON array; empty items fall away."""
        text = self.text(name)
        return [item.strip() for item in text.split(",") if item.strip()] if text is not None else []

    def nested(self, name: str) -> Params | None:
        """A nested object: JSON ``{"close": {"price": …}}`` or form fields ``close[price]``."""
        value = self._values.get(name)
        if isinstance(value, dict):
            return Params(value)
        prefix = f"{name}["
        inner = {key[len(prefix) : -1]: value for key, value in self._values.items() if key.startswith(prefix)}
        return Params(inner) if inner else None

    def objects(self, name: str) -> list[Params]:
        """A JSON array of objects; anything else in it is left out."""
        value = self._values.get(name)
        return [Params(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    @classmethod
    def merged(cls, shared: Mapping[str, object], own: Params) -> Params:
        return cls({**shared, **own._values})


def parse_query(query: bytes) -> Params:
    return Params(dict(parse_qsl(query.decode("utf-8", errors="replace"), keep_blank_values=True)))


def parse_body(body: bytes, content_type: str) -> Params | None:
    """The parameters in a body; None if it can't be read. Content types may carry a charset."""
    try:
        text = body.decode("utf-8")
        if content_type.split(";")[0].strip().lower() == "application/json":
            values = json.loads(text or "{}", parse_float=str, parse_int=str, parse_constant=str)
            return Params(values) if isinstance(values, dict) else None
        return Params(dict(parse_qsl(text, keep_blank_values=True)))
    except (ValueError, RecursionError):
        return None
