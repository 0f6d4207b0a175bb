"""The chain names every row that was changed, removed or slipped in, and nothing else."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.books.chain import Break, Link, Row, Verdict, check_chain, next_link, row_digest

KINDS = ("fill", "signal", "halt_lifted")
UNORDERED = frozenset({"halt_lifted"})
History = dict[str, list[Row]]


def _row(kind: str, position: int, words: str = "as it was") -> Row:
    return Row(position, f"{position} T{position}", row_digest(kind, [str(position), words, None]))


def _history(sizes: tuple[int, int, int]) -> History:
    return {kind: [_row(kind, 1 + 2 * n) for n in range(size)] for kind, size in zip(KINDS, sizes, strict=True)}


def _sealed(history: History, turns: list[int]) -> list[Link]:
    """The kinds take turns; those of an unordered kind are sealed the newest first."""
    waiting = {kind: list(reversed(rows)) if kind not in UNORDERED else list(rows) for kind, rows in history.items()}
    links: list[Link] = []
    for turn in [*turns, *(n for n in range(len(KINDS)) for _ in history[KINDS[n]])]:
        kind = KINDS[turn]
        if waiting[kind]:
            links.append(next_link(links[-1] if links else None, kind, waiting[kind].pop(), sealed_at=f"t{len(links)}"))
    return links


def _check(links: list[Link], history: History, expect: str = "") -> Verdict:
    return check_chain(links, history, unordered=UNORDERED, expect=expect)


HISTORIES = st.tuples(*[st.integers(min_value=1, max_value=6)] * 3).map(_history)
TURNS = st.lists(st.integers(min_value=0, max_value=2), max_size=18)


@given(history=HISTORIES, turns=TURNS, later=st.integers(min_value=0, max_value=3))
def test_what_is_as_it_was_sealed_holds_and_newer_rows_are_counted(
    history: History, turns: list[int], later: int
) -> None:
    links = _sealed(history, turns)
    history["fill"] = [*history["fill"], *(_row("fill", 100 + n) for n in range(later))]
    verdict = _check(links, history, links[0].link_sha256)
    assert verdict.holds and verdict.first is None
    assert (verdict.links, verdict.head, verdict.expected_at) == (len(links), links[-1].link_sha256, 1)
    assert verdict.unsealed == {"fill": later, "signal": 0, "halt_lifted": 0}


@given(history=HISTORIES, turns=TURNS, data=st.data())
def test_a_changed_row_is_named(history: History, turns: list[int], data: st.DataObject) -> None:
    links = _sealed(history, turns)
    kind = data.draw(st.sampled_from(KINDS))
    at = data.draw(st.integers(min_value=0, max_value=len(history[kind]) - 1))
    changed = history[kind][at] = _row(kind, history[kind][at].position, "another price")
    verdict = _check(links, history)
    assert [(each.what, each.kind, each.key) for each in verdict.findings] == [(Break.CHANGED, kind, changed.key)]
    assert verdict.first is not None and changed.key in verdict.first.sentence


@given(history=HISTORIES, turns=TURNS, data=st.data())
def test_a_removed_row_is_named(history: History, turns: list[int], data: st.DataObject) -> None:
    links = _sealed(history, turns)
    kind = data.draw(st.sampled_from(KINDS))
    gone = history[kind].pop(data.draw(st.integers(min_value=0, max_value=len(history[kind]) - 1)))
    verdict = _check(links, history)
    assert [(each.what, each.key) for each in verdict.findings] == [(Break.MISSING, gone.key)]


@given(history=HISTORIES, turns=TURNS, data=st.data())
def test_a_row_with_an_older_number_is_slipped_in(history: History, turns: list[int], data: st.DataObject) -> None:
    links = _sealed(history, turns)
    kind = data.draw(st.sampled_from(["fill", "signal"]))
    newest = history[kind][-1].position
    # Between two others, before all of them, or with a number that another one has.
    extra = replace(_row(kind, data.draw(st.integers(min_value=0, max_value=newest))), key="slipped in")
    history[kind] = sorted([*history[kind], extra], key=lambda row: row.position)
    verdict = _check(links, history)
    assert [(each.what, each.key) for each in verdict.findings] == [(Break.SLIPPED_IN, "slipped in")]


@given(history=HISTORIES, turns=TURNS, data=st.data())
def test_a_changed_or_removed_link_is_named(history: History, turns: list[int], data: st.DataObject) -> None:
    links = _sealed(history, turns)
    at = data.draw(st.integers(min_value=0, max_value=len(links) - 1))
    broken = [*links]
    broken[at] = replace(links[at], sealed_at="another time")
    verdict = _check(broken, history)
    assert [(each.what, each.link) for each in verdict.findings] == [(Break.LINK_BROKEN, at + 1)]
    if at < len(links) - 1:
        verdict = _check([*links[:at], *links[at + 1 :]], history)
        assert verdict.first is not None and (verdict.first.what, verdict.first.link) == (Break.LINK_MISSING, at + 1)


@given(history=HISTORIES, turns=TURNS)
def test_a_row_that_is_sealed_a_second_time_is_named(history: History, turns: list[int]) -> None:
    links = _sealed(history, turns)
    first = history["fill"][0]
    again = next_link(links[-1], "fill", first, sealed_at="later")
    verdict = _check([*links, again], history)
    assert [(each.what, each.key) for each in verdict.findings] == [(Break.SEALED_AGAIN, first.key)]


@given(history=HISTORIES, turns=TURNS)
def test_a_chain_made_anew_or_cut_short_holds_and_does_not_know_the_head_that_was_noted(
    history: History, turns: list[int]
) -> None:
    links = _sealed(history, turns)
    noted = links[-1].link_sha256
    history["fill"][0] = _row("fill", history["fill"][0].position, "another price")
    anew = _sealed(history, turns)
    assert _check(anew, history).holds
    assert [each.what for each in _check(anew, history, noted).findings] == [Break.HEAD_UNKNOWN]
    assert [each.what for each in _check([], {kind: [] for kind in KINDS}, noted).findings] == [Break.HEAD_UNKNOWN]


def test_no_two_rows_have_the_same_text() -> None:
    rows = [("a", ["b", "c"]), ("a", ["b,c"]), ("a", ["b", None, "c"]), ("ab", ["c"]), ("a", ['b","c']), ("a", ["bc"])]
    assert len({row_digest(kind, values) for kind, values in rows}) == len(rows)
