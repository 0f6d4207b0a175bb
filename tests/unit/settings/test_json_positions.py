"""The strict JSON reader against the standard library's, on texts nobody thought of."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.settings.json_positions import JsonNode, JsonRefused, read_json

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=20
)
# Pieces of JSON in any order are nearer to a reader's mistakes than arbitrary text is.
PIECES = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"', '"a"', "\\", "\\u00e9", "\\ud800", "1", "-", "0", ".5", "e9", "E+", "true",
     "null", "NaN", " ", "\n", "\t", "\r", "\x00", "\ufeff", "\u00a0", "١", "é", "//", "#"]
)  # fmt: skip


def plain(node: JsonNode) -> object:
    if isinstance(node.value, dict):
        return {key: plain(member) for key, member in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


@settings(deadline=None)
@given(VALUES, st.sampled_from([None, 0, 2]), st.booleans())
def test_what_the_standard_library_writes_is_read_the_same(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert plain(read_json(text).root) == json.loads(text, parse_int=Decimal, parse_float=Decimal)


@settings(deadline=None, max_examples=400)
@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=30))
def test_nothing_is_read_that_the_standard_library_refuses_or_reads_otherwise(text: str) -> None:
    try:
        document = read_json(text)
    except JsonRefused as refused:
        assert 1 <= refused.line <= text.count("\n") + text.count("\r") + 1
        return
    if not document.repeated_keys:
        assert plain(document.root) == json.loads(text, parse_int=Decimal, parse_float=Decimal)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_key_and_item_knows_its_line(line_end: str) -> None:
    text = line_end.join(["", "[", '{"a":', "1,", '"b": [2,', '"x"', "]}", "]"])
    (user,) = read_json(text).root.value  # type: ignore[misc, union-attr]
    assert isinstance(user, JsonNode) and isinstance(user.value, dict)
    items = user.value["b"].value
    assert isinstance(items, list)
    assert (user.line, user.value["a"].line, user.value["b"].line, [item.line for item in items]) == (3, 3, 5, [5, 6])


def test_of_a_repeated_key_all_repetitions_are_told() -> None:
    document = read_json('{"a": 1,\n"a": 2,\n"a": 3}')
    assert [(again.line, again.first_line) for again in document.repeated_keys] == [(2, 1), (3, 1)]
