"""Ways to spoil a reply: fields dropped, renamed, null or of another type, numbers that are none, broken bytes."""

import copy
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from tests.contract_brokers.raw_venue import Said

# Texts that stand for JSON which Python's own writer would not write.
RAW = {
    "\u0001huge": "9" * 5000,
    "\u0001overflow": "1e999",
    "\u0001tiny": "1e-400000",
    "\u0001nan": "NaN",
    "\u0001infinity": "-Infinity",
    "\u0001deep": "[" * 3000 + "]" * 3000,
    "\u0001nested": "[" * 400 + "]" * 400,
    "\u0001surrogate": '"\\ud800"',
    "\u0001float": "0.1000000000000000055511151231257827021181583404541015625e0",
}
VALUES: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    10**16,
    [],
    {},
    [None],
    {"x": 1},
    "",
    "NaN",
    "Infinity",
    "1e999",
    "1e-8",
    "-0",
    "٣",
    "1_0",
    "true",
    "9" * 400,
    "0.1234567890123456789012345678901234567",
    "99999999999999",
    "x/../y",
    "<html>",
    *RAW,
)
Path = tuple[str | int, ...]


def paths(document: Any, start: Path = ()) -> Iterator[Path]:
    """Every place in it but the root, outermost first."""
    keys: list[Any] = list(document) if isinstance(document, dict) else []
    keys = list(range(len(document))) if isinstance(document, list) else keys
    for key in keys:
        yield (*start, key)
        yield from paths(document[key], (*start, key))


def parent_of(document: Any, path: Path) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def dropped(document: object, path: Path) -> object:
    changed = copy.deepcopy(document)
    del parent_of(changed, path)[path[-1]]
    return changed


def renamed(document: object, path: Path) -> object:
    changed = copy.deepcopy(document)
    parent = parent_of(changed, path)
    if isinstance(parent, dict):
        parent[f"{path[-1]}x"] = parent.pop(path[-1])
    else:
        parent.append(parent[path[-1]])
    return changed


def replaced(document: object, path: Path, value: object) -> object:
    changed = copy.deepcopy(document)
    parent_of(changed, path)[path[-1]] = value
    return changed


def written(document: object) -> bytes:
    text = json.dumps(document)
    for mark, raw in RAW.items():
        text = text.replace(json.dumps(mark), raw)
    return text.encode()


def with_a_key_twice(body: bytes) -> bytes:
    """The first key of the document, once more, with another value."""
    if not body.startswith(b'{"'):
        return body
    key = body[1 : body.index(b'"', 2) + 1]
    return b"{" + key + b": []," + body[1:]


@lru_cache(maxsize=1)
def bomb() -> bytes:
    """Some kilobytes that unpack to sixty-four mebibytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b"[" * 2**20) for _ in range(64)) + packer.flush()


BYTE_CHANGES: tuple[Callable[[bytes, int], Said], ...] = (
    lambda body, at: Said(body[: at % (len(body) + 1)]),
    lambda body, at: Said(body[: at % (len(body) + 1)], headers={"Content-Length": str(len(body) + 1)}, hang_up=True),
    lambda body, at: Said(body[: at % len(body)] + b"\xff" + body[at % len(body) + 1 :]),
    lambda body, _: Said(with_a_key_twice(body)),
    lambda body, _: Said(b"\xef\xbb\xbf" + body),
    lambda body, _: Said(body.decode().encode("utf-16")),
    lambda body, _: Said(body + body),
    lambda _, __: Said(b"<html>maintenance</html>", headers={"Content-Type": "text/html"}),
    lambda body, _: Said(gzip.compress(body), headers={"Content-Encoding": "gzip"}),
    lambda body, _: Said(body, headers={"Content-Encoding": "gzip"}),
    lambda body, _: Said(body, headers={"Content-Length": "soon"}, hang_up=True),
    lambda _, __: Said(bomb(), headers={"Content-Encoding": "gzip"}),
    lambda body, _: Said(body[:-1] + b" " * (3 * 2**20) + body[-1:]),
)


@st.composite
def spoiled(draw: st.DrawFn, documents: st.SearchStrategy[object]) -> Said:
    """An answer made of one of `documents` with up to three changes, mostly within its JSON."""
    document = draw(documents)
    for _ in range(draw(st.integers(0, 3))):
        places = list(paths(document))
        if not places:
            break
        path, kind = draw(st.sampled_from(places)), draw(st.integers(0, 4))
        if kind > 1:
            document = replaced(document, path, draw(st.sampled_from(VALUES)))
        else:
            document = (dropped, renamed)[kind](document, path)
    body = written(document)
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(BYTE_CHANGES))(body, draw(st.integers(0, 10**6)))
    status = draw(st.sampled_from((200,) * 6 + (201, 202, 204, 302, 400, 401, 403, 404, 409, 418, 429, 500, 502, 520)))
    return Said(body, status)
