"""A chain of digests over rows of history: who changes, removes or slips in one later breaks it at that place.

Every row has a digest of all that it says; every link is a digest of the link before it and of its row's digest. The
newest link, the head, so stands for all of history. Who can write to the database can also make the chain anew: that is
found only by whoever has noted an earlier head elsewhere. A chain without that link is not the one that was noted: it
was made anew, or an older copy of the database was put back.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

GENESIS = "0" * 64
# So many findings are kept; the others are counted.
KEPT_FINDINGS = 1000


def row_digest(kind: str, values: Sequence[str | None]) -> str:
    """The SHA-256 of a row: its kind and its values as text, in the order of the kind's columns; None = no value."""
    return hashlib.sha256(json.dumps([kind, *values], separators=(",", ":")).encode()).hexdigest()


def link_digest(previous: str, *, sequence: int, sealed_at: str, row_sha256: str) -> str:
    """The SHA-256 that ties a row to all before it; `previous` is the link before, `GENESIS` for the first."""
    return hashlib.sha256(f"{previous}|{sequence}|{sealed_at}|{row_sha256}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is now. `position` is its place in the order of its kind, `key` names it and begins with that."""

    position: int
    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is stored; `sequence` counts from 1, `sealed_at` is text."""

    sequence: int
    kind: str
    key: str
    row_sha256: str
    link_sha256: str
    sealed_at: str

    @property
    def position(self) -> int | None:
        """The row's place in the order of its kind, by its key; None = the key is none."""
        word = self.key.split(" ", 1)[0]
        return int(word) if word.isascii() and word.isdigit() and len(word) < 19 else None


def next_link(head: Link | None, kind: str, row: Row, *, sealed_at: str) -> Link:
    """The link that seals a row after `head` (None = it is the first)."""
    sequence, previous = (1, GENESIS) if head is None else (head.sequence + 1, head.link_sha256)
    digest = link_digest(previous, sequence=sequence, sealed_at=sealed_at, row_sha256=row.sha256)
    return Link(sequence, kind, row.key, row.sha256, digest, sealed_at)


class Break(StrEnum):
    """What can be wrong. The values are for people."""

    CHANGED = "was changed after it was sealed"
    MISSING = "was sealed and is not there any more"
    SLIPPED_IN = "was slipped in among rows that were sealed before it"
    SEALED_AGAIN = "is sealed a second time, or after rows that came later"
    LINK_BROKEN = "does not follow from the link before it"
    LINK_MISSING = "is missing"
    HEAD_UNKNOWN = "is not in this chain: it was made anew, or an older copy of the database was put back"


@dataclass(frozen=True)
class Finding:
    """One place where the chain does not hold; `link` is its sequence, None where there is none."""

    what: Break
    kind: str
    key: str
    link: int | None = None

    @property
    def sentence(self) -> str:
        """For a person: which row or link, and what is wrong with it."""
        where = "" if self.link is None or self.kind == "link" else f" (link {self.link})"
        return f"{self.kind} {self.key}{where} {self.what}"


@dataclass
class Verdict:
    """What a check has found. `head` is the newest link; `unsealed` are rows after the sealed ones, by kind."""

    links: int = 0
    head: str = GENESIS
    head_sealed_at: str = ""
    unsealed: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    # Links whose rows were so old that they have been let go of.
    let_go: int = 0
    findings: list[Finding] = field(default_factory=list)
    # The sequence of the link that was expected; None = none was, or it is not there.
    expected_at: int | None = None

    @property
    def holds(self) -> bool:
        return not self.broken

    @property
    def first(self) -> Finding | None:
        """The finding that comes first in the chain; what was never sealed comes after all that was."""
        return self.findings[0] if self.findings else None

    def add(self, what: Break, kind: str, key: str, link: int | None = None) -> None:
        self.broken += 1
        if len(self.findings) < KEPT_FINDINGS:
            self.findings.append(Finding(what, kind, key, link))


class _Rows:
    """The rows of one kind, read as far as the chain has come. Rows that no link has named yet are kept."""

    def __init__(self, rows: Iterable[Row], *, ordered: bool) -> None:
        self._rows: Iterator[Row] = iter(rows)
        self._ordered = ordered
        self._next: Row | None = next(self._rows, None)
        self.unnamed: dict[str, Row] = {}
        self.sealed_up_to = 0

    def take(self, link: Link) -> tuple[Row | None, bool]:
        """(the link's row, once, and whether the link comes where none of its row can be)."""
        position = link.position
        if position is None:
            return None, False
        again = self._ordered and position <= self.sealed_up_to
        self._read_up_to(position)
        self.sealed_up_to = max(self.sealed_up_to, position)
        return self.unnamed.pop(link.key, None), again

    def _read_up_to(self, position: int) -> None:
        while self._next is not None and (not self._ordered or self._next.position <= position):
            self.unnamed[self._next.key] = self._next
            self._next = next(self._rows, None)

    def left(self) -> tuple[list[Row], int]:
        """(rows that are older than the newest sealed one and are not sealed, how many there are after that)."""
        older = [row for row in self.unnamed.values() if self._ordered and row.position <= self.sealed_up_to]
        later = len(self.unnamed) - len(older) + (self._next is not None) + sum(1 for _ in self._rows)
        return older, later


def check_chain(
    links: Iterable[Link],
    rows: Mapping[str, Iterable[Row]],
    *,
    unordered: frozenset[str] = frozenset(),
    expect: str = "",
    let_go: Mapping[str, str] = MappingProxyType({}),
    progress: Callable[[int], None] = lambda _links: None,
) -> Verdict:
    """Compare every link with the link before it and with its row.

    `links` come in their order, the rows of each kind in that of their positions, in which they were sealed; those of
    the kinds in `unordered` are sealed in any order. `expect` is a head that was noted before. Rows of a kind in
    `let_go` that were sealed before that moment (text as in the links) may be gone. Neither links nor rows are kept in
    memory: only rows that no link names are.
    """
    verdict = Verdict()
    of_kind = {kind: _Rows(each, ordered=kind not in unordered) for kind, each in rows.items()}
    for link in links:
        _follow(verdict, link)
        if link.link_sha256 == expect:
            verdict.expected_at = link.sequence
        _compare(verdict, link, of_kind.get(link.kind), let_go.get(link.kind, ""))
        progress(verdict.links)
    for kind, each in of_kind.items():
        older, later = each.left()
        for row in older:
            verdict.add(Break.SLIPPED_IN, kind, row.key)
        verdict.unsealed[kind] = later
    if expect and verdict.expected_at is None:
        verdict.add(Break.HEAD_UNKNOWN, "head", expect)
    return verdict


def _follow(verdict: Verdict, link: Link) -> None:
    """The link itself: its number and its digest."""
    for lost in range(verdict.links + 1, min(link.sequence, verdict.links + 1 + KEPT_FINDINGS)):
        verdict.add(Break.LINK_MISSING, "link", str(lost), lost)
    digest = link_digest(verdict.head, sequence=link.sequence, sealed_at=link.sealed_at, row_sha256=link.row_sha256)
    if digest != link.link_sha256 and link.sequence == verdict.links + 1:
        verdict.add(Break.LINK_BROKEN, "link", str(link.sequence), link.sequence)
    verdict.links, verdict.head, verdict.head_sealed_at = link.sequence, link.link_sha256, link.sealed_at


def _compare(verdict: Verdict, link: Link, rows: _Rows | None, gone_before: str) -> None:
    """The link and its row, which may be gone if it was sealed before `gone_before`."""
    row, again = (None, False) if rows is None else rows.take(link)
    if again:
        verdict.add(Break.SEALED_AGAIN, link.kind, link.key, link.sequence)
    elif row is None and link.sealed_at < gone_before:
        verdict.let_go += 1
    elif row is None:
        verdict.add(Break.MISSING, link.kind, link.key, link.sequence)
    elif row.sha256 != link.row_sha256:
        verdict.add(Break.CHANGED, link.kind, link.key, link.sequence)
