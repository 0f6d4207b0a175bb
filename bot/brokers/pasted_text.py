"""What happens to a secret between a web page and a variable: repaired with a warning, or refused by name."""

import re
from dataclasses import dataclass, field

from bot.domain.errors import ConfigurationError

_INVISIBLE_EDGES = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff"
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»"}
_ALL_QUOTES = "".join({*_QUOTES, *_QUOTES.values()})
_PLACEHOLDER = re.compile(
    r"none|null|nil|undefined|unset|empty|todo|tbd|placeholder|example|secret|password|key|test|dummy|foo|bar|n/?a"
    r"|change[ _-]?(me|this|it)|replace[ _-].*|insert[ _-].*|paste[ _-].*|your[ _-].*|my[ _-](api|key|secret).*"
    r"|.*[ _-]here|<.*>|\[.*\]|\$\{?\w+\}?|[x*.#_-]+|0+",
    re.IGNORECASE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"(export\s+)?[A-Z][A-Z0-9_]*_(KEY|SECRET|PASSPHRASE)\s*[=:]", re.ASCII)
MAX_CHARACTERS = 20_000


@dataclass(frozen=True)
class Repaired:
    """The text that was meant, and a sentence for every repair."""

    text: str = field(repr=False)
    warnings: tuple[str, ...] = ()


def is_blank(value: str) -> bool:
    """Set by the host, but with nothing in it that can be seen."""
    return not value.strip(_INVISIBLE_EDGES)


def repaired(variable: str, value: str) -> Repaired:
    """Edge white space and matching quotes are taken off. `ConfigurationError` names variable and defect."""
    warnings: list[str] = []
    text = value.strip(_INVISIBLE_EDGES)
    # A line break at the end is what every editor adds; it is not worth a word.
    if text != value.rstrip("\n"):
        warnings.append(f"{variable} has white space or invisible characters at its edges; they were ignored")
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip(_INVISIBLE_EDGES)
        warnings.append(f"{variable} has quotes around its value; they were ignored")
    defect = _defect(text)
    if defect:
        raise ConfigurationError(f"{variable} {defect}")
    return Repaired(text, tuple(warnings))


def _defect(text: str) -> str | None:
    if not text:
        return "holds nothing but quotes"
    if text[0] in _ALL_QUOTES or text[-1] in _ALL_QUOTES:
        return "has a quote at one end that does not match the other end"
    if _PLACEHOLDER.fullmatch(text):
        return "holds a placeholder, not a key; paste the real value or remove the variable"
    if _ASSIGNMENT.match(text):
        return "contains a variable's name as well; paste only what follows the ="
    if len(text) > MAX_CHARACTERS:
        return "is far too long to be a key"
    if not text.isascii():
        return f"has a character that no key has (not ASCII) at position {_first_foreign(text)}"
    return "has a NUL or control character" if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text) else None


def _first_foreign(text: str) -> int:
    return next(position for position, character in enumerate(text, start=1) if not character.isascii())
