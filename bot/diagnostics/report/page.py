"""One self-contained page: nothing in it is loaded from anywhere, and no script can run in it.

Every text that is put in is escaped here: symbols, names and reasons come from venues, files and people.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bot.diagnostics.report.style import STYLE


@dataclass(frozen=True)
class Tile:
    """One figure to be seen at once."""

    label: str
    value: str
    note: str = ""


def page(title: str, parts: Sequence[str]) -> str:
    """The whole document; `parts` are HTML made by the functions here."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def heading(level: int, text: str) -> str:
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, *, kind: str = "") -> str:
    """`kind` is "quiet" for what few need and "warn" for what all should read."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def mode_mark(mode: str) -> str:
    """Paper or live, where nobody can miss it."""
    return f'<p><span class="mode">{escape(mode)}</span></p>'


def tiles(shown: Sequence[Tile]) -> str:
    return '<div class="tiles">' + "".join(map(_tile, shown)) + "</div>"


def _tile(tile: Tile) -> str:
    note = f'<span class="note">{escape(tile.note)}</span>' if tile.note else ""
    return (
        f'<div class="tile"><span class="label">{escape(tile.label)}</span>'
        f'<span class="value">{escape(tile.value)}</span>{note}</div>'
    )


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    names: Sequence[int] = (0,),
    words: Sequence[int] = (),
    last_is_sum: bool = False,
) -> str:
    """A table whose columns are numbers but those in `names`, which stay on one line, and `words`, which wrap."""
    kinds = ["name" if place in names else "words" if place in words else "number" for place in range(len(headings))]
    head = "".join(f'<th class="{kind}">{escape(name)}</th>' for kind, name in zip(kinds, headings, strict=True))
    body = "".join(_row(row, kinds, sums=last_is_sum and place == len(rows) - 1) for place, row in enumerate(rows))
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(row: Sequence[str], kinds: Sequence[str], *, sums: bool) -> str:
    cells = "".join(f'<td class="{kind}">{escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))
    return f'<tr class="sum">{cells}</tr>' if sums else f"<tr>{cells}</tr>"


def folded(title: str, inside: str) -> str:
    """What is there for who wants it, and not in everybody's way."""
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"
