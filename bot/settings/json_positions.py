"""Reading JSON strictly (RFC 8259) and remembering the line of everything, so that a message can say where.

Stricter than the standard library's reader, which takes NaN, keeps the last of two equal keys and knows no lines.
"""

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal

MAX_DEPTH = 20
MAX_NUMBER_CHARACTERS = 40

_BLANK = re.compile(r"[ \t\r\n]*")
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?(?![\w.+-])", re.ASCII)
_STRING_BODY = re.compile(r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_WORD = re.compile(r"[^\s,:{}\[\]\"]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}

JsonValue = str | Decimal | bool | None | list["JsonNode"] | dict[str, "JsonNode"]


@dataclass(frozen=True)
class JsonNode:
    """A value and the line (from 1) where its key stands, or where it begins itself when it has no key."""

    value: JsonValue
    line: int


class JsonRefused(ValueError):
    """The text is not the JSON we accept. `line` is where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class RepeatedKey:
    key: str
    line: int
    first_line: int


@dataclass(frozen=True)
class JsonDocument:
    """What the text says. Of a repeated key `root` has the first value; a reader must refuse a document with any."""

    root: JsonNode
    repeated_keys: tuple[RepeatedKey, ...]


def read_json(text: str) -> JsonDocument:
    """The document in `text`. Raises `JsonRefused` at the first thing that is not JSON."""
    return _Reader(text).document()


class _Reader:
    """Recursive descent; `at` is the position of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.repeated: list[RepeatedKey] = []
        self._line_starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]

    def document(self) -> JsonDocument:
        self._skip_blank()
        if self.at == len(self.text):
            raise self._refused("it is empty; an empty list is []")
        line = self._line(self.at)
        root = JsonNode(self._value(depth=1), line)
        self._skip_blank()
        if self.at < len(self.text):
            raise self._refused(f"more text follows after the end: {self._seen()}")
        return JsonDocument(root, tuple(self.repeated))

    def _value(self, depth: int) -> JsonValue:
        if depth > MAX_DEPTH:
            raise self._refused(f"it is nested deeper than {MAX_DEPTH} levels")
        first = self.text[self.at : self.at + 1]
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._array(depth)
        return self._string() if first == '"' else self._number_or_constant()

    def _object(self, depth: int) -> dict[str, JsonNode]:
        members: dict[str, JsonNode] = {}
        while self._another("}", first=not members):
            line = self._line(self.at)
            if self.text[self.at : self.at + 1] != '"':
                raise self._refused(f"a key in double quotes should stand here, not {self._seen()}")
            key = self._string()
            self._skip_blank()
            self._expect(":")
            self._skip_blank()
            node = JsonNode(self._value(depth + 1), line)
            if key in members:
                self.repeated.append(RepeatedKey(key, line, members[key].line))
            members.setdefault(key, node)
        return members

    def _array(self, depth: int) -> list[JsonNode]:
        items: list[JsonNode] = []
        while self._another("]", first=not items):
            line = self._line(self.at)
            items.append(JsonNode(self._value(depth + 1), line))
        return items

    def _another(self, closing: str, *, first: bool) -> bool:
        """Step over the opening bracket or the comma to the next item, or over the closing bracket."""
        if first:
            self.at += 1
        self._skip_blank()
        if self.text[self.at : self.at + 1] == closing:
            self.at += 1
            return False
        if not first:
            self._expect(",", or_else=closing)
            self._skip_blank()
            if self.text[self.at : self.at + 1] == closing:
                raise self._refused(f"there is a comma before {closing}, which JSON does not allow")
        return True

    def _expect(self, wanted: str, or_else: str = "") -> None:
        if self.text[self.at : self.at + 1] != wanted:
            choice = f"{wanted} or {or_else}" if or_else else wanted
            raise self._refused(f"{choice} should stand here, not {self._seen()}")
        self.at += 1

    def _string(self) -> str:
        start = self.at
        body = _STRING_BODY.match(self.text, start + 1)
        self.at = body.end() if body else start + 1
        if not self.text.startswith('"', self.at):
            raise self._refused(_string_defect(self.text[self.at : self.at + 1]))
        self.at += 1
        value = str(json.loads(self.text[start : self.at]))
        if _LONE_SURROGATE.search(value):
            self.at = start
            raise self._refused("a text has half of a surrogate pair (\\ud800 to \\udfff)")
        return value

    def _number_or_constant(self) -> JsonValue:
        number = _NUMBER.match(self.text, self.at)
        if number:
            if len(number[0]) > MAX_NUMBER_CHARACTERS:
                raise self._refused(f"a number has more than {MAX_NUMBER_CHARACTERS} characters")
            self.at = number.end()
            return Decimal(number[0])
        word = _WORD.match(self.text, self.at)
        if word and word[0] in _CONSTANTS:
            self.at = word.end()
            return _CONSTANTS[word[0]]
        raise self._refused(f"a value should stand here, not {self._seen()}")

    def _seen(self) -> str:
        """What stands here, with a hint where people often write more than JSON allows."""
        if self.at >= len(self.text):
            return "the end of the file"
        if self.text.startswith(("//", "/*", "#"), self.at):
            return "a comment (JSON has none)"
        if self.text[self.at] in "'‘’“”„":
            return f"the quote {self.text[self.at]} (JSON has only the straight double quote)"
        word = _WORD.match(self.text, self.at)
        return ascii(word[0][:20] if word else self.text[self.at])

    def _skip_blank(self) -> None:
        blank = _BLANK.match(self.text, self.at)
        self.at = blank.end() if blank else self.at

    def _line(self, position: int) -> int:
        return bisect_right(self._line_starts, position)

    def _refused(self, message: str) -> JsonRefused:
        # At the end of the file the last line with something on it is the one to look at.
        last = len(self.text.rstrip()) - 1
        return JsonRefused(message, self._line(max(0, min(self.at, last))))


def _string_defect(stopped_at: str) -> str:
    if stopped_at == "\\":
        return "a text has a backslash escape that JSON does not know"
    if stopped_at:
        return "a text has a line break or control character inside (or its closing quote is missing)"
    return "a text has no closing quote"
