"""Setting variables of a `.env` file where they stand; every other line and comment stays as it is."""

import io
import re
from collections.abc import Mapping

from dotenv.parser import Binding, parse_stream

# What needs no quotes in any program that reads such files.
_BARE = re.compile(r"[A-Za-z0-9+/=_.,:@%-]*", re.ASCII)


class DotenvRefused(Exception):
    """A file that is not `NAME=value` throughout; the message says where. It shows no value."""


def with_variables(text: str, variables: Mapping[str, str]) -> str:
    """The text with these variables set: in place, below their name in a comment, or at the end.

    Raises `DotenvRefused`. A value may have any characters, line breaks too.
    """
    before = values_of(text)
    parts = [binding.original.string for binding in _bindings(text)]
    for name, value in variables.items():
        if before.get(name) != value:
            parts = _set(parts, name, value)
    changed = "".join(parts)
    if values_of(changed) != before | dict(variables):
        raise DotenvRefused(f"{', '.join(variables)} cannot be written in place; write it there yourself")
    return changed


def values_of(text: str) -> dict[str, str]:
    """Every variable of the text; without a value is an empty text. Raises `DotenvRefused`."""
    return {binding.key: binding.value or "" for binding in _bindings(text) if binding.key is not None}


def _bindings(text: str) -> list[Binding]:
    found = list(parse_stream(io.StringIO(text)))
    for binding in found:
        if binding.error:
            raise DotenvRefused(f"line {binding.original.line}: this is not NAME=value")
    return found


def _set(parts: list[str], name: str, value: str) -> list[str]:
    mine = re.compile(rf"(?P<before>\s*(?:export\s+)?)'?{re.escape(name)}'?\s*(?:=|$)", re.ASCII)
    line = f"{name}={quoted(value)}\n"
    places = [index for index, part in enumerate(parts) if mine.match(part)]
    for index in places:
        found = mine.match(parts[index])
        assert found is not None
        parts[index] = f"{found['before']}{line[:-1]}{_comment_of(parts[index])}\n"
    if places:
        return parts
    text = "".join(parts)
    comment = re.search(rf"^[ \t]*#[ \t]*{re.escape(name)}=.*(\n|$)", text, re.MULTILINE)
    place = comment.end() if comment else len(text)
    begin = text[:place] if place == 0 or text[place - 1] == "\n" else f"{text[:place]}\n"
    return [binding.original.string for binding in _bindings(begin + line + text[place:])]


def _comment_of(part: str) -> str:
    """What follows the value on its line: a # within the value itself is none."""
    found = re.search(r"[ \t]+#[^\r\n]*\s*$", part)
    if found is None or values_of(part) != values_of(part[: found.start()]):
        return ""
    return found[0].rstrip()


def quoted(value: str) -> str:
    """A value as such files write it. Line breaks become \\n within double quotes, so that it stays one line."""
    if _BARE.fullmatch(value):
        return value
    if "\n" in value or "\r" in value:
        text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
        return f'"{text}"'
    text = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
