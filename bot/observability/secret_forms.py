"""The forms in which a secret turns up where nobody put it: in an address, a header, a traceback, a page."""

import html
import json
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

# Shorter texts would blank out ordinary words.
SHORTEST_SECRET = 8
# What programs leave as it is in an address: nothing, what separates the parts of a path, what `requests` leaves.
_NOT_ESCAPED = ("", "/", "!#$%&'()*+,/:;=?@[]~")


def forms_of(secret: str) -> frozenset[str]:
    """Every text to be looked for; empty when the secret is too short to be looked for at all.

    A secret of several lines (a PEM) is looked for line by line: where its line breaks are escaped, kept or gone makes
    no difference then.
    """
    parts = {secret, *secret.splitlines()}
    wanted = [part for part in parts if len(part.strip()) >= SHORTEST_SECRET and not part.startswith("-----")]
    return frozenset(form for part in wanted for form in _forms(part) if len(form) >= SHORTEST_SECRET)


def _forms(text: str) -> Iterator[str]:
    for written in _written(text):
        yield written
        for safe in _NOT_ESCAPED:
            escaped = quote(written, safe=safe)
            yield escaped
            yield _small_escapes(escaped)
    yield quote(quote(text, safe=""), safe="")
    raw = text.encode("utf-8", errors="surrogatepass")
    yield raw.hex()
    yield raw.hex().upper()
    yield from _base64_forms(raw)


def _written(text: str) -> set[str]:
    """Within quotes and without; what was escaped by one program is quoted by another."""
    plain = {text, html.escape(text)}
    once = {form for each in plain for form in _escaped(each)}
    return plain | once | {form for each in once for form in _escaped(each)}


def _escaped(text: str) -> set[str]:
    """As JSON, Python and their like write it within quotes, of either kind."""
    written = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    written |= {each.replace("/", "\\/") for each in written} | {text.replace("\\", "\\\\")}
    return written | {text.replace("\\", "\\\\").replace("'", "\\'")}


def _small_escapes(escaped: str) -> str:
    """`%2f` for `%2F`."""
    first, *others = escaped.split("%")
    return "%".join([first, *(other[:2].lower() + other[2:] for other in others)])


def _base64_forms(raw: bytes) -> Iterator[str]:
    """As a whole, and as a part of something longer such as `key:secret`.

    Three bytes make four characters, so that there are three ways for it to lie in the longer text. Only characters
    that are made of the secret alone are looked for; what is left at the ends says a few bits of it.
    """
    yield b64encode(raw).decode()
    for before in range(3):
        encoded = b64encode(bytes(before) + raw).decode()
        inner = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
