"""Paths with variable parts, such as ``orders/{order_id}``."""

from __future__ import annotations

from collections.abc import Sequence


def variable_parts(template: str, parts: Sequence[str]) -> dict[str, str] | None:
    """What stands for each part in braces, by its name; None where ``parts`` are not such a path."""
    named = template.split("/")
    if len(parts) != len(named):
        return None
    found: dict[str, str] = {}
    for part, name in zip(parts, named, strict=True):
        if name.startswith("{"):
            found[name.strip("{}")] = part
        elif part != name:
            return None
    return found
